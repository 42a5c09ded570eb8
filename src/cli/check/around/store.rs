//! Pools that several plugins share without wanting to.
//!
//! Under one `vm_id` pools of the same name share breakers, health and counts. Where they are the
//! same pool that is wanted. Where they differ, one learns what is true of the other only.

use super::super::plugins::{Home, Plugin};
use super::super::report::{Remark, Report};
use super::scene::Scene;
use crate::document::Node;
use crate::document::places::Part;
use steerage_config::Role;

/// A pool of a plugin.
struct Pool<'a> {
    plugin: &'a Plugin<'a>,
    store: String,
    name: &'a str,
    path: String,
    written: String,
}

pub(super) fn check(scene: &Scene<'_>, report: &mut Report<'_>) {
    let pools: Vec<_> = scene.plugins.iter().flat_map(pools).collect();
    for (index, pool) in pools.iter().enumerate() {
        let earlier = pools.get(..index).unwrap_or_default();
        let same = earlier.iter().find(|other| {
            !std::ptr::eq(other.plugin, pool.plugin)
                && (&other.store, other.name) == (&pool.store, pool.name)
                && other.written != pool.written
        });
        let Some(other) = same else { continue };
        let file = scene.files.get(other.plugin.file);
        let at = other.plugin.found.byte(&other.path, Part::Value);
        let line = file.map_or(0, |file| file.lines().position(at).line);
        let name = file.map_or("", |file| &file.name);
        let remark = Remark::new(
            "shared-pool",
            format!(
                "another plugin of the same store has a pool {}, too ({name}:{line}), with other \
                 settings: the two share breakers, health and counts",
                pool.name
            ),
        );
        let help = format!(
            "write \"name\": with a name that only this pool has, in place of {}",
            pool.name
        );
        let remark = remark
            .at(pool.path.trim_end_matches('.').to_owned())
            .help(help);
        report.warn(pool.plugin.spot(&pool.path), remark);
    }
}

fn pools<'a>(plugin: &'a Plugin<'a>) -> Vec<Pool<'a>> {
    let (Ok(Role::Filter(config)), Some(store)) = (&plugin.found.parsed, store(plugin)) else {
        return Vec::new();
    };
    let tree = &plugin.found.tree;
    let written = tree.get("pools").map(Node::items);
    let pools = config.pools.iter().enumerate();
    let pool = |(index, configured): (usize, &'a steerage_config::ConfiguredPool)| {
        let (path, node) = match written {
            Some(pools) => (format!("pools[{index}]"), pools.get(index)),
            None => (String::new(), Some(tree)),
        };
        Pool {
            plugin,
            store: store.clone(),
            name: &configured.pool.name,
            path,
            written: node.map(Node::to_json).unwrap_or_default(),
        }
    };
    pools.map(pool).collect()
}

/// What tells the store of a plugin from others: its `vm_id`, and on which proxies it runs.
fn store(plugin: &Plugin<'_>) -> Option<String> {
    match plugin.home {
        Home::File | Home::Values => None,
        Home::Envoy {
            plugin: node,
            document,
            ..
        } => {
            let id = node.at_path(&["vm_config", "vm_id"]);
            let id = id.and_then(Node::text).unwrap_or_default();
            Some(format!("{id} {}", proxies(document, plugin.file)))
        }
        // Istio and Envoy Gateway set none.
        Home::Resource { document, .. } => Some(format!(" {}", proxies(document, plugin.file))),
    }
}

/// The proxies that a document is for: all with the same labels, or the file's own Envoy.
fn proxies(document: &Node, file: usize) -> String {
    let Some(spec) = document.get("spec") else {
        return file.to_string();
    };
    let namespace = document.at_path(&["metadata", "namespace"]);
    let labels = ["selector", "workloadSelector", "targetRefs", "targetRef"];
    let labels = labels.iter().filter_map(|field| spec.get(field));
    let parts = namespace.into_iter().chain(labels).map(|node| {
        let labels = node.get("matchLabels").or_else(|| node.get("labels"));
        labels.unwrap_or(node).to_json()
    });
    parts.collect::<Vec<_>>().join(" ")
}
