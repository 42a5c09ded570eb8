//! The hosts that endpoints are asked for, where routes have to write them.
//!
//! In `:authority` such a host would choose another virtual host. So the filter leaves `:authority`
//! alone (`host_rewrite_header`), and the route of each cluster writes its host.
//!
//! Example: of `{"endpoints": ["a", {"cluster": "b", "authority": "b.example"}]}` the route of `b`
//! writes `b.example`, and the one of `a` nothing.

use serde_json::Value;
use steerage_config::Config;
use steerage_policy::endpoint::Endpoint;

/// The hosts of a configuration's endpoints.
pub(super) struct Authorities<'a> {
    config: &'a Config,
}

impl<'a> Authorities<'a> {
    pub(super) const fn of(config: &'a Config) -> Self {
        Self { config }
    }

    /// Whether routes write them.
    pub(super) fn are_rewritten(&self) -> bool {
        let mut endpoints = self.endpoints();
        self.config.route_rewrites_host || endpoints.any(|endpoint| endpoint.authority.is_some())
    }

    /// The host that a cluster is asked for, if an endpoint says so; the first of several.
    pub(super) fn first(&self, cluster: &str) -> Option<&'a str> {
        let mut endpoints = self.endpoints();
        let endpoint = endpoints.find(|endpoint| *endpoint.cluster == *cluster)?;
        endpoint.authority.as_deref()
    }

    /// The host that a cluster is asked for, if there is one; `None` if endpoints disagree.
    pub(super) fn only(&self, cluster: &str) -> Option<Option<&'a str>> {
        let first = self.first(cluster);
        let mut of_cluster = self.endpoints().filter(|it| *it.cluster == *cluster);
        let agree = of_cluster.all(|endpoint| endpoint.authority.as_deref() == first);
        agree.then_some(first)
    }

    /// Has the filter leave them to the routes.
    pub(super) fn tell(&self, policy: &mut Value) {
        if self.are_rewritten()
            && let Some(fields) = policy.as_object_mut()
        {
            fields.insert("host_rewrite_header".into(), Value::Bool(true));
        }
    }

    fn endpoints(&self) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
        let pools = self.config.pools.iter();
        pools.flat_map(|configured| &configured.pool.endpoints)
    }
}
