//! Outlier detection as Envoy has it, in the names of Envoy, Istio and Envoy Gateway.

use super::draft::{Draft, Pool, number_of, plain};
use crate::document::Node;

/// Sets the breaker that does the same.
pub(super) fn set(pool: &mut Pool, detection: &Node, draft: &mut Draft) {
    for member in detection.members() {
        let (key, node) = (&*member.key, &member.node);
        let number = number_of(node);
        let done = match (key, number) {
            ("consecutive_5xx" | "consecutive5xxErrors" | "consecutive5XxErrors", Some(count)) => {
                if count > 0.0 {
                    pool.set("circuit_breaker.failure_threshold", plain(count));
                } else {
                    draft.comment(
                        member.at,
                        "failures in a row did not count: here they do, after failure_threshold",
                    );
                }
                true
            }
            ("base_ejection_time" | "baseEjectionTime", _) => {
                pool.set_written_span("circuit_breaker.timeout", node)
            }
            ("max_ejection_time", _) => pool.set_written_span("circuit_breaker.max_timeout", node),
            ("max_ejection_percent" | "maxEjectionPercent", Some(percent)) => {
                pool.set("circuit_breaker.max_open_fraction", plain(percent / 100.0));
                true
            }
            ("failure_percentage_threshold" | "failurePercentageThreshold", Some(percent)) => {
                pool.set("circuit_breaker.failure_rate", plain(percent / 100.0));
                true
            }
            ("failure_percentage_request_volume", Some(count)) => {
                pool.set("circuit_breaker.minimum_requests", plain(count));
                true
            }
            ("minHealthPercent", Some(percent)) => {
                pool.set("load_balancer.panic_threshold", plain(percent / 100.0));
                true
            }
            ("interval", _) => {
                draft.no_equal(
                    member.at,
                    key,
                    "a breaker opens at once, not at a next look",
                );
                true
            }
            _ => false,
        };
        if !done {
            draft.no_equal(member.at, key, "");
        }
    }
    draft.comment(
        detection.at.start,
        "outlier detection ejects single hosts of a cluster, a breaker is for the endpoint, which is \
         the whole cluster: leave the detection on where a cluster has several hosts",
    );
}
