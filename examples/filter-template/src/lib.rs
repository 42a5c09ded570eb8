//! # A filter of your own
//!
//! Steerage with what its configuration cannot express, in Rust. This one fills its endpoints in
//! the order of the configuration: the second gets requests while the first has `limit` under way,
//! the third while the second has, too. It is for the pools whose `params` say so:
//!
//! ```json
//! {"endpoints": ["owned", "rented"], "params": {"limit": 20}}
//! ```
//!
//! Replace it by what you need: a `Backoff`, a `Balancer`, `RequestInterceptor`s and
//! `ResponseInterceptor`s.

use serde::Deserialize;
use steerage::rand::Rng;
use steerage::{Balancer, Candidates, EndpointIndex, Extensions, HashKey, Instant, PoolInfo};

steerage::filter!(params => extensions);

/// What the configuration says in `params` of a pool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Attempts that an endpoint has under way before the next one is used. Without it the pool is
    /// as configured.
    limit: Option<u32>,
}

/// The extensions of a pool.
///
/// # Errors
/// Why its `params` are refused, and with them the configuration.
fn extensions(pool: &PoolInfo<'_>) -> Result<Extensions, String> {
    let params: Params = serde_json::from_str(pool.params).map_err(|error| error.to_string())?;
    match params.limit {
        None => Ok(Extensions::new()),
        Some(0) => Err("limit must be at least 1".into()),
        Some(limit) => Ok(Extensions::new().balancer(FillUp { limit })),
    }
}

/// The first endpoint of the configuration that has room.
#[derive(Debug)]
struct FillUp {
    limit: u32,
}

impl Balancer for FillUp {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let mut candidates = candidates.iter();
        // If all are full, `None`: the pool then draws one by weight.
        candidates
            .find(|candidate| candidate.state.active() < self.limit)
            .map(|candidate| candidate.index)
    }
}

/// The filter with its extensions, in a proxy that is played by the test.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steerage::test_host::{TestHost, TestRequest};

    use super::extensions;

    const POLICY: &str = r#"{
        "endpoints": ["owned", "rented"],
        "params": {"limit": 2},
        "retry_policy": {"strategy": "fixed", "base_delay": "100ms", "jitter": false}
    }"#;

    fn start(policy: &str) -> Result<TestHost, String> {
        TestHost::start(&["owned", "rented"], policy, || {
            steerage::register_with_params(extensions);
        })
    }

    fn get(host: &TestHost) -> TestRequest {
        host.request(&[
            (":method", "GET"),
            (":path", "/"),
            (":authority", "example.com"),
        ])
    }

    #[test]
    fn rented_endpoints_get_what_the_owned_ones_have_no_room_for() {
        let host = start(POLICY).unwrap();
        let requests = [get(&host), get(&host), get(&host)];
        let clusters = requests.map(|request| request.cluster().unwrap());
        assert_eq!(clusters, ["owned", "owned", "rented"]);
        for request in requests {
            request.answer(200, &[], b"");
        }
        assert_eq!(get(&host).cluster().unwrap(), "owned");
    }

    #[test]
    fn a_failure_is_retried_elsewhere() {
        let host = start(POLICY).unwrap();
        let request = get(&host);
        request.answer(503, &[], b"");
        assert!(request.waits());
        host.advance(Duration::from_millis(100));
        let retry = host.calls().remove(0);
        assert_eq!(retry.cluster, "rented");
        host.answer(&retry, 200, &[("x-from", "rented")], b"hello");
        let answer = request.given().unwrap();
        assert_eq!(
            (answer.status, answer.header("x-from")),
            (200, Some("rented"))
        );
    }

    #[test]
    fn wrong_params_are_refused() {
        for (params, part) in [
            (r#"{"limit": 0}"#, "limit must be at least 1"),
            (r#"{"limit": "two"}"#, "invalid type"),
            (r#"{"limits": 2}"#, "unknown field `limits`"),
        ] {
            let policy = POLICY.replace(r#"{"limit": 2}"#, params);
            let log = start(&policy).unwrap_err();
            assert!(log.contains("params of the pool default"), "{log}");
            assert!(log.contains(part), "{log}");
        }
    }

    #[test]
    fn without_params_a_pool_is_as_configured() {
        let policy = POLICY.replace(r#""params": {"limit": 2},"#, "");
        let host = start(&policy).unwrap();
        let clusters: Vec<_> = (0..4).map(|_| get(&host).cluster().unwrap()).collect();
        assert_eq!(
            clusters
                .iter()
                .filter(|cluster| *cluster == "owned")
                .count(),
            2
        );
    }
}
