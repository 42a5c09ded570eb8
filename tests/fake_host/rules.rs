//! What all streams share, and which mistakes of the filter and of a test the fake reports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{MetricType, Status};

use crate::fake_host::{Headers, NO_HEADERS, Root, Setup, headers};
use crate::sample::{get, register, seen, start};

#[test]
fn roots_tick_each_at_its_time_and_a_refused_one_is_distinguished() {
    let host = start();
    let second = host.add_root(None);
    assert!(host.accepted() && second.accepted());
    assert!(!host.add_root(Some(b"bad")).accepted());
    let period = |root: Root, ms| {
        let period = Duration::from_millis(ms);
        root.inside(|| hostcalls::set_tick_period(period)).unwrap();
    };
    period(host.root(), 40);
    period(second, 30);
    host.advance(Duration::from_millis(90));
    let ticks: Vec<_> = seen()
        .into_iter()
        .filter(|it| it.starts_with("tick"))
        .collect();
    assert_eq!(
        ticks,
        ["tick 30", "tick 40", "tick 60", "tick 80", "tick 90"]
    );
    host.stall(Duration::from_millis(70));
    host.advance(Duration::ZERO);
    assert_eq!(seen(), ["tick 160", "tick 160"]);
    second.remove();
    host.advance(Duration::from_millis(40));
    assert_eq!(seen(), ["tick 200"]);
}

#[test]
fn shared_data_compares_before_it_swaps() {
    let host = Setup::new().shared("k", b"old").start(None, register);
    host.root().inside(|| {
        let read = |key| hostcalls::get_shared_data(key).unwrap();
        assert_eq!(read("none"), (None, None));
        let (value, cas) = read("k");
        assert_eq!(value.as_deref(), Some(&b"old"[..]));
        assert_eq!(hostcalls::set_shared_data("k", Some(b"new"), cas), Ok(()));
        let late = hostcalls::set_shared_data("k", Some(b"late"), cas);
        assert_eq!(late, Err(Status::CasMismatch));
        // A key that is missing takes any counter, and a removed one is empty and has one.
        assert_eq!(
            hostcalls::set_shared_data("fresh", Some(b"x"), Some(77)),
            Ok(())
        );
        assert_eq!(hostcalls::set_shared_data("k", None, None), Ok(()));
        assert!(matches!(read("k"), (None, Some(_))));
    });
    host.race_shared("fresh", b"theirs");
    host.root().inside(|| {
        let (_, cas) = hostcalls::get_shared_data("fresh").unwrap();
        let lost = hostcalls::set_shared_data("fresh", Some(b"ours"), cas);
        assert_eq!(lost, Err(Status::CasMismatch));
    });
    assert_eq!(host.shared("fresh").unwrap().0, b"theirs");
    assert_eq!(host.shared_keys(), ["fresh", "k"]);
}

#[test]
fn metrics_follow_the_rules_of_envoy() {
    let host = start();
    host.root().inside(|| {
        let define = |kind, name| hostcalls::define_metric(kind, name).unwrap();
        let counter = define(MetricType::Counter, "c");
        let again = define(MetricType::Counter, "c");
        assert_ne!(counter, again);
        assert_eq!(hostcalls::increment_metric(counter, 2), Ok(()));
        assert_eq!(
            hostcalls::increment_metric(counter, 0),
            Err(Status::BadArgument)
        );
        assert_eq!(hostcalls::record_metric(again, 3), Ok(()));
        let gauge = define(MetricType::Gauge, "g");
        assert_eq!(hostcalls::record_metric(gauge, 3), Ok(()));
        assert_eq!(hostcalls::increment_metric(gauge, -1), Ok(()));
        let histogram = define(MetricType::Histogram, "h");
        assert_eq!(hostcalls::record_metric(histogram, 7), Ok(()));
        assert_eq!(hostcalls::increment_metric(9_999, 1), Err(Status::NotFound));
    });
    assert_eq!(host.metric("c"), Some(5));
    assert_eq!(host.metric("g"), Some(2));
    assert_eq!(host.histogram("h"), Some(vec![7]));
    assert_eq!(host.metric("none"), None);
    host.root().inside(|| {
        let gauge = hostcalls::define_metric(MetricType::Gauge, "g").unwrap();
        hostcalls::increment_metric(gauge, -3).unwrap();
    });
    assert_eq!(host.metric("g"), Some(u64::MAX));
    assert_eq!(host.take_violations().len(), 1);
}

#[test]
fn header_maps_cross_the_abi_whole() {
    let map = headers(&[("A", &b"1"[..]), ("b", &b"\xff\xfe"[..]), ("b", &b""[..])]);
    let wire = headers::encode(&map);
    assert_eq!(wire.get(..4).unwrap(), 3_u32.to_le_bytes());
    assert_eq!(headers::decode(&wire), Some(map.clone()));
    assert_eq!(headers::decode(wire.get(..wire.len() - 1).unwrap()), None);
    let many = vec![("a".to_owned(), Vec::new()); 1025];
    let wire = headers::encode(&many);
    assert_eq!(headers::decode(&wire), Some(Headers::new()));

    // The SDK reads any bytes that the fake writes.
    let host = start();
    let mut request = headers(&get(""));
    request.extend(map);
    host.request(&request, true);
}

#[test]
fn violations_are_kept_for_the_end() {
    let host = start();
    let provoke = |what: &'static str, response: bool| {
        let stream = host.request(&get(what), true);
        if response {
            stream.response(&[(":status", "200")], false);
            host.advance(Duration::from_millis(5));
        }
        let mut violations = host.take_violations();
        assert_eq!(violations.len(), 1, "{what}: {violations:?}");
        violations.remove(0)
    };
    assert!(provoke("reply twice", false).contains("replied to already"));
    assert!(provoke("root reply", false).contains("is a root"));
    assert!(provoke("reply late", true).contains("let its response go"));
    assert!(provoke("read request", true).contains("no such map now"));
    hostcalls::set_tick_period(Duration::ZERO).unwrap();
    assert_eq!(host.take_violations().len(), 1);
    host.assert_clean();
}

#[test]
fn a_violation_fails_the_test_that_ends() {
    let host = start();
    host.request(&get("reply twice"), true);
    let failed = panic_of(|| drop(host));
    assert!(failed.contains("replied to already"), "{failed}");
}

#[test]
fn misuse_by_a_test_panics_at_once() {
    let host = start();
    let stream = host.request(&get("pause"), true);
    assert!(panic_of(|| stream.request_body(b"", true)).contains("is complete"));
    assert!(panic_of(|| stream.response_body(b"", true)).contains("no headers yet"));
    assert!(panic_of(|| stream.finish()).contains("has no response"));
    stream.response(&[(":status", "200")], true);
    assert!(panic_of(|| stream.finish()).contains("is paused"));
    stream.client_gone();
    assert!(panic_of(|| stream.client_gone()).contains("is over: the client went away"));
    assert!(panic_of(|| host.answer_reset(9_999)).contains("no call has the token"));
    assert!(panic_of(|| host.pending_call()).contains("no call waits"));
    assert!(panic_of(start).contains("already has a host"));
    let held = host.request(&get("hold"), true);
    let answered = panic_of(|| held.response(NO_HEADERS, true));
    assert!(answered.contains("its request is paused"));
}

#[test]
fn one_thread_may_have_a_host_after_another() {
    let first = start();
    let stream = first.request(&get(""), true);
    drop(first);
    let second = start();
    assert!(second.request(&get(""), true).id() > stream.id());
    assert!(panic_of(|| stream.finish()).contains("an earlier host"));
}

/// Runs code that must panic, and gives the message.
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    let work = AssertUnwindSafe(|| drop(work()));
    let cause = catch_unwind(work).unwrap_err();
    cause
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
