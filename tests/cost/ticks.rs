//! What a tick costs, and a retry that waits.

use std::time::Duration;

use crate::engine::Meter;
use crate::fake_host::Host;
use crate::scenes::{endpoints, module, retrying, waiting};

/// Retries that wait at a time.
const PENDING: u64 = 10_000;

/// What a pending retry of a request without a body may take of the module's memory.
const MOST_BYTES: u64 = 4 * 1024;

/// Instructions of one tick, with nothing pending and with [`PENDING`].
const ROUND_OF_4: u64 = 103_200;
const ROUND_OF_200: u64 = 2_234_000;
const ROUND_OF_4_PENDING: u64 = 118_200;

/// Instructions of one round of the rounds that follow, ten seconds apart.
fn round(host: &Host, meter: &Meter) -> u64 {
    const ROUNDS: u64 = 10;
    host.advance(Duration::from_secs(100));
    let cost = meter.of(|| host.advance(Duration::from_secs(10 * ROUNDS)));
    cost.by_callback["proxy_on_tick"] / ROUNDS
}

#[track_caller]
fn check(name: &str, measured: u64, budget: u64) {
    println!("{name}: {measured} of {budget}");
    assert!(
        measured <= budget,
        "{name}: {measured}, {budget} are allowed"
    );
    assert!(
        2 * measured >= budget,
        "{name}: {measured} of {budget}: the budget can be lowered, or the measure is broken"
    );
}

#[test]
fn a_round_costs_no_more_than_its_budget() {
    let (host, meter) = module(&retrying("10h"));
    check(
        "instructions of a round, 4 endpoints",
        round(&host, &meter),
        ROUND_OF_4,
    );
}

#[test]
fn a_round_of_two_hundred_endpoints_costs_no_more_than_its_budget() {
    let configuration = format!(r#"{{{}, "sync_interval": 10}}"#, endpoints(200));
    let (host, meter) = module(&configuration);
    check(
        "instructions of a round, 200 endpoints",
        round(&host, &meter),
        ROUND_OF_200,
    );
}

#[test]
fn ten_thousand_pending_retries_cost_little_memory_and_a_tick_hardly_more() {
    let (host, meter) = module(&retrying("10h"));
    let before = meter.memory();
    let cost = meter.of(|| {
        for _ in 0..PENDING {
            waiting(&host);
        }
    });
    let bytes = (meter.memory() - before) / PENDING;
    println!(
        "until a retry waits: {} instructions",
        cost.instructions / PENDING
    );
    println!("bytes of a pending retry: {bytes} of {MOST_BYTES}");
    assert!(bytes <= MOST_BYTES, "{bytes}");
    assert!(bytes >= 100, "{bytes} cannot be");
    check(
        "instructions of a round, 10,000 retries pending",
        round(&host, &meter),
        ROUND_OF_4_PENDING,
    );
}
