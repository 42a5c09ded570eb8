//! Conditions for retries in Envoy's words, which Istio and Envoy Gateway use too.

use serde_json::{Value, json};

use super::draft::{Draft, Pool};

/// Sets what is retried. `words`: Envoy's, with where each stands.
pub(super) fn set<'a>(
    pool: &mut Pool,
    words: impl Iterator<Item = (usize, &'a str)>,
    codes: &[Value],
    draft: &mut Draft,
) {
    let (mut statuses, mut transport, mut grpc) = (codes.to_vec(), Vec::new(), Vec::new());
    let mut any = false;
    for (at, word) in words {
        any = true;
        match &*word.trim().to_ascii_lowercase() {
            "" => {}
            "5xx" => {
                statuses.push(json!("5xx"));
                transport.extend(["connect_failure", "reset", "timeout"]);
            }
            "gateway-error" => statuses.extend([json!(502), json!(503), json!(504)]),
            "retriable-4xx" => statuses.push(json!(409)),
            "envoy-ratelimited" => statuses.push(json!(429)),
            "connect-failure" => transport.push("connect_failure"),
            "reset" | "refused-stream" | "reset-before-request" => transport.push("reset"),
            "cancelled" => grpc.push("CANCELLED"),
            "deadline-exceeded" => grpc.push("DEADLINE_EXCEEDED"),
            "internal" => grpc.push("INTERNAL"),
            "resource-exhausted" => grpc.push("RESOURCE_EXHAUSTED"),
            "unavailable" => grpc.push("UNAVAILABLE"),
            // The statuses themselves are listed.
            "retriable-status-codes" => {}
            other => match other.parse::<u16>() {
                Ok(status) => statuses.push(json!(status)),
                Err(_) => draft.no_equal(at, &format!("retry on {other}"), ""),
            },
        }
    }
    if !any && codes.is_empty() {
        return;
    }
    let classes = statuses.iter().any(|status| status == "5xx");
    let is_covered = |status: &Value| classes && status.as_u64().is_some_and(|it| it >= 500);
    statuses.retain(|status| !is_covered(status));
    dedup(&mut statuses);
    dedup(&mut transport);
    pool.set("retry_policy.retry_on_status_codes", statuses);
    pool.set("retry_policy.retry_on", json!(transport));
    if !grpc.is_empty() {
        pool.set("retry_policy.retry_on_grpc_statuses", json!(grpc));
    }
}

/// Says that POST is not repeated here, which Envoy does: it looks at no method.
pub(super) fn methods(at: usize, draft: &mut Draft) {
    draft.comment(
        at,
        "requests of all methods were repeated: here POST and PATCH are not, unless retry_methods \
         lists them or they have an Idempotency-Key",
    );
}

fn dedup<T: PartialEq>(values: &mut Vec<T>) {
    let mut seen = Vec::new();
    while let Some(value) = values.pop() {
        if !values.contains(&value) {
            seen.push(value);
        }
    }
    seen.reverse();
    *values = seen;
}
