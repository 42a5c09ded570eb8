//! Which cluster answers the health checks of an endpoint, and for which host it is asked.
//!
//! A server may serve several hosts, and refuses those that it does not know. So the host of a
//! check is one that somebody has named: an operator, or the mesh in the name of the cluster.
//!
//! Example: the cluster `outbound|80|v2|api.ns.svc.cluster.local`, of which nothing more is said,
//! is asked for `api.ns.svc.cluster.local`.

use super::Endpoint;
use crate::health::CheckPolicy;

impl Endpoint {
    /// The cluster whose answers to health checks speak for this endpoint.
    #[must_use]
    pub fn checked_cluster(&self) -> &str {
        self.health_check_cluster
            .as_deref()
            .unwrap_or(&self.cluster)
    }

    /// The host that its health checks ask for. What is named most closely wins: for its checks,
    /// for the endpoint, for the checks of the pool; the name of the cluster is the last resort.
    #[must_use]
    pub fn checked_host<'a>(&'a self, checks: &'a CheckPolicy) -> &'a str {
        self.health_check_host
            .as_deref()
            .or(self.authority.as_deref())
            .or(checks.host.as_deref())
            .unwrap_or_else(|| {
                let cluster = self.checked_cluster();
                host_in(cluster).unwrap_or(cluster)
            })
    }
}

/// The host in a cluster's name of the form `outbound|PORT|SUBSET|HOST`, or at a waypoint
/// `inbound-vip|PORT|SUBSET|HOST`, as Istio names its clusters.
fn host_in(cluster: &str) -> Option<&str> {
    let mut parts = cluster.split('|');
    let (direction, port, _subset, host) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_istios = matches!(direction, "outbound" | "inbound-vip")
        && port.parse::<u16>().is_ok()
        && !host.is_empty()
        && parts.next().is_none();
    is_istios.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_is_named_most_closely_is_asked_for() {
        let mut checks = CheckPolicy::default();
        let mut endpoint = Endpoint::new("outbound|80||api.ns");
        assert_eq!(endpoint.checked_host(&checks), "api.ns");
        checks.host = Some("checks.example".into());
        assert_eq!(endpoint.checked_host(&checks), "checks.example");
        endpoint.authority = Some("endpoint.example".into());
        assert_eq!(endpoint.checked_host(&checks), "endpoint.example");
        endpoint.health_check_host = Some("probe.example".into());
        assert_eq!(endpoint.checked_host(&checks), "probe.example");
    }

    #[test]
    fn the_host_is_found_in_the_name_of_the_cluster_that_is_asked() {
        let checks = CheckPolicy::default();
        for (cluster, host) in [
            ("api", "api"),
            (
                "outbound|80||a.ns.svc.cluster.local",
                "a.ns.svc.cluster.local",
            ),
            ("outbound|443|v2|example.com", "example.com"),
            ("inbound-vip|80|http/v1|a.b", "a.b"),
            ("outbound|x||a", "outbound|x||a"),
            ("outbound|80||", "outbound|80||"),
            ("outbound|80||a|b", "outbound|80||a|b"),
            ("inbound|80||a", "inbound|80||a"),
            ("", ""),
        ] {
            let mut endpoint = Endpoint::new(cluster);
            assert_eq!(endpoint.checked_host(&checks), host);
            endpoint.health_check_cluster = Some("outbound|15021||probe".into());
            assert_eq!(endpoint.checked_cluster(), "outbound|15021||probe");
            assert_eq!(endpoint.checked_host(&checks), "probe");
        }
    }
}
