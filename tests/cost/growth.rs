//! How the cost grows with endpoints, pools, requests and retries that wait, and what a round costs.

use std::thread;
use std::time::Duration;

use crate::document;
use crate::engine::Meter;
use crate::fake_host::Host;
use crate::scenes::{
    endpoints, everything, get, intercepted, module, pass, post, retrying, waiting, with_pools,
    with_strategy,
};

/// Retries that wait at a time.
const PENDING: u64 = 10_000;

/// A pending retry of a request without a body must take fewer bytes than this of the module's memory.
const MOST_BYTES: u64 = 4 * 1024;

/// What 200 GETs cost at 1,000 a second, which is two rounds, after 200 that have gone to every endpoint.
struct Flow {
    /// Instructions of one, in the mean.
    mean: u64,
    /// Instructions of the dearest: the first after a round, which looks at all endpoints whatever the strategy.
    most: u64,
    /// Hostcalls of one.
    hostcalls: u64,
}

fn flow(configuration: &str) -> Flow {
    const COUNTED: u64 = 200;
    let run = || {
        let (host, meter) = module(configuration);
        let mut costs = Vec::new();
        for _ in 0..2 * COUNTED {
            costs.push(meter.of(|| get(&host)));
            pass(&host, Duration::from_millis(1));
        }
        let costs = costs.split_off(costs.len() / 2);
        Flow {
            mean: costs.iter().map(|cost| cost.instructions).sum::<u64>() / COUNTED,
            most: costs.iter().map(|cost| cost.instructions).max().unwrap(),
            hostcalls: costs.iter().map(|cost| cost.hostcalls).max().unwrap(),
        }
    };
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn two_hundred_endpoints_in_turn_cost_a_request_hardly_more_than_four() {
    let [few, many] = [4, 200].map(|count| flow(&with_strategy(count, "round_robin")));
    document::check(
        "instructions of a GET, `round_robin`, 4 and 200 endpoints",
        &[few.mean, many.mean],
    );
    document::check("the same, the first after a round", &[few.most, many.most]);
    assert!(10 * many.mean <= 11 * few.mean);
}

#[test]
fn a_strategy_that_looks_at_all_endpoints_costs_what_the_document_says() {
    let [few, many] = [4, 200].map(|count| flow(&with_strategy(count, "least_response_time")));
    document::check(
        "instructions of a GET, `least_response_time`, 4 and 200 endpoints",
        &[few.mean, many.mean],
    );
}

#[test]
fn a_hundred_pools_cost_what_the_document_says_and_no_hostcall() {
    let [one, last] = [1, 100].map(|count| flow(&with_pools(count)));
    document::check(
        "instructions of a GET that the last of 1 and of 100 pools matches",
        &[one.mean, last.mean],
    );
    assert_eq!(one.hostcalls, last.hostcalls);
}

#[test]
fn ten_thousand_requests_leave_the_modules_memory_as_it_was() {
    let (host, meter) = module(&everything());
    let run = |requests| {
        for _ in 0..requests {
            get(&host);
            pass(&host, Duration::from_millis(10));
        }
        meter.memory()
    };
    let before = run(1_000);
    let after = run(10_000);
    assert!(before >= 1 << 20, "{before} cannot be");
    document::check(
        "what 10,000 requests add, after the first 1,000",
        &[after - before],
    );
}

#[test]
fn nothing_is_kept_of_what_interceptors_change_about_requests_that_the_router_may_not_repeat() {
    for stands_behind in [true, false] {
        let run = move || {
            let (host, meter) = module(&intercepted());
            if stands_behind {
                assert!(host.add_root(Some(br#"{"role": "attempts"}"#)).accepted());
            }
            let memory = |requests| {
                for _ in 0..requests {
                    post(&host);
                }
                meter.memory()
            };
            let before = memory(500);
            assert_eq!(memory(2_000), before, "{stands_behind}");
        };
        thread::spawn(run).join().unwrap();
    }
}

/// Instructions of one round of the rounds that follow, ten seconds apart.
fn round(host: &Host, meter: &Meter) -> u64 {
    const ROUNDS: u64 = 10;
    host.advance(Duration::from_secs(100));
    let cost = meter.of(|| host.advance(Duration::from_secs(10 * ROUNDS)));
    cost.by_callback["proxy_on_tick"] / ROUNDS
}

#[test]
fn a_round_costs_what_the_document_says() {
    let of = |count| {
        let run = move || {
            let configuration = format!(r#"{{{}, "sync_interval": 10}}"#, endpoints(count));
            let (host, meter) = module(&configuration);
            round(&host, &meter)
        };
        thread::spawn(run).join().unwrap()
    };
    document::check(
        "instructions of a round, 4 and 200 endpoints",
        &[of(4), of(200)],
    );
}

#[test]
fn ten_thousand_pending_retries_cost_little_memory_and_a_tick_hardly_more() {
    let (host, meter) = module(&retrying("10h"));
    let before = meter.memory();
    for _ in 0..PENDING {
        waiting(&host);
    }
    let bytes = (meter.memory() - before) / PENDING;
    document::check("a pending retry, without its body", &[bytes]);
    assert!(bytes < MOST_BYTES, "{bytes}");

    let many = round(&host, &meter);
    // None is pending any more, and what there is to tell of them is as much as before.
    for stream in host.open_streams() {
        stream.client_gone();
    }
    let none = round(&host, &meter);
    document::check(
        "instructions of a round, 0 and 10,000 retries pending",
        &[none, many],
    );
    assert!(100 * many <= 102 * none, "{none}, {many}");
}
