//! Finds the configurations in documents, and what stands around each of them.
//!
//! | in | is |
//! |---|---|
//! | an Envoy's configuration, an EnvoyFilter | the `configuration` of a Wasm filter |
//! | a WasmPlugin, a TrafficExtension | `pluginConfig` |
//! | an EnvoyExtensionPolicy | `config` of each entry of `wasm` |
//! | any other document | values, or a text, with the fields of a configuration |
//!
//! Limits: a filter of another kind is recognised by having neither the name nor any field of
//! Steerage. Modules that Envoy discovers elsewhere (ECDS) are found in their own files.

use super::files::{Content, File, OF_POLICY};
use super::found::Found;
use super::report::Spot;
use crate::document::places::Part;
use crate::document::{Node, Value, json};

/// A configuration and what is around it.
#[derive(Debug)]
pub(crate) struct Plugin<'a> {
    /// The file's index.
    pub(crate) file: usize,
    pub(crate) home: Home<'a>,
    pub(crate) found: Found,
    /// What is wrong with how it is handed to the filter, at this byte.
    pub(crate) handed: Option<(usize, Handed)>,
}

impl Plugin<'_> {
    /// The place of the value at a path of the configuration.
    pub(crate) fn spot(&self, path: &str) -> Spot {
        Spot::new(self.file, self.found.byte(path, Part::Value))
    }
}

/// What a configuration is part of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home<'a> {
    /// Nothing: it is the whole file.
    File,
    /// Values of a chart, or the like.
    Values,
    /// A filter of Envoy.
    Envoy {
        /// Its `config`.
        plugin: &'a Node,
        /// The connection manager that it stands in.
        manager: Option<&'a Node>,
        /// The whole document.
        document: &'a Node,
    },
    /// A resource of Kubernetes that brings a module.
    Resource {
        kind: &'a str,
        document: &'a Node,
        /// Where `failStrategy` and the like stand.
        plugin: &'a Node,
    },
}

/// A way in which a configuration does not reach the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// As a `google.protobuf.Struct`, which arrives in a binary form.
    Struct,
    /// As values where a text is wanted.
    NoText,
    /// As text where values are wanted.
    NoValues,
}

/// Those in all files.
pub(crate) fn all(files: &[File]) -> Vec<Plugin<'_>> {
    let mut plugins = Vec::new();
    for (index, file) in files.iter().enumerate() {
        if matches!(file.content, Content::Policy) {
            plugins.push(Plugin {
                file: index,
                home: Home::File,
                found: Found::file(&file.bytes),
                handed: None,
            });
            continue;
        }
        for document in file.documents() {
            let mut finder = Finder {
                file: index,
                text: &file.text,
                found: &mut plugins,
            };
            finder.document(document);
        }
    }
    plugins
}

struct Finder<'a, 'f> {
    file: usize,
    text: &'a str,
    found: &'f mut Vec<Plugin<'a>>,
}

impl<'a> Finder<'a, '_> {
    fn document(&mut self, document: &'a Node) {
        for resource in document.resources() {
            let spec = resource.get("spec");
            match (resource.text_of("kind"), spec) {
                (Some(kind @ "WasmPlugin"), Some(spec)) => {
                    self.resource(kind, resource, spec, "pluginConfig");
                }
                (Some(kind @ "TrafficExtension"), Some(spec)) => {
                    if let Some(wasm) = spec.get("wasm") {
                        self.resource(kind, resource, wasm, "pluginConfig");
                    }
                }
                (Some(kind @ "EnvoyExtensionPolicy"), Some(spec)) => {
                    for wasm in spec.get("wasm").map_or(&[][..], Node::items) {
                        self.resource(kind, resource, wasm, "config");
                    }
                }
                _ => {
                    let before = self.found.len();
                    self.filters(resource, resource, None);
                    if self.found.len() == before && resource.get("apiVersion").is_none() {
                        self.values(resource);
                    }
                }
            }
        }
    }

    fn resource(&mut self, kind: &'a str, document: &'a Node, plugin: &'a Node, field: &str) {
        let config = plugin.get(field);
        let named = [plugin, document].into_iter().any(is_named);
        if !named && !config.is_some_and(is_policy) {
            return;
        }
        let handed = config.filter(|config| config.text().is_some());
        self.found.push(Plugin {
            file: self.file,
            home: Home::Resource {
                kind,
                document,
                plugin,
            },
            found: match config {
                Some(config) => Found::within(self.text, config),
                None => Found::nothing(plugin),
            },
            handed: handed.map(|config| (config.at.start, Handed::NoValues)),
        });
    }

    /// The Wasm filters in `node`.
    fn filters(&mut self, document: &'a Node, node: &'a Node, manager: Option<&'a Node>) {
        let manager = match type_of(node) {
            Some("HttpConnectionManager") => Some(node),
            Some("Wasm") => {
                let plugin = node
                    .get("config")
                    .or_else(|| node.at_path(&["value", "config"]));
                if let Some(plugin) = plugin {
                    self.filter(document, plugin, manager);
                }
                return;
            }
            _ => manager,
        };
        for child in node.children() {
            self.filters(document, child, manager);
        }
    }

    fn filter(&mut self, document: &'a Node, plugin: &'a Node, manager: Option<&'a Node>) {
        let configuration = plugin.get("configuration");
        let value = configuration.and_then(|configuration| match configuration.value {
            Value::Map(_) => configuration.get("value"),
            _ => Some(configuration),
        });
        if !is_named(plugin) && !value.is_some_and(is_policy) {
            return;
        }
        let handed = configuration.zip(value).and_then(|(configuration, value)| {
            let handed = match (type_of(configuration), &value.value) {
                (Some("Struct"), _) => Handed::Struct,
                (Some("StringValue"), Value::Text(..)) => return None,
                _ => Handed::NoText,
            };
            Some((configuration.at.start, handed))
        });
        self.found.push(Plugin {
            file: self.file,
            home: Home::Envoy {
                plugin,
                manager,
                document,
            },
            found: match value {
                Some(value) => Found::within(self.text, value),
                None => Found::nothing(configuration.unwrap_or(plugin)),
            },
            handed,
        });
    }

    /// Values or texts with the fields of a configuration.
    fn values(&mut self, node: &'a Node) {
        for child in node.children() {
            if is_whole_policy(child) {
                self.found.push(Plugin {
                    file: self.file,
                    home: Home::Values,
                    found: Found::within(self.text, child),
                    handed: None,
                });
            } else {
                self.values(child);
            }
        }
    }
}

/// The last word of a type's name.
pub(crate) fn type_of(node: &Node) -> Option<&str> {
    let name = node.text_of("@type")?;
    let name = match node.text_of("type_url") {
        Some(inner) if name.ends_with("TypedStruct") => inner,
        _ => name,
    };
    name.rsplit(['.', '/']).next()
}

/// Whether it has the name of Steerage somewhere near its top.
fn is_named(node: &Node) -> bool {
    let mut texts = node.members().iter().flat_map(|member| {
        let below = member.node.members().iter();
        let texts = below.filter_map(|member| member.node.text());
        texts.chain(member.node.text())
    });
    texts.any(|text| text.len() < 300 && text.contains("steerage"))
        || node
            .at_path(&["vm_config", "code"])
            .is_some_and(|code| code.to_json().contains("steerage"))
}

/// Whether it has any field that only Steerage has, or its role.
fn is_policy(node: &Node) -> bool {
    let inner;
    let tree = match node.text() {
        Some(text) => {
            inner = json::read(text);
            &inner
        }
        None => node,
    };
    let mut keys = tree.members().iter().map(|member| &*member.key);
    keys.any(|key| OF_POLICY.contains(&key))
        || tree.text_of("role") == Some("attempts")
        || tree.members().len() == 1 && tree.get("admin").is_some_and(Node::is_map)
}

/// Whether it has endpoints, by itself or in pools.
fn is_whole_policy(node: &Node) -> bool {
    let inner;
    let tree = match node.text() {
        Some(text) if text.trim_start().starts_with('{') => {
            inner = json::read(text);
            &inner
        }
        _ => node,
    };
    let has_endpoints = |pool: &Node| {
        let endpoints = pool.get("endpoints").map_or(&[][..], Node::items);
        let is_endpoint = |entry: &Node| entry.text().is_some() || entry.get("cluster").is_some();
        !endpoints.is_empty() && endpoints.iter().all(is_endpoint)
    };
    let pools = tree.get("pools").map_or(&[][..], Node::items);
    has_endpoints(tree) || !pools.is_empty() && pools.iter().all(has_endpoints)
}
