//! Extensions, each for its own pool, and the guarantees that hold in spite of them.

use std::time::Duration;

use steerage::rand::Rng;
use steerage::{
    AnswerInfo, AttemptInfo, Backoff, Balancer, Candidates, EndpointIndex, Extensions, HashKey,
    Headers, Instant, PoolInfo, RequestInterceptor, ResponseInterceptor,
};

use crate::fake_host::{Host, Setup};
use crate::scene::{
    DELAY, OK, PLAIN, UNAVAILABLE, cluster_of, fail_first, get, head, start_with, text, values,
};

/// Two pools, of which only `own` has extensions.
const POOLS: &str = r#"{
    "pools": [
        {"name": "own", "match": {"prefix": "/own"}, "endpoints": ["a", "b", "c"],
         "retry_policy": {"jitter": false, "max_delay": 2.5, "max_attempts": 4}},
        {"name": "other", "endpoints": ["a", "b", "c"],
         "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false}}
    ],
    "sync_interval": 10
}"#;

/// n seconds before retry n.
#[derive(Debug)]
struct Patient;

impl Backoff for Patient {
    fn delay(&self, n: u8) -> Duration {
        Duration::from_secs(n.into())
    }
}

/// The last of the candidates.
#[derive(Debug)]
struct Last;

impl Balancer for Last {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        candidates.iter().last().map(|candidate| candidate.index)
    }
}

/// An endpoint that no pool has.
#[derive(Debug)]
struct Lost;

impl Balancer for Lost {
    fn pick(
        &mut self,
        _candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        EndpointIndex::new(999)
    }
}

/// Repeats the configuration's header, and adds its own name.
#[derive(Debug)]
struct Echo(&'static str);

impl Echo {
    fn change(&self, pool: &str, headers: &mut Headers<'_>) {
        let set = text(headers.get("x-set").unwrap_or_default());
        headers.add("x-echo", &format!("{} {pool} {set}", self.0));
    }
}

impl RequestInterceptor for Echo {
    fn on_attempt(&self, attempt: &AttemptInfo<'_>, headers: &mut Headers<'_>) {
        self.change(attempt.pool, headers);
    }
}

impl ResponseInterceptor for Echo {
    fn on_answer(&self, answer: &AnswerInfo<'_>, headers: &mut Headers<'_>) {
        self.change(answer.pool, headers);
    }
}

fn echoing(_: &str) -> Extensions {
    Extensions::new()
        .request_interceptor(Echo("first"))
        .response_interceptor(Echo("last"))
        .request_interceptor(Echo("second"))
}

fn own(pool: &str) -> Extensions {
    match pool {
        "own" => Extensions::new().backoff(Patient).balancer(Last),
        _ => Extensions::new(),
    }
}

/// Fails the attempts of a request as soon as they are made, and returns the endpoint and the delay
/// of each.
fn attempts(host: &Host, path: &str) -> Vec<(String, Duration)> {
    let mut request = head("GET", &[]);
    request[2].1 = path;
    let stream = host.request(&request, true);
    let mut attempts = vec![(cluster_of(stream), Duration::ZERO)];
    let mut before = host.now();
    fail_first(stream);
    while stream.is_paused() {
        let calls = host.calls().len();
        host.advance(host.tick_in().unwrap());
        for call in host.calls().into_iter().skip(calls) {
            attempts.push((call.cluster, call.at - before));
            before = call.at;
            host.answer(call.token, UNAVAILABLE, b"");
        }
    }
    attempts
}

fn milliseconds(attempts: &[(String, Duration)]) -> Vec<(&str, u128)> {
    attempts
        .iter()
        .map(|(cluster, waited)| (cluster.as_str(), waited.as_millis()))
        .collect()
}

#[test]
fn a_pool_has_the_extensions_that_its_name_gets_and_no_other_has() {
    let host = start_with(POOLS, own);
    let attempts = attempts(&host, "/own");
    let expected = [("c", 0), ("b", 1_000), ("a", 2_000), ("c", 2_500)];
    assert_eq!(milliseconds(&attempts), expected);
}

#[test]
fn another_pool_is_as_configured() {
    let host = start_with(POOLS, own);
    let attempts = attempts(&host, "/");
    assert_eq!(milliseconds(&attempts), [("a", 0), ("b", 100), ("c", 100)]);
}

#[test]
fn the_deadline_holds_for_a_custom_backoff() {
    let configuration = r#"{
        "name": "own", "endpoints": ["a", "b", "c"], "timeout": {"total": 36},
        "retry_policy": {"jitter": false, "max_attempts": 10}, "sync_interval": 10
    }"#;
    let host = start_with(configuration, own);
    // An eighth retry would be made after 1 + 2 + … + 8 = 36 seconds.
    assert_eq!(attempts(&host, "/").len(), 1 + 7);
}

#[test]
fn a_balancer_without_a_valid_choice_keeps_no_request_from_an_endpoint() {
    let host = start_with(PLAIN, |_| Extensions::new().balancer(Lost));
    let stream = get(&host);
    let first = cluster_of(stream);
    fail_first(stream);
    host.advance(DELAY);
    let second = host.pending_call().cluster;
    assert!(["a", "b", "c"].contains(&first.as_str()));
    assert!(["a", "b", "c"].contains(&second.as_str()) && first != second);
}

#[test]
fn interceptors_run_after_those_of_the_configuration_in_their_own_order() {
    let configuration = r#"{
        "name": "shop", "endpoints": ["a", "b", "c"],
        "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false},
        "interceptors": {
            "request": [{"set_header": {"x-set": "{attempt}"}}],
            "response": [{"set_header": {"x-set": "{endpoint}"}}]
        },
        "sync_interval": 10
    }"#;
    let host = start_with(configuration, echoing);
    let stream = get(&host);
    let first = stream.request_headers();
    assert_eq!(values(&first, "x-echo"), ["first shop 1", "second shop 1"]);
    fail_first(stream);
    host.advance(DELAY);
    let call = host.pending_call();
    let echo = values(&call.headers, "x-echo");
    assert_eq!(echo, ["first shop 2", "second shop 2"]);
    host.answer(call.token, OK, b"");
    let answer = stream.sent().unwrap();
    assert_eq!(values(&answer.headers, "x-echo"), ["last shop b"]);
}

#[test]
fn a_balancers_state_ends_with_its_configuration() {
    /// The first candidate once, then never again.
    #[derive(Debug, Default)]
    struct Once(bool);

    impl Balancer for Once {
        fn pick(
            &mut self,
            candidates: &Candidates<'_>,
            _key: Option<HashKey>,
            _now: Instant,
            _rng: &mut dyn Rng,
        ) -> Option<EndpointIndex> {
            let skipped = usize::from(core::mem::replace(&mut self.0, true));
            let mut candidates = candidates.iter().skip(skipped);
            candidates.next().map(|candidate| candidate.index)
        }
    }

    let host = start_with(PLAIN, |_| Extensions::new().balancer(Once::default()));
    let chosen = || cluster_of(get(&host));
    assert_eq!([chosen(), chosen()], ["a", "b"]);
    let new = host.add_root(Some(PLAIN.as_bytes()));
    let anew = cluster_of(new.request(&head("GET", &[]), true));
    assert_eq!(
        [anew, chosen()],
        ["a", "b"],
        "the old one goes on as it was"
    );
}

/// Tries every forbidden change, and one that is allowed.
#[derive(Debug)]
struct Trespasser;

/// Headers of the filter or the host, and names that are no headers.
const NOT_THEIRS: [&str; 14] = [
    ":path",
    ":status",
    ":authority",
    "host",
    "Content-Length",
    "transfer-encoding",
    "connection",
    "x-route",
    "X-Steerage-Cluster",
    "x-steerage-endpoint",
    "x-envoy-attempt-count",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "",
    "x bad\r\nx-worse",
];

fn trespass(headers: &mut Headers<'_>) {
    for name in NOT_THEIRS {
        headers.set(name, "evil");
        headers.add(name, "evil");
        headers.remove(name);
    }
    for value in ["a\r\nx-worse: evil", "a\0", "\u{7f}"] {
        headers.set("x-bad", value);
    }
    headers.set("X-Good", "gr\u{fc}n");
    assert_eq!(headers.get("x-good"), Some("gr\u{fc}n".as_bytes()));
    let good = headers.iter().filter(|(name, _)| *name == b"x-good");
    assert_eq!(good.count(), 1);
}

impl RequestInterceptor for Trespasser {
    fn on_attempt(&self, _: &AttemptInfo<'_>, headers: &mut Headers<'_>) {
        trespass(headers);
    }
}

impl ResponseInterceptor for Trespasser {
    fn on_answer(&self, _: &AnswerInfo<'_>, headers: &mut Headers<'_>) {
        trespass(headers);
    }
}

#[test]
fn an_interceptor_changes_nothing_that_is_not_its_own() {
    let plain = PLAIN.replace(
        "\"sync_interval\"",
        "\"cluster_header\": \"x-route\", \"sync_interval\"",
    );
    let trespassing = |_: &str| {
        Extensions::new()
            .request_interceptor(Trespasser)
            .response_interceptor(Trespasser)
    };
    // The sent attempt and the client's answer, first an answer that streams by, then one that
    // replaces another.
    let play = |extensions: fn(&str) -> Extensions| {
        let host = start_with(&plain, extensions);
        let length = [(":status", "200"), ("content-length", "0")];
        let by = get(&host);
        by.response(&length, true);
        let replaced = get(&host);
        fail_first(replaced);
        host.advance(DELAY);
        let call = host.pending_call();
        host.answer(call.token, &length, b"");
        let sent = replaced.sent().unwrap().headers;
        let seen = [
            by.request_headers(),
            call.headers,
            by.response_headers(),
            sent,
        ];
        by.finish();
        seen
    };
    for (with, without) in play(trespassing)
        .into_iter()
        .zip(play(|_| Extensions::new()))
    {
        assert_eq!(values(&with, "x-good"), ["gr\u{fc}n"]);
        let mut rest = with;
        rest.retain(|(name, _)| name != "x-good");
        assert_eq!(rest, without);
    }
}

/// A backoff of as many milliseconds as `params` say; what is no such object is refused.
fn by_params(pool: &PoolInfo<'_>) -> Result<Extensions, String> {
    let number = pool
        .params
        .strip_prefix("{\"n\":")
        .and_then(|rest| rest.strip_suffix('}'));
    match (pool.params, number.map(str::parse)) {
        ("{}", _) => Ok(Extensions::new()),
        (_, Some(Ok(n))) => Ok(Extensions::new().backoff(Same(Duration::from_millis(n)))),
        (other, _) => Err(format!(
            "n is no number in {other}, of {} endpoints",
            pool.endpoints.len()
        )),
    }
}

/// The same delay before each retry.
#[derive(Debug)]
struct Same(Duration);

impl Backoff for Same {
    fn delay(&self, _n: u8) -> Duration {
        self.0
    }
}

fn start_by_params(params: &str) -> Host {
    let params = format!(r#""params": {params}, "endpoints": ["a", "b", "c"]"#);
    let configuration = POOLS.replacen(r#""endpoints": ["a", "b", "c"]"#, &params, 1);
    ["a", "b", "c"]
        .into_iter()
        .fold(Setup::new(), Setup::cluster)
        .start(Some(configuration.as_bytes()), || {
            steerage::register_with_params(by_params);
        })
}

#[test]
fn extensions_are_told_the_params_of_their_pool() {
    let host = start_by_params(r#"{ "n": 700 }"#);
    assert!(host.accepted(), "{:?}", host.logs());
    host.advance(Duration::from_millis(1));
    let attempts = attempts(&host, "/own");
    assert!(
        attempts[1..]
            .iter()
            .all(|(_, waited)| waited.as_millis() == 700),
        "{attempts:?}"
    );
}

#[test]
fn params_that_an_extension_refuses_refuse_the_configuration() {
    let host = start_by_params(r#"{"n": "soon"}"#);
    assert!(!host.accepted());
    let line = &host.logs()[0].1;
    let expected = "params of the pool own: n is no number in {\"n\":\"soon\"}, of 3 endpoints";
    assert!(line.contains(expected), "{line}");
}
