//! The first attempt: its cluster, and which other headers reach the router.

use std::collections::BTreeSet;

use steerage_policy::balance::StrategyName;

use crate::fake_host::{Host, NO_HEADERS, Stream, headers};
use crate::scene::{OK, PLAIN, cluster_of, get, head, start, text, values};

/// The request's headers that were added or changed.
fn added(stream: Stream, before: &[(&str, &str)]) -> Vec<(String, String)> {
    let before = headers(before);
    stream
        .request_headers()
        .into_iter()
        .filter(|header| !before.contains(header))
        .map(|(name, value)| (name, text(&value)))
        .collect()
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn the_router_gets_the_cluster_the_attempt_and_its_time() {
    let host = start(PLAIN);
    let request = head("GET", &[("cookie", "a=1"), ("x-request-id", "77")]);
    let stream = host.request(&request, true);
    assert_eq!(
        added(stream, &request),
        [
            header("x-steerage-cluster", "a"),
            header("x-envoy-attempt-count", "1"),
            header("x-envoy-upstream-rq-per-try-timeout-ms", "30000"),
        ]
    );
    assert_eq!(stream.request_headers().len(), request.len() + 3);
}

#[test]
fn requests_take_turns() {
    let host = start(PLAIN);
    let chosen: Vec<_> = (0..4).map(|_| cluster_of(get(&host))).collect();
    assert_eq!(chosen, ["a", "b", "c", "a"]);
}

#[test]
fn every_strategy_chooses_one_of_the_endpoints() {
    for strategy in StrategyName::ALL.map(StrategyName::name) {
        let hash_on = if strategy == "consistent_hash" {
            r#", "hash_on": "path""#
        } else {
            ""
        };
        let host = start(&format!(
            r#"{{"endpoints": ["a", "b"], "load_balancer": {{"strategy": "{strategy}"{hash_on}}}}}"#
        ));
        let chosen: BTreeSet<_> = (0..40).map(|_| cluster_of(get(&host))).collect();
        let all = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert!(chosen.is_subset(&all), "{strategy}: {chosen:?}");
        let one_path = strategy == "consistent_hash";
        assert_eq!(chosen.len() == 1, one_path, "{strategy}: {chosen:?}");
    }
}

#[test]
fn a_clients_headers_that_steer_retries_are_removed() {
    let host = start(PLAIN);
    let control = [
        "x-steerage-cluster",
        "x-steerage-anything",
        "x-envoy-attempt-count",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-max-retries",
        "x-envoy-retriable-header-names",
        "x-envoy-retriable-status-codes",
        "x-envoy-retry-grpc-on",
        "x-envoy-retry-on",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-stream-duration-ms",
    ];
    let harmless = ["x-envoy-original-path", "x-envoy", "x-steerage", "x-other"];
    let mut request = head("GET", &[]);
    // Each one twice: a removal that stops at the first value would leave the second.
    for name in control.into_iter().chain(harmless) {
        request.extend([(name, "evil"), (name, "evil too")]);
    }
    let stream = host.request(&request, true);
    let left = stream.request_headers();
    for name in control {
        let expected: &[&str] = match name {
            "x-steerage-cluster" => &["a"],
            "x-envoy-attempt-count" => &["1"],
            "x-envoy-upstream-rq-per-try-timeout-ms" => &["30000"],
            _ => &[],
        };
        assert_eq!(values(&left, name), expected, "{name}");
    }
    for name in harmless {
        assert_eq!(values(&left, name), ["evil", "evil too"], "{name}");
    }
}

#[test]
fn an_unmatched_request_loses_a_routing_header_and_nothing_else() {
    let host = start(r#"{"pools": [{"endpoints": ["a"], "match": {"prefix": "/api"}}]}"#);
    let request = head("GET", &[("x-envoy-retry-on", "5xx"), ("x-steerage-x", "1")]);
    let stream = host.request(&request, true);
    assert_eq!(stream.request_headers(), headers(&request));

    let mut forged = request.clone();
    forged.extend([("x-steerage-cluster", "a"), ("x-steerage-cluster", "b")]);
    let stream = host.request(&forged, true);
    assert_eq!(stream.request_headers(), headers(&request));

    // Later events of this request do not concern the filter.
    stream.response(&[(":status", "503")], true);
    assert!(!stream.is_paused());
}

#[test]
fn the_routing_header_can_have_another_name() {
    let host = start(r#"{"endpoints": ["a"], "cluster_header": "X-Route-To"}"#);
    let forged = [("x-route-to", "evil"), ("x-steerage-cluster", "evil")];
    let stream = host.request(&head("GET", &forged), true);
    let sent = stream.request_headers();
    assert_eq!(values(&sent, "x-route-to"), ["a"]);
    assert_eq!(values(&sent, "x-steerage-cluster"), [""; 0]);

    let host = {
        drop(host);
        start(
            r#"{"cluster_header": "x-route-to",
                "pools": [{"endpoints": ["a"], "match": {"path": "/other"}}]}"#,
        )
    };
    let stream = host.request(&head("GET", &forged), true);
    assert_eq!(
        values(&stream.request_headers(), "x-route-to"),
        [""; 0],
        "an unmatched request must not choose its cluster either"
    );
}

#[test]
fn an_endpoint_can_rewrite_the_authority_and_the_path() {
    let host = start(
        r#"{"endpoints": ["a", {"cluster": "b", "authority": "b.example", "path_prefix": "/v2"}]}"#,
    );
    let rewritten = |stream: Stream| {
        let headers = stream.request_headers();
        [":authority", ":path"].map(|name| values(&headers, name).concat())
    };
    assert_eq!(rewritten(get(&host)), ["shop.example", "/cart?id=7"]);
    assert_eq!(rewritten(get(&host)), ["b.example", "/v2/cart?id=7"]);
}

#[test]
fn where_the_route_rewrites_the_host_the_authority_is_left_alone() {
    let host = start(
        r#"{"host_rewrite_header": true, "match": {"prefix": "/cart"},
            "endpoints": ["a", {"cluster": "b", "authority": "b.example"}],
            "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false}}"#,
    );
    let written = |stream: Stream| {
        let headers = stream.request_headers();
        [":authority", "x-steerage-authority"].map(|name| values(&headers, name).concat())
    };
    let forged = [("x-steerage-authority", "evil")];
    let ask = || host.request(&head("GET", &forged), true);
    assert_eq!(written(ask()), ["shop.example", ""]);
    assert_eq!(written(ask()), ["shop.example", "b.example"]);
    // No route sees a call.
    let stream = ask();
    stream.response(&[(":status", "503")], true);
    host.advance(crate::scene::DELAY);
    let call = host.pending_call();
    let sent = [":authority", "x-steerage-authority"].map(|name| values(&call.headers, name));
    assert_eq!(sent.map(|values| values.concat()), ["b.example", ""]);
    // What no pool takes may not choose its host either.
    let mut other = vec![(":method", "GET"), (":path", "/"), (":authority", "x")];
    other.extend(forged);
    assert_eq!(written(host.request(&other, true)), ["x", ""]);
}

#[test]
fn the_first_pool_that_matches_takes_the_request() {
    let host = start(
        r#"{"pools": [
            {"name": "writes", "endpoints": ["a"], "match": {"methods": ["POST"]}},
            {"name": "shop", "endpoints": ["b"], "match": {"hosts": ["*.example"], "prefix": "/c"}},
            {"name": "rest", "endpoints": ["c"]}
        ]}"#,
    );
    let cluster = |method, more: &[(&'static str, &'static str)]| {
        cluster_of(host.request(&head(method, more), true))
    };
    assert_eq!(cluster("POST", &[]), "a");
    assert_eq!(cluster("GET", &[]), "b");
    let other = [(":method", "GET"), (":path", "/"), (":authority", "x")];
    assert_eq!(cluster_of(host.request(&other, true)), "c");
}

#[test]
fn a_read_timeout_longer_than_what_is_left_is_cut() {
    for (timeout, milliseconds) in [
        (r#"{"connect": 1, "read": 2, "total": 3}"#, "2000"),
        (r#"{"connect": 0.001, "read": "1.5s"}"#, "1500"),
        // The router counts whole milliseconds, and never fewer than configured.
        (
            r#"{"connect": 0.001, "read": 0.0104, "total": 0.0114}"#,
            "11",
        ),
    ] {
        let host = start(&format!(r#"{{"endpoints": ["a"], "timeout": {timeout}}}"#));
        let sent = get(&host).request_header("x-envoy-upstream-rq-per-try-timeout-ms");
        assert_eq!(text(&sent.unwrap()), milliseconds, "{timeout}");
    }
}

const BY_ADDRESS: &str = r#"{"endpoints": ["a", "b", "c"],
    "load_balancer": {"strategy": "consistent_hash", "hash_on": "source_ip"}}"#;

fn from(host: &Host, address: &str) -> String {
    host.set_property(&["source", "address"], address.as_bytes());
    cluster_of(get(host))
}

#[test]
fn a_clients_address_decides_and_its_port_does_not() {
    let host = start(BY_ADDRESS);
    let mut chosen = BTreeSet::new();
    for n in 0..60 {
        for address in [format!("10.0.0.{n}"), format!("[2001:db8::{n}]")] {
            let cluster = from(&host, &format!("{address}:40001"));
            assert_eq!(from(&host, &format!("{address}:9")), cluster, "{address}");
            chosen.insert(cluster);
        }
    }
    assert_eq!(chosen.len(), 3, "{chosen:?}");
}

#[test]
fn a_client_without_an_address_is_served_too() {
    let host = start(BY_ADDRESS);
    for address in ["", "nonsense", "\u{fffd}:"] {
        from(&host, address);
    }
}

#[test]
fn the_same_key_goes_to_the_same_endpoint() {
    for (hash_on, one, other) in [
        (r#"{"header": "X-User"}"#, ("x-user", "1"), ("x-user", "2")),
        (
            r#"{"cookie": "u"}"#,
            ("cookie", "v=9; u=1"),
            ("cookie", "u=1; v=3"),
        ),
    ] {
        let host = start(&format!(
            r#"{{"endpoints": ["a", "b", "c"], "load_balancer":
                {{"strategy": "consistent_hash", "hash_on": {hash_on}}}}}"#
        ));
        let cluster = |header| cluster_of(host.request(&head("GET", &[header]), true));
        let first = cluster(one);
        assert!((0..20).all(|_| cluster(one) == first), "{hash_on}");
        if one.0 == "cookie" {
            assert_eq!(cluster(other), first, "only the named cookie decides");
        }
    }
}

#[test]
fn bodies_and_trailers_stream_by_in_both_directions() {
    let host = start(PLAIN);
    let stream = host.request(&head("POST", &[]), false);
    stream.request_body(b"he", false);
    stream.request_body(b"llo", false);
    stream.request_trailers(&[("t", "1")]);
    assert_eq!(stream.request_passed(), b"hello");
    stream.response(OK, false);
    stream.response_body(b"wor", false);
    stream.response_body(b"ld", false);
    stream.response_trailers(&[("t", "1")]);
    assert_eq!(stream.response_passed(), b"world");
    assert_eq!(stream.response_headers(), headers(OK));
    stream.finish();
    assert_eq!(stream.sent(), None);
}

#[test]
fn the_client_gets_the_endpoint_and_attempts_if_the_pool_says_so() {
    let host =
        start(r#"{"endpoints": [{"cluster": "a", "name": "east"}], "response_headers": true}"#);
    let stream = get(&host);
    // An upstream's own copies must be removed.
    stream.response(&[(":status", "200"), ("x-steerage-attempts", "9")], true);
    let sent = stream.response_headers();
    assert_eq!(values(&sent, "x-steerage-endpoint"), ["east"]);
    assert_eq!(values(&sent, "x-steerage-attempts"), ["1"]);
}

#[test]
fn a_request_without_any_header_is_steered() {
    let host = start(PLAIN);
    assert_eq!(cluster_of(host.request(NO_HEADERS, true)), "a");
}
