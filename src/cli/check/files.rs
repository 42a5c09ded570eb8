//! The files that are checked, read as trees.
//!
//! A file is a configuration of Steerage, or a document around one: an Envoy, resources of
//! Kubernetes, values of a chart. JSON without the marks of such a document is a configuration; so
//! is what is no document at all, for the filter's parser to say what is wrong with it.
//!
//! Example: `{"endpoints": []}` is a configuration, `{"static_resources": {}}` is not.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::document::lines::Lines;
use crate::document::yaml::{self, Unreadable};
use crate::document::{Node, json};
use crate::finished::Finished;
use crate::source;

/// A file.
#[derive(Debug)]
pub(crate) struct File {
    /// What it is called in messages.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Empty if the bytes are no text.
    pub(crate) text: String,
    pub(crate) content: Content,
    /// Whether it was found in a folder, and not named.
    pub(crate) is_found: bool,
}

/// What a file is.
#[derive(Debug)]
pub(crate) enum Content {
    /// A configuration of Steerage, good or bad.
    Policy,
    /// Documents in which there may be some.
    Documents(Vec<Node>),
    /// Neither.
    Unreadable(Unreadable),
}

impl File {
    pub(crate) fn of(name: String, bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes.clone()).unwrap_or_default();
        let content = content(&name, &text);
        Self {
            name,
            bytes,
            text,
            content,
            is_found: false,
        }
    }

    pub(crate) fn documents(&self) -> &[Node] {
        match &self.content {
            Content::Documents(documents) => documents,
            _ => &[],
        }
    }

    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines::of(&self.text)
    }
}

/// The files, and those in folders, in the order of their names.
///
/// # Errors
/// The complaint about one that cannot be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<File>, Finished> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(File::of(source::name(path), source::bytes(path)?));
            continue;
        }
        for path in within(path)? {
            let file = File {
                is_found: true,
                ..File::of(source::name(&path), source::bytes(&path)?)
            };
            // A folder has other files, too: templates, text, data of other programs.
            let is_ours = match &file.content {
                Content::Policy => json::read(&file.text).members().iter().any(is_of_policy),
                Content::Documents(_) => true,
                Content::Unreadable(_) => file.text.contains("steerage"),
            };
            if is_ours {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// The files of a folder that may hold a configuration.
fn within(folder: &Path) -> Result<Vec<PathBuf>, Finished> {
    let failed = |error| Finished::failed(&format!("cannot read {}: {error}", folder.display()));
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || OF_OTHERS.contains(&&*name) {
                continue;
            }
            // A link to a folder could lead in a circle.
            let kind = entry.file_type().map_err(failed)?;
            let extension = path.extension().and_then(|extension| extension.to_str());
            if kind.is_dir() {
                folders.push(path);
            } else if matches!(extension, Some("json" | "yaml" | "yml")) && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Folders of what is built or fetched.
const OF_OTHERS: [&str; 2] = ["target", "node_modules"];

fn content(name: &str, text: &str) -> Content {
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = serde_json::from_str::<IgnoredAny>(begin).is_ok();
    let separator = |line: &str| line == "---" || line.starts_with("--- ");
    if is_json || begin.starts_with(['{', '[']) && !text.lines().any(separator) {
        let root = json::read(text);
        return if is_json && is_around(&root) {
            Content::Documents(vec![root])
        } else {
            Content::Policy
        };
    }
    match yaml::read(text) {
        Ok(documents) if documents.iter().any(is_document) => Content::Documents(documents),
        Err(unreadable) if looks_like_yaml(name, begin) => Content::Unreadable(unreadable),
        _ => Content::Policy,
    }
}

/// Whether YAML is more than a configuration that should be JSON.
fn is_document(root: &Node) -> bool {
    let is_policy = root.members().iter().any(is_of_policy);
    root.is_map() && (is_around(root) || !is_policy) || !root.items().is_empty()
}

/// Whether it is an Envoy's, or a resource of Kubernetes.
fn is_around(root: &Node) -> bool {
    let marks = root
        .members()
        .iter()
        .any(|member| AROUND.contains(&&*member.key));
    marks || root.get("kind").is_some() && root.get("apiVersion").is_some()
}

fn is_of_policy(member: &crate::document::Member) -> bool {
    OF_POLICY.contains(&&*member.key)
}

fn looks_like_yaml(name: &str, text: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|it| it.to_str());
    let comment = text.starts_with("//") || text.starts_with("/*");
    matches!(extension, Some("yaml" | "yml")) || !comment && text.contains(":\n")
}

/// The fields that only a configuration of Steerage has.
pub(crate) const OF_POLICY: [&str; 10] = [
    "endpoints",
    "pools",
    "load_balancer",
    "retry_policy",
    "circuit_breaker",
    "connection_pool",
    "cluster_header",
    "sync_interval",
    "interceptors",
    "on_exhausted",
];

/// The fields that only documents around one have.
const AROUND: [&str; 14] = [
    "@type",
    "static_resources",
    "dynamic_resources",
    "layered_runtime",
    "stats_config",
    "resources",
    "listeners",
    "filter_chains",
    "http_filters",
    "typed_config",
    "route_config",
    "virtual_hosts",
    "configPatches",
    "configuration",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn is_policy(text: &str) -> bool {
        let file = File::of("x".into(), text.into());
        matches!(file.content, Content::Policy)
    }

    #[test]
    fn configurations_are_told_from_documents_around_them() {
        for policy in [
            "",
            "{",
            "{}",
            r#"{"endpoints": ["a"]}"#,
            r#"{"clusters": ["a"], "admin": {}}"#,
            "{'endpoints': ['a']}",
            "// why\n{\"endpoints\": [\"a\"]}",
            "# why\n{\"endpoints\": [\"a\"]}",
            "endpoints:\n- a\n",
            "\u{feff}{\"endpoints\": [\"a\"]}",
            "round robin",
            "[\"a\"]",
        ] {
            assert!(is_policy(policy), "{policy}");
        }
        for other in [
            "static_resources: {}",
            r#"{"static_resources": {}}"#,
            "apiVersion: v1\nkind: List\nitems: []\n",
            "{\"endpoints\": []}\n---\n{\"kind\": \"X\", \"apiVersion\": \"v1\"}\n",
            "gateway:\n  policy:\n    endpoints: [a]\n",
        ] {
            assert!(!is_policy(other), "{other}");
        }
    }
}
