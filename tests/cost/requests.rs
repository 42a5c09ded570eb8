//! What a request costs.

use std::thread;
use std::time::Duration;

use crate::allocations;
use crate::document;
use crate::fake_host::Host;
use crate::scenes::{
    everything, get, module, native, pass, post, retried, retrying, with_response_headers,
    with_strategy,
};

/// So many requests before any is counted, and so many that are: the numbers are of one of them.
/// They are over before the second round, which would be counted with a retried request.
const REQUESTS: u64 = 30;

/// Runs a steady flow of requests, and counts the second half of them.
fn flow(host: &Host, work: fn(&Host), mut count: impl FnMut(&mut dyn FnMut())) {
    for n in 0..2 * REQUESTS {
        if n < REQUESTS {
            work(host);
        } else {
            count(&mut || work(host));
        }
        pass(host, Duration::from_millis(10));
    }
}

/// How often the filter asks for memory, and for how many bytes: the middle one of all requests. Natively hash
/// tables have random seeds, so which request finds one of them full is another in every run.
fn allocated(configuration: &str, work: fn(&Host)) -> [u64; 2] {
    let host = native(configuration);
    let mut each = Vec::new();
    flow(&host, work, |work| each.push(allocations::of(work)));
    each.sort_unstable();
    each[each.len() / 2].into()
}

/// Hostcalls, looks at the clock, bytes over the border, things handed over and instructions.
fn ran(configuration: &str, work: fn(&Host)) -> [u64; 5] {
    let (host, meter) = module(configuration);
    let mut sum = [0; 5];
    flow(&host, work, |work| {
        let cost = meter.of(work);
        let one = [
            cost.hostcalls,
            cost.clock,
            cost.bytes,
            cost.handed,
            cost.instructions,
        ];
        for (sum, one) in sum.iter_mut().zip(one) {
            *sum += one;
        }
    });
    sum.map(|sum| sum.div_ceil(REQUESTS))
}

/// Measures in threads of their own, for each has a host.
#[track_caller]
fn check(row: &str, configuration: &str, work: fn(&Host)) {
    let (ran, allocated) = thread::scope(|scope| {
        let ran = scope.spawn(|| ran(configuration, work));
        let allocated = scope.spawn(|| allocated(configuration, work));
        (ran.join().unwrap(), allocated.join().unwrap())
    });
    document::check(row, &[&ran[..], &allocated].concat());
}

#[test]
fn a_get_costs_what_the_document_says() {
    check("GET, defaults", &with_strategy(4, "round_robin"), get);
}

#[test]
fn a_get_with_everything_on_costs_what_the_document_says() {
    check("GET, everything on", &everything(), get);
}

#[test]
fn a_get_that_tells_the_client_costs_what_the_document_says() {
    let row = "GET, everything on and `response_headers`";
    check(row, &with_response_headers(), get);
}

#[test]
fn a_post_costs_what_the_document_says() {
    let configuration = with_strategy(4, "round_robin");
    check("POST with a body of 1,000 bytes", &configuration, post);
}

#[test]
fn a_retried_get_costs_what_the_document_says() {
    let row = "GET, answered 503, retried, answered 200";
    check(row, &retrying("100ms"), retried);
}

#[test]
fn an_unmatched_get_costs_what_the_document_says() {
    let configuration = r#"{"pools": [{"endpoints": ["e0"], "match": {"prefix": "/api"}}]}"#;
    check("GET that no pool matches", configuration, get);
}
