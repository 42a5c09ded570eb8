//! Istio's names of clusters.
//!
//! Example: the cluster `outbound|80|v2|api` is the [`Destination`] with the host `api`, the port
//! 80 and the subset `v2`.

/// The destination of a cluster of Istio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Destination<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) subset: Option<&'a str>,
}

impl<'a> Destination<'a> {
    /// `None` unless the name is of the form `outbound|PORT|SUBSET|HOST`.
    pub(crate) fn of(cluster: &'a str) -> Option<Self> {
        let mut parts = cluster.split('|');
        let direction = parts.next()?;
        let (port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
        let no_more = parts.next().is_none();
        (direction == "outbound" && no_more).then(|| Self::from_parts(port, subset, host))?
    }

    /// The same, and `None` unless it is of the form `inbound-vip|PORT|http|HOST` or
    /// `inbound-vip|PORT|http/SUBSET|HOST`, as a waypoint calls the clusters of its own services.
    pub(crate) fn of_waypoint(cluster: &'a str) -> Option<Self> {
        let Some(own) = cluster.strip_prefix("inbound-vip|") else {
            return Self::of(cluster);
        };
        let mut parts = own.split('|');
        let (port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
        let subset = match subset.strip_prefix("http")? {
            "" => "",
            subset => subset.strip_prefix('/')?,
        };
        let no_more = parts.next().is_none();
        no_more.then(|| Self::from_parts(port, subset, host))?
    }

    fn from_parts(port: &str, subset: &'a str, host: &'a str) -> Option<Self> {
        let port = port.parse().ok()?;
        (!host.is_empty()).then_some(Self {
            host,
            port,
            subset: Some(subset).filter(|subset| !subset.is_empty()),
        })
    }

    /// As a route has it.
    pub(crate) fn written(&self) -> String {
        let Self { host, port, .. } = self;
        let subset = self
            .subset
            .map_or_else(String::new, |it| format!(", subset: {it}"));
        format!("{{host: {host}, port: {{number: {port}}}{subset}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn istios_clusters_are_known_by_their_names() {
        assert_eq!(
            Destination::of("outbound|80|v1|api.default.svc.cluster.local"),
            Some(Destination {
                host: "api.default.svc.cluster.local",
                port: 80,
                subset: Some("v1")
            })
        );
        let plain = Destination::of("outbound|443||example.com");
        assert_eq!(plain.and_then(|plain| plain.subset), None);
        for other in [
            "api",
            "inbound|80||a",
            "outbound|x||a",
            "outbound|80||",
            "outbound|80||a|b",
            "outbound_.80_._.a",
            "inbound-vip|80|http|a",
        ] {
            assert_eq!(Destination::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_waypoint_has_names_for_the_clusters_of_its_own_services() {
        let subset = |cluster| Destination::of_waypoint(cluster).map(|it| it.subset);
        assert_eq!(subset("inbound-vip|80|http|a.b"), Some(None));
        assert_eq!(subset("inbound-vip|80|http/v1|a.b"), Some(Some("v1")));
        assert_eq!(subset("outbound|80|v1|a.b"), Some(Some("v1")));
        for other in [
            "inbound-vip|80|tcp|a.b",
            "inbound-vip|80||a.b",
            "inbound-vip|80|https|a.b",
            "inbound-vip|80|http/|a|b",
        ] {
            assert_eq!(subset(other), None, "{other}");
        }
    }
}
