//! The common beginning of tests: a configuration, a request, a failed attempt.

use std::time::Duration;

use rand::Rng;
use steerage::Extensions;
use steerage_policy::balance::{Balancer, Candidate, Candidates, HashKey};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::time::Instant;

use crate::fake_host::{Call, Headers, Host, Setup, Stream};

/// The delay before every retry in [`PLAIN`] and [`BY_LOAD`].
pub(crate) const DELAY: Duration = Duration::from_millis(100);

/// The interval between two rounds in [`PLAIN`] and [`BY_LOAD`], in which the worker publishes and
/// merges what is shared. It is long, so that no round disturbs a test.
pub(crate) const ROUND: Duration = Duration::from_secs(10);

/// The deadline of an exchange unless a configuration says otherwise.
pub(crate) const TOTAL: Duration = Duration::from_secs(60);

/// Three endpoints in turn; every retry waits [`DELAY`], no more and no less.
pub(crate) const PLAIN: &str = r#"{
    "endpoints": ["a", "b", "c"],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false},
    "sync_interval": 10
}"#;

/// Like [`PLAIN`], but the endpoint with the fewest attempts under way is chosen, so that
/// [`assert_idle`] can see how many there are. The weights leave no ties to draw, and no breaker
/// opens.
pub(crate) const BY_LOAD: &str = r#"{
    "endpoints": ["a", {"cluster": "b", "weight": 0.9}, {"cluster": "c", "weight": 0.35}],
    "load_balancer": {"strategy": "least_connections"},
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false},
    "circuit_breaker": {"failure_threshold": 1000000, "minimum_requests": 1000000},
    "sync_interval": 10
}"#;

/// [`BY_LOAD`] with a log line for every attempt, and interceptors that read, add, set and remove.
pub(crate) fn intercepted() -> String {
    let every = r#"
        {"add_header": {"x-added": "{attempt} {endpoint} {pool}"}},
        {"set_header": {"x-set": "1"}, "when": {"header": {"x-added": {"present": true}}}},
        {"remove_header": "cookie", "when": {"header": {"x-none": {"present": false}}}}"#;
    let interceptors = format!(
        r#""interceptors": {{"request": [{every}], "response": [{every}], "logging": true}},
        "sync_interval""#
    );
    BY_LOAD.replace("\"sync_interval\"", &interceptors)
}

/// A host with the clusters a, b and c, running the filter with this configuration.
#[track_caller]
pub(crate) fn start(configuration: &str) -> Host {
    start_with(configuration, extensions(configuration))
}

/// None, except that [`Fewest`] chooses in place of `least_connections`.
pub(crate) fn extensions(configuration: &str) -> fn(&str) -> Extensions {
    if configuration.contains(r#""least_connections""#) {
        |_| Extensions::new().balancer(Fewest)
    } else {
        |_| Extensions::new()
    }
}

/// The smallest (active + 1) / weight. `least_connections` takes turns where that is nearly equal, so
/// it would not show how many attempts there are.
#[derive(Debug)]
struct Fewest;

impl Balancer for Fewest {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let cost = |it: &Candidate<'_>| (f64::from(it.state.active()) + 1.0) / it.weight;
        let fewest = candidates
            .iter()
            .min_by(|one, other| cost(one).total_cmp(&cost(other)));
        fewest.map(|candidate| candidate.index)
    }
}

/// The same with these extensions.
#[track_caller]
pub(crate) fn start_with(configuration: &str, extensions: fn(&str) -> Extensions) -> Host {
    let host = ["a", "b", "c"]
        .into_iter()
        .fold(Setup::new(), Setup::cluster)
        .start(Some(configuration.as_bytes()), || {
            steerage::register_with(extensions);
        });
    assert!(host.accepted(), "{:?}", host.logs());
    // The first round comes at once.
    host.advance(Duration::from_millis(1));
    host
}

/// A configuration with three endpoints in turn and these fields of `retry_policy`.
pub(crate) fn with_retry_policy(fields: &str) -> String {
    format!(r#"{{"endpoints": ["a", "b", "c"], "retry_policy": {{{fields}}}}}"#)
}

/// The head of a request.
pub(crate) fn head<'a>(method: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![
        (":method", method),
        (":scheme", "http"),
        (":path", "/cart?id=7"),
        (":authority", "shop.example"),
    ];
    headers.extend_from_slice(more);
    headers
}

/// Opens a GET.
pub(crate) fn get(host: &Host) -> Stream {
    host.request(&head("GET", &[]), true)
}

pub(crate) const OK: &[(&str, &str)] = &[(":status", "200")];
pub(crate) const UNAVAILABLE: &[(&str, &str)] = &[(":status", "503")];

/// The cluster in the routing header of the first attempt.
#[track_caller]
pub(crate) fn cluster_of(stream: Stream) -> String {
    text(&stream.request_header("x-steerage-cluster").unwrap())
}

/// Fails the first attempt with an upstream's 503 whose body says which attempt it was.
pub(crate) fn fail_first(stream: Stream) {
    stream.response(UNAVAILABLE, false);
    stream.response_body(b"answer 1", true);
}

/// Answers a call with an upstream's 503 whose body says which attempt it was.
pub(crate) fn fail(host: &Host, call: &Call) {
    let number = text(call.header("x-envoy-attempt-count").unwrap());
    host.answer(
        call.token,
        UNAVAILABLE,
        format!("answer {number}").as_bytes(),
    );
}

/// A GET whose first attempt has failed and whose retry is due in [`DELAY`].
#[track_caller]
pub(crate) fn waiting(host: &Host) -> Stream {
    let stream = get(host);
    fail_first(stream);
    assert!(stream.is_paused());
    stream
}

/// A GET whose first attempt has failed and whose retry is under way.
#[track_caller]
pub(crate) fn calling(host: &Host) -> (Stream, Call) {
    let stream = waiting(host);
    host.advance(DELAY);
    (stream, host.pending_call())
}

/// Asserts that the client got the filter's own answer, for this reason.
#[track_caller]
pub(crate) fn assert_refused(stream: Stream, status: u32, reason: &str) {
    let sent = stream.sent().unwrap();
    assert_eq!(sent.status, status);
    let reasons: Vec<_> = sent
        .headers
        .iter()
        .filter(|(name, _)| name == "x-steerage-reason")
        .map(|(_, value)| text(value))
        .collect();
    assert_eq!(reasons, [reason]);
    assert!(!sent.body.is_empty() && !sent.details.is_empty());
}

/// Asserts that the streams so far have left nothing behind: no attempt counts as active, and
/// nothing happens any more, however long one waits. Needs [`BY_LOAD`]. With nothing under way a, b
/// and c cost 1, 1.1 and 2.9, and each stream on a or b adds as much again to its cost. An attempt
/// that still counted on any of them would change the order of the choices.
#[track_caller]
pub(crate) fn assert_idle(host: &Host) {
    let calls = host.calls().len();
    host.advance(2 * TOTAL);
    assert!(host.tick_in() <= Some(ROUND), "the rounds go on");
    assert_eq!(
        host.calls().len(),
        calls,
        "a call was made without a client"
    );

    let streams: Vec<_> = (0..5).map(|_| get(host)).collect();
    let chosen: Vec<_> = streams.iter().map(|stream| cluster_of(*stream)).collect();
    assert_eq!(
        chosen,
        ["a", "b", "a", "b", "c"],
        "attempts count as active"
    );
    for stream in streams {
        stream.client_gone();
    }
}

/// Every value of a header, in order.
pub(crate) fn values(headers: &Headers, name: &str) -> Vec<String> {
    headers
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| text(value))
        .collect()
}

/// Bytes as text, to be compared and shown.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
