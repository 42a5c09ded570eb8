//! The common data of all resources for Istio.

use steerage_config::Config;

use super::super::authorities::Authorities;
use super::super::by_router::ByRouter;
use super::super::cluster::Cluster;
use super::super::yaml;
use crate::arguments::{IstioRouting, RenderIstio};
use crate::istio::Destination;

/// What is rendered.
pub(super) struct Rendering<'a> {
    pub(super) arguments: &'a RenderIstio,
    pub(super) config: &'a Config,
    pub(super) authorities: Authorities<'a>,
    /// Given where the router makes the retries.
    pub(super) by_router: Option<ByRouter<'a>>,
    pub(super) clusters: Vec<(&'a Cluster, Destination<'a>)>,
}

impl Rendering<'_> {
    /// How a request gets to the cluster that the filter has chosen. Where the router makes the
    /// retries there is one route, too.
    pub(super) fn routing(&self) -> IstioRouting {
        match self.by_router {
            Some(_) => IstioRouting::ClusterHeader,
            None => self.arguments.routing(),
        }
    }

    /// Whether a route for each cluster can tell which host is meant.
    pub(super) fn has_one_authority_each(&self) -> Result<(), String> {
        if self.routing() != IstioRouting::Routes {
            return Ok(());
        }
        let mut clusters = self.clusters.iter().map(|(cluster, _)| &cluster.name);
        match clusters.find(|name| self.authorities.only(name).is_none()) {
            Some(cluster) => Err(format!(
                "{cluster} has more than one authority, and one route: use --routing cluster-header"
            )),
            None => Ok(()),
        }
    }

    /// Whether a request to another host than that of the routes could be taken by a pool.
    pub(super) fn names_its_hosts(&self) -> Result<(), String> {
        if !self.arguments.sees_other_hosts() {
            return Ok(());
        }
        let mut pools = self.config.pools.iter().map(|configured| &configured.pool);
        match pools.find(|pool| pool.matcher.hosts.is_empty()) {
            Some(pool) => Err(format!(
                "this proxy sees requests to other hosts too, which must not be steered: \
                 say in the pool {} which are meant, with \"match\": {{\"hosts\": [...]}}",
                pool.name
            )),
            None => Ok(()),
        }
    }

    /// The beginning of a resource, up to what it specifies.
    pub(super) fn metadata(&self, version: &str, kind: &str, suffix: &str) -> String {
        let name = format!("{}{suffix}", self.arguments.name);
        yaml::metadata(version, kind, &name, self.arguments.namespace())
    }
}
