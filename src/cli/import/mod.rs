//! `import`: a configuration of what others are configured with.
//!
//! | file | reads |
//! |---|---|
//! | `envoy` | routes with retry policies, and the clusters' outlier detection and limits |
//! | `istio` | VirtualServices and DestinationRules |
//! | `gateway` | BackendTrafficPolicies and HTTPRoutes of an Envoy Gateway |
//! | `nginx/` | `upstream`, and `proxy_next_upstream` of locations |
//! | `resilience4j` | retries, circuit breakers, time limiters, bulkheads |
//! | `retry_on`, `outliers` | what Envoy, Istio and Envoy Gateway have in common |
//! | `file` | files with their documents |
//! | `draft` | the pools that come of it, and the comments |
//!
//! What has no equal is not left out silently: there is a comment with its place. What stays where
//! it is, as an Envoy's own balancing among the hosts of a cluster, is said, too.
//!
//! Limits: what others do by default and do not write down is imported only where it differs much
//! from the filter's own defaults. What comes of it is a beginning, to be read by a person.
//!
//! Example: `retry_policy: {num_retries: 2}` becomes `"retry_policy": {"max_attempts": 3}`.

mod draft;
mod envoy;
mod file;
mod gateway;
mod istio;
mod nginx;
mod outliers;
mod resilience4j;
mod retry_on;

use crate::arguments::Import;
use crate::document::yaml;
use crate::finished::{Finished, REFUSED};
use crate::source;
use crate::text;
use draft::Draft;
use file::File;

/// Carries out the command.
pub(crate) fn run(arguments: &Import) -> Finished {
    let mut files = Vec::new();
    for path in &arguments.files {
        let bytes = match source::bytes(path) {
            Ok(bytes) => bytes,
            Err(finished) => return finished,
        };
        let name = source::name(path);
        let Ok(text) = String::from_utf8(bytes) else {
            return Finished::failed(&format!("{name} is no text"));
        };
        let documents = if nginx::is_one(&text) {
            Vec::new()
        } else {
            match yaml::read(&text) {
                Ok(documents) => documents,
                Err(error) => {
                    return Finished::failed(&format!("{name} is no YAML: {}", error.reason));
                }
            }
        };
        files.push(File {
            name,
            text,
            documents,
        });
    }
    imported(&files)
}

fn imported(files: &[File]) -> Finished {
    let mut draft = Draft::default();
    for (index, file) in files.iter().enumerate() {
        draft.begin(&file.name, &file.text);
        if file.documents.is_empty() {
            nginx::import(&file.text, &mut draft);
        }
        for document in &file.documents {
            envoy::import(document, &mut draft);
            resilience4j::import(document, &mut draft);
        }
        istio::import(index, files, &mut draft);
        gateway::import(index, files, &mut draft);
    }
    let comments = draft.comments();
    let Some(policy) = draft.policy() else {
        return Finished::failed(
            "there is nothing to import: no route with retries, no VirtualService, no \
             BackendTrafficPolicy, no upstream, and no resilience4j",
        );
    };
    let output = text::json(&policy);
    match steerage_config::parse(output.as_bytes()) {
        Ok(_) => Finished {
            output,
            complaint: comments,
            status: 0,
        },
        Err(errors) => Finished {
            output,
            complaint: format!("{comments}steerage: the filter would refuse this:\n{errors}\n"),
            status: REFUSED,
        },
    }
}
