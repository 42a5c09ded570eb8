//! The resource that brings the module and its configuration: a WasmPlugin, or a TrafficExtension.
//!
//! Both have the same content; a TrafficExtension keeps the fields of the module in `wasm`.
//!
//! Limits: the module's image is not read, so the checksum is the one that is given.
//!
//! Example: `--target waypoint --target-ref Service/api` becomes
//! `targetRefs: [{group: "", kind: Service, name: "api"}]`.

use serde_json::Value;

use super::super::yaml::{printable, quoted};
use super::rendering::Rendering;
use crate::arguments::{IstioKind, IstioTarget};

impl Rendering<'_> {
    /// The resource.
    pub(super) fn plugin(&self, policy: &Value) -> String {
        let arguments = self.arguments;
        let (kind, within) = match arguments.kind() {
            IstioKind::WasmPlugin => ("WasmPlugin", ""),
            IstioKind::TrafficExtension => ("TrafficExtension", "  "),
        };
        let mut plugin = self.metadata("extensions.istio.io/v1alpha1", kind, "");
        plugin.push_str(&self.whose());
        plugin.push_str(
            "  # There is no `phase`: the filter then stands right before the router, where a retry repeats all that
  # other filters have changed.
",
        );
        if arguments.kind() == IstioKind::TrafficExtension {
            plugin.push_str("  wasm:\n");
        }
        let mut line = |text: &str| plugin.push_str(&format!("{within}  {text}\n"));
        line(&format!("url: {}", quoted(&arguments.url)));
        if let Some(sha256) = &arguments.sha256 {
            line(
                "# Of what the proxy fetches: the image's digest, or the checksum of a file. Nothing else is run.",
            );
            line(&format!("sha256: {}", quoted(sha256)));
        }
        line("imagePullPolicy: IfNotPresent");
        line("pluginName: steerage");
        line(
            "# A crashed filter is replaced by a fresh one; the default would answer 503 for ever.",
        );
        line("failStrategy: FAIL_RELOAD");
        line("pluginConfig:");
        for text in printable(&format!("{policy:#}")).lines() {
            line(&format!("  {text}"));
        }
        plugin
    }

    /// Which proxies run the filter, and on which of their traffic.
    fn whose(&self) -> String {
        let labels = self.labels();
        match self.arguments.target {
            IstioTarget::Gateway => format!("  selector: {{matchLabels: {labels}}}\n"),
            IstioTarget::Sidecar => format!(
                "  selector: {{matchLabels: {labels}}}
  # Only on what the application sends. On what it receives there is nothing to choose.
  match: [{{mode: CLIENT}}]
"
            ),
            IstioTarget::Waypoint => {
                let (kind, name) = &self.arguments.target_ref;
                let group = kind.group();
                let kind = kind.name();
                format!(
                    "  # A waypoint does not look at `selector`. There is no `match`: to Istio a waypoint's requests are inbound.
  targetRefs: [{{group: {}, kind: {kind}, name: {}}}]
",
                    quoted(group),
                    quoted(name)
                )
            }
        }
    }

    /// The labels of the proxies, as a map of YAML.
    pub(super) fn labels(&self) -> String {
        let labels = self.arguments.selector();
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
            .collect();
        format!("{{{}}}", labels.join(", "))
    }
}
