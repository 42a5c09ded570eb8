//! The common data of all resources for Istio.
//!
//! Example: the cluster `outbound|80|v2|api` is the [`Destination`] with the host `api`, the port
//! 80 and the subset `v2`.

use steerage_config::Config;

use super::super::authorities::Authorities;
use super::super::by_router::ByRouter;
use super::super::cluster::Cluster;
use super::super::yaml;
use crate::arguments::{IstioRouting, IstioTarget, RenderIstio};

/// The destination of a cluster of Istio.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) subset: Option<&'a str>,
}

impl<'a> Destination<'a> {
    /// `None` unless the name is of the form `outbound|PORT|SUBSET|HOST`, or at a waypoint
    /// `inbound-vip|PORT|http|HOST` or `inbound-vip|PORT|http/SUBSET|HOST`.
    pub(super) fn of(cluster: &'a str, target: IstioTarget) -> Option<Self> {
        let mut parts = cluster.split('|');
        let (direction, port, subset, host) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let subset = match direction {
            "outbound" => subset,
            "inbound-vip" if target == IstioTarget::Waypoint => {
                let subset = subset.strip_prefix("http")?;
                match subset.strip_prefix('/') {
                    Some(subset) => subset,
                    None if subset.is_empty() => subset,
                    None => return None,
                }
            }
            _ => return None,
        };
        let port: u16 = port.parse().ok()?;
        (!host.is_empty() && parts.next().is_none()).then_some(Self {
            host,
            port,
            subset: Some(subset).filter(|subset| !subset.is_empty()),
        })
    }
}

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
