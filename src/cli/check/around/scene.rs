//! What is looked at: the files, and a configuration in them.

use std::time::Duration;

use steerage_config::Config;

use crate::check::files::File;
use crate::check::plugins::Plugin;
use crate::document::Node;

/// Everything that was read.
pub(crate) struct Scene<'a> {
    pub(crate) files: &'a [File],
    pub(crate) plugins: &'a [Plugin<'a>],
    resources: Vec<(usize, &'a Node)>,
}

impl<'a> Scene<'a> {
    pub(crate) fn of(files: &'a [File], plugins: &'a [Plugin<'a>]) -> Self {
        let documents = files.iter().enumerate().flat_map(|(index, file)| {
            let all = file.documents().iter().flat_map(Node::resources);
            all.map(move |resource| (index, resource))
        });
        Self {
            files,
            plugins,
            resources: documents.collect(),
        }
    }

    /// The resources of a kind, with their files.
    pub(super) fn of_kind(&self, kind: &'a str) -> impl Iterator<Item = (usize, &'a Node)> + '_ {
        let all = self.resources.iter().copied();
        all.filter(move |(_, resource)| resource.text_of("kind") == Some(kind))
    }
}

/// A good configuration and where it was found.
pub(super) struct Subject<'a> {
    pub(super) plugin: &'a Plugin<'a>,
    pub(super) config: &'a Config,
}

/// An endpoint's cluster, and the path of the endpoint.
pub(super) struct Target<'a> {
    pub(super) cluster: &'a str,
    pub(super) path: String,
}

impl<'a> Subject<'a> {
    /// The paths of the pools, in the order of the configuration.
    pub(super) fn pool_paths(&self) -> impl Iterator<Item = String> + use<'_> {
        let several = self.plugin.found.tree.get("pools").is_some();
        (0..self.config.pools.len()).map(move |index| match several {
            true => format!("pools[{index}]."),
            false => String::new(),
        })
    }

    /// Every endpoint of every pool.
    pub(super) fn targets(&self) -> Vec<Target<'a>> {
        let pools = self.pool_paths().zip(&self.config.pools);
        let targets = pools.flat_map(|(path, configured)| {
            let endpoints = configured.pool.endpoints.iter().enumerate();
            endpoints.map(move |(index, endpoint)| Target {
                cluster: &endpoint.cluster,
                path: format!("{path}endpoints[{index}]"),
            })
        });
        targets.collect()
    }

    /// Most attempts at a time that the pools make at a cluster.
    pub(super) fn most_at(&self, cluster: &str) -> u32 {
        let pools = self.config.pools.iter().map(|configured| &configured.pool);
        let of_cluster = pools.filter(|pool| {
            let mut endpoints = pool.endpoints.iter();
            endpoints.any(|endpoint| *endpoint.cluster == *cluster)
        });
        of_cluster
            .map(|pool| pool.limit.most())
            .fold(0, u32::saturating_add)
    }

    /// Whether `timeout.connect` is given in any pool.
    pub(super) fn connects(&self) -> Option<Duration> {
        let tree = &self.plugin.found.tree;
        let pools = tree.get("pools").map_or(&[][..], Node::items);
        let mut pools = pools.iter().chain([tree]);
        let given = pools.any(|pool| pool.at_path(&["timeout", "connect"]).is_some());
        let connect = self
            .config
            .pools
            .iter()
            .map(|it| it.pool.timeouts.connect());
        connect.min().filter(|_| given)
    }
}

/// Whether a duration of Envoy is none: `0s`.
pub(super) fn is_zero(node: &Node) -> bool {
    let text = node.text().unwrap_or("x");
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    number.parse() == Ok(0.0)
}
