//! The EnvoyFilter where the router makes the retries: it brings the module twice, before the
//! router and behind it, and changes the route.
//!
//! | patch | what for |
//! |---|---|
//! | EXTENSION_CONFIG, ADD, twice | the module with each of its configurations, which the proxy's agent fetches |
//! | HTTP_FILTER, INSERT_BEFORE the router | the filter |
//! | HTTP_FILTER, MERGE into the router | what each attempt passes |
//! | HTTP_ROUTE, MERGE | the cluster by the filter state, retries, the buffer |
//!
//! No WasmPlugin and no TrafficExtension can put a module behind the router. Both loads are of one
//! code and one `vm_id`, so that they run in one virtual machine: the EnvoyFilter brings the two
//! alike. They are discovered (ECDS), because Istio's agent fetches modules of discovered filters
//! only.
//!
//! Istio writes the number of an attempt by itself (`include_request_attempt_count`).
//!
//! Limits: as in the other resources. Of two such EnvoyFilters for one proxy the second would put
//! its filter behind the codec of the first, which Envoy refuses.
//!
//! Example: `--name api` in the namespace `edge` makes the discovered filters `edge.api` and
//! `edge.api-attempts`.

use serde_json::Value;

use super::super::by_router::{ATTEMPTS, ByRouter};
use super::super::yaml::{filled, indented, printable, quoted};
use super::rendering::Rendering;

const TEMPLATE: &str = include_str!("by_router.yaml");

impl Rendering<'_> {
    /// The EnvoyFilter.
    pub(super) fn filter_by_router(&self, by_router: &ByRouter<'_>, policy: &Value) -> String {
        let rewrite = if self.authorities.are_rewritten() {
            "# The `authority` of an endpoint. In `:authority` it would choose another virtual host.
host_rewrite_header: x-steerage-authority
"
        } else {
            ""
        };
        let arguments = self.arguments;
        let name = format!("{}.{}", arguments.namespace(), arguments.name);
        let policy = printable(&format!("{policy:#}"));
        let places = [
            ("@LABELS@", &*self.labels()),
            ("@CONTEXT@", self.context()),
            ("@FILTER@", &quoted(&name)),
            ("@ATTEMPTS_FILTER@", &quoted(&format!("{name}-attempts"))),
            ("@CODE@", &self.code()),
            ("@POLICY@\n", &indented(&policy, 16)),
            ("@ATTEMPTS@", ATTEMPTS),
            ("@ROUTE@", &quoted(&arguments.name)),
            ("@BUFFER@", &by_router.buffer.to_string()),
            ("@ACTION@\n", &by_router.action(rewrite, 10)),
        ];
        let mut filter = self.metadata("networking.istio.io/v1alpha3", "EnvoyFilter", "");
        filter.push_str(&filled(TEMPLATE, &places));
        filter
    }

    /// Where the module is, as Envoy has it. The agent takes a remote one as an order to fetch it,
    /// and looks at no cluster.
    fn code(&self) -> String {
        let url = &self.arguments.url;
        if let Some(file) = url.strip_prefix("file://") {
            return format!("local: {{filename: {}}}", quoted(file));
        }
        let sha256 = self.arguments.sha256.as_ref();
        let sha256 = sha256.map_or_else(String::new, |sum| format!(", sha256: {}", quoted(sum)));
        format!(
            "remote: {{http_uri: {{uri: {}, timeout: 30s, cluster: _}}{sha256}}}",
            quoted(url)
        )
    }
}
