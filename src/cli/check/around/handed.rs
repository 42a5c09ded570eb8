//! How the filter gets its configuration, and what happens when it crashes.

use super::super::plugins::{Handed, Home, Plugin};
use super::super::report::{Remark, Report, Spot};
use crate::document::Node;

pub(super) fn check(plugin: &Plugin<'_>, report: &mut Report<'_>) {
    if let Some((at, handed)) = plugin.handed {
        report.error(Spot::new(plugin.file, at), remark(handed));
    }
    match plugin.home {
        Home::File | Home::Values => {}
        Home::Envoy { plugin: node, .. } => envoy(plugin.file, node, report),
        Home::Resource {
            kind, plugin: node, ..
        } => resource(plugin.file, kind, node, report),
    }
}

fn remark(handed: Handed) -> Remark {
    match handed {
        Handed::Struct => Remark::new(
            "configuration-as-struct",
            "the filter gets a google.protobuf.Struct in a binary form, and refuses it",
        )
        .help(AS_STRING),
        Handed::NoText => Remark::new(
            "configuration-as-values",
            "the configuration must be a google.protobuf.StringValue with the JSON as text",
        )
        .help(AS_STRING),
        Handed::NoValues => Remark::new(
            "configuration-as-text",
            "the configuration must be values here, and is text",
        )
        .help("write the JSON without quotes and without `|`"),
    }
}

const AS_STRING: &str = "write \"@type\": type.googleapis.com/google.protobuf.StringValue, and \
                         value: | with the JSON as text below it";

fn envoy(file: usize, plugin: &Node, report: &mut Report<'_>) {
    let spot = Spot::new(file, plugin.at.start);
    if plugin.text_of("failure_policy") != Some("FAIL_RELOAD") {
        let remark = Remark::new(
            "failure-policy",
            "without `failure_policy: FAIL_RELOAD` a filter that has crashed answers 503 until Envoy \
             is restarted",
        );
        report.warn(
            spot,
            remark.help("write failure_policy: FAIL_RELOAD in config"),
        );
    }
    let id = plugin.at_path(&["vm_config", "vm_id"]);
    if id.and_then(Node::text).is_none_or(str::is_empty) {
        let remark = Remark::new(
            "vm-id",
            "without a `vm_id` all modules that have none share one store, also those of others",
        );
        report.warn(spot, remark.help("write vm_id: steerage in vm_config"));
    }
}

fn resource(file: usize, kind: &str, plugin: &Node, report: &mut Report<'_>) {
    let strategy = plugin.text_of("failStrategy");
    if kind != "EnvoyExtensionPolicy" && strategy != Some("FAIL_RELOAD") {
        let remark = Remark::new(
            "failure-policy",
            "without `failStrategy: FAIL_RELOAD` a filter that has crashed answers 503 until the proxy \
             is restarted; it needs Istio 1.27",
        );
        let spot = Spot::new(file, plugin.at.start);
        report.warn(spot, remark.help("write failStrategy: FAIL_RELOAD"));
    }
}
