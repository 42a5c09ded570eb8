//! What a request costs.

use std::thread;
use std::time::Duration;

use crate::allocations;
use crate::fake_host::Host;
use crate::scenes::{
    everything, get, module, native, pass, post, retried, retrying, with_strategy,
};

/// So many requests before any is counted, and so many that are: the numbers are of one of them.
/// They are over before the second round, which would be counted with a retried request.
const REQUESTS: u64 = 30;

/// What one request may cost: hostcalls, looks at the clock, bytes over the border, things handed over,
/// instructions, allocations and bytes of these. Each is what was measured and 3 % more, and a measure
/// that tells less than half of it is broken.
type Budget = [u64; 7];

const COLUMNS: [&str; 7] = [
    "hostcalls",
    "clock",
    "bytes",
    "handed",
    "instructions",
    "allocations",
    "allocated",
];

const DEFAULTS: Budget = [7, 2, 544, 2, 9_700, 2, 411];
const EVERYTHING: Budget = [9, 2, 744, 2, 13_740, 2, 576];
const BODY: Budget = [8, 3, 1_575, 3, 11_590, 3, 1_442];
const RETRIED: Budget = [19, 6, 1_586, 7, 54_180, 29, 3_164];
const UNMATCHED: Budget = [1, 0, 408, 1, 3_720, 1, 408];

fn measure(configuration: &str, work: fn(&Host)) -> Budget {
    let flow = |host: &Host, count: &mut dyn FnMut(&mut dyn FnMut())| {
        for n in 0..2 * REQUESTS {
            if n < REQUESTS {
                work(host);
            } else {
                count(&mut || work(host));
            }
            pass(host, Duration::from_millis(10));
        }
    };
    let allocated = thread::scope(|scope| {
        let native = scope.spawn(|| {
            let host = native(configuration);
            let mut each = Vec::new();
            flow(&host, &mut |work| each.push(allocations::of(work)));
            // The middle one: natively hash tables have random seeds, so which request finds one of
            // them full is another in every run.
            each.sort_unstable();
            each[each.len() / 2]
        });
        native.join().unwrap()
    });
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let (host, meter) = module(configuration);
            let mut sum = [0; 5];
            flow(&host, &mut |work| {
                let cost = meter.of(work);
                for (sum, one) in sum.iter_mut().zip([
                    cost.hostcalls,
                    cost.clock,
                    cost.bytes,
                    cost.handed,
                    cost.instructions,
                ]) {
                    *sum += one;
                }
            });
            let [hostcalls, clock, bytes, handed, instructions] =
                sum.map(|sum| sum.div_ceil(REQUESTS));
            let (calls, allocated) = allocated;
            [
                hostcalls,
                clock,
                bytes,
                handed,
                instructions,
                calls,
                allocated,
            ]
        });
        run.join().unwrap()
    })
}

#[track_caller]
fn check(name: &str, configuration: &str, work: fn(&Host), budget: Budget) {
    let measured = measure(configuration, work);
    println!("{name}: {COLUMNS:?} {measured:?} of {budget:?}");
    for ((column, measured), budget) in COLUMNS.iter().zip(measured).zip(budget) {
        assert!(
            measured <= budget,
            "{name}: {measured} {column}, {budget} are allowed"
        );
        assert!(
            2 * measured >= budget,
            "{name}: {measured} {column} of {budget}: the budget can be lowered, or the measure is broken"
        );
    }
}

#[test]
fn a_get_costs_no_more_than_its_budget() {
    check(
        "GET, defaults",
        &with_strategy(4, "round_robin"),
        get,
        DEFAULTS,
    );
}

#[test]
fn a_get_with_everything_on_costs_no_more_than_its_budget() {
    check("GET, everything on", &everything(), get, EVERYTHING);
}

#[test]
fn a_post_costs_no_more_than_its_budget() {
    check(
        "POST of 1000 bytes",
        &with_strategy(4, "round_robin"),
        post,
        BODY,
    );
}

#[test]
fn a_retried_get_costs_no_more_than_its_budget() {
    check("GET, retried", &retrying("100ms"), retried, RETRIED);
}

#[test]
fn an_unmatched_get_costs_no_more_than_its_budget() {
    let configuration = r#"{"pools": [{"endpoints": ["e0"], "match": {"prefix": "/api"}}]}"#;
    check("GET, unmatched", configuration, get, UNMATCHED);
}

#[test]
fn instructions_for_two_hundred_endpoints_stay_within_their_budget() {
    // In percent of what four cost.
    for (strategy, most) in [("round_robin", 129), ("least_response_time", 1_325)] {
        let [four, many] = [4, 200].map(|count| measure(&with_strategy(count, strategy), get)[4]);
        let percent = 100 * many / four;
        println!(
            "{strategy}: {four} instructions with 4 endpoints, {many} with 200: {percent} % of {most} %"
        );
        assert!(percent <= most, "{strategy}: {four}, {many}");
        assert!(percent >= 90);
    }
}
