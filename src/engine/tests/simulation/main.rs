//! Several workers and endpoints in virtual time: what a user of the proxy would see.
//!
//! Everything that decides is what ships: each worker is a [`steerage_engine::Worker`], and the
//! store has the host's rules. Only the host, the clients and the upstreams are simulated, by a
//! script with a seed. Workers are interleaved where the real ones are: other workers run between
//! one's read and its write, so writes do conflict.
//!
//! A run depends on its seed alone. On failure the seed is printed; to run only that one, change
//! [`SEEDS`].
//!
//! | file | what a user would see |
//! |---|---|
//! | [`breaking`] | an endpoint that fails everything |
//! | [`checking`] | health checks |
//! | [`balancing`] | the load of slow and fast endpoints |
//! | [`dying`] | workers that are gone |
//! | [`contending`] | changes under contention |
//! | [`hedging`] | answers that stall, and hedges |
//! | [`cooling`] | an endpoint that asks to be left alone |
//! | [`limiting`] | endpoints at their limits |
//! | [`leaving`] | deadlines, clients that leave, calls that are not sent |
//! | [`speed`] | (how long a run takes) |
//! | [`scenarios`] | a bad day, a file each: what clients get, by second |

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic as the tests themselves"
)]

mod balancing;
mod breaking;
mod checking;
mod contending;
mod cooling;
mod dying;
mod hedging;
mod leaving;
mod limiting;
mod scenarios;
mod speed;

mod log;
mod minority;
mod proxy;
mod upstream;
mod view;
mod worker;
mod world;

use core::ops::Range;
use core::time::Duration;
use std::thread;

use steerage_policy::endpoint::Endpoint;
use steerage_policy::pool::{Pool, Timeouts};
use steerage_policy::time::Instant;

/// Runs `test` with every seed.
fn each_seed(test: impl Fn(u64)) {
    seeds(SEEDS, test);
}

/// The same with fewer of them, for runs with much traffic.
fn few_seeds(test: impl Fn(u64)) {
    seeds(0..3, test);
}

fn seeds(seeds: Range<u64>, test: impl Fn(u64)) {
    for seed in seeds {
        let _printed = PrintSeed(seed);
        test(seed);
    }
}

const SEEDS: Range<u64> = 0..5;

/// Prints the seed of the run that fails.
struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this was seed {}", self.0);
        }
    }
}

/// The instant `seconds` after the beginning of the run.
fn at(seconds: f64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1_000) + span(seconds)
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap()
}

/// A pool of so many endpoints, whose exchanges take 5 s at most.
fn pool(endpoints: usize) -> Pool {
    let endpoints = (0..endpoints).map(|n| Endpoint::new(&format!("cluster-{n}")));
    let mut pool = Pool::new("default", endpoints.collect());
    let [connect, read, total] = [1, 3, 5].map(Duration::from_secs);
    pool.timeouts = Timeouts::new(connect, read, total, total).unwrap();
    pool
}
