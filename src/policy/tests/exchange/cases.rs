//! Random cases: a pool with its policy, and requests with what becomes of them.

use std::time::Duration;

use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::{collection, option, sample};
use steerage_policy::backoff::Backoff;
use steerage_policy::balance::{HashOn, Strategy};
use steerage_policy::endpoint::{Endpoint, Weight};
use steerage_policy::idempotency::{Obstacle, Repeatability};
use steerage_policy::jitter::{Bounds, Jitter};
use steerage_policy::outcome::{Outcome, Transport};
use steerage_policy::pool::{Pool, Timeouts};
use steerage_policy::retry::{RetryPolicy, Statuses};

/// One request and its fate.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) arrives: Duration,
    pub(crate) key: Option<u64>,
    /// What becomes of its attempts, in order; the last one repeats.
    pub(crate) fates: Vec<Fate>,
}

/// What becomes of one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) outcome: Outcome,
    /// Unless the attempt's timeout is shorter.
    pub(crate) took: Duration,
    /// What is known of repeating the request when it ends: a request still arrives meanwhile.
    pub(crate) repeatability: Repeatability,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) pool: Pool,
    /// The statuses that the pool's policy lists.
    pub(crate) statuses: Vec<u16>,
    pub(crate) requests: Vec<Request>,
    pub(crate) seed: u64,
}

/// Mostly what a request takes, sometimes nothing, sometimes what nobody would configure.
fn duration() -> impl Generator<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        8 => (0_u64..2_000).prop_map(Duration::from_millis),
        2 => (0_u64..100_000).prop_map(Duration::from_millis),
        1 => (0_u64..1_000).prop_map(Duration::from_nanos),
        1 => Just(Duration::from_secs(86_400)),
    ]
}

fn backoff() -> impl Generator<Value = (Backoff, Bounds)> {
    let factor = prop_oneof![Just(2.0), 0.0..10.0, Just(1e300)];
    let list = collection::vec(duration(), 0..4);
    (0..5, duration(), duration(), factor, list).prop_map(|(kind, base, max, factor, list)| {
        let backoff = match kind {
            0 => Backoff::exponential(base, factor, max),
            1 => Backoff::linear(base, max),
            2 => Backoff::fibonacci(base, max),
            3 => Backoff::fixed(base, max),
            _ => Backoff::list(&list, max),
        };
        (backoff, Bounds { base, max })
    })
}

const STATUSES: [u16; 10] = [200, 204, 302, 404, 408, 429, 500, 502, 503, 504];

fn retry_policy() -> impl Generator<Value = (RetryPolicy, Vec<u16>)> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
        (0.0..=1.0).prop_map(Jitter::Range),
    ];
    (
        1_u8..=10,
        backoff(),
        jitter,
        sample::subsequence(&STATUSES, 0..=10),
        sample::subsequence(&Transport::ALL, 0..=3),
        any::<bool>(),
    )
        .prop_map(
            |(max_attempts, (backoff, bounds), jitter, statuses, transports, at_once)| {
                let policy = RetryPolicy {
                    max_attempts,
                    backoff,
                    jitter,
                    bounds,
                    statuses: Statuses::new(
                        statuses.iter().map(|&status| status..=status).collect(),
                    ),
                    transports,
                    immediate_failover: at_once,
                    ..RetryPolicy::default()
                };
                (policy, statuses)
            },
        )
}

fn pool() -> impl Generator<Value = (Pool, Vec<u16>)> {
    let endpoint = (sample::select(&[0.0, 0.5, 1.0, 1.0, 4.0]), 0_u32..2);
    let strategy = sample::select(vec![
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
        Strategy::LeastConnections,
        Strategy::LeastResponseTime,
        Strategy::Random,
        Strategy::WeightedRandom,
        Strategy::HealthBased,
        Strategy::ConsistentHash(HashOn::Path),
    ]);
    let timeouts = (duration(), duration(), duration()).prop_map(|(connect, read, more)| {
        let least = Duration::from_millis(1);
        let (connect, read) = (connect.max(least), read.max(least));
        Timeouts::new(connect, read, read, connect + read + more).unwrap_or_default()
    });
    (
        collection::vec(endpoint, 1..6),
        strategy,
        timeouts,
        retry_policy(),
    )
        .prop_map(|(endpoints, strategy, timeouts, (retry, statuses))| {
            let endpoints = endpoints
                .into_iter()
                .enumerate()
                .map(|(position, (weight, priority))| Endpoint {
                    weight: Weight::new(weight).unwrap_or(Weight::ONE),
                    priority,
                    ..Endpoint::new(&format!("cluster-{position}"))
                })
                .collect();
            let pool = Pool {
                strategy,
                timeouts,
                retry,
                ..Pool::new("pool", endpoints)
            };
            (pool, statuses)
        })
}

fn fate() -> impl Generator<Value = Fate> {
    let outcome = prop_oneof![
        6 => sample::select(&STATUSES).prop_map(Outcome::Answered),
        2 => Just(Outcome::ConnectFailure),
        1 => Just(Outcome::Reset),
        1 => Just(Outcome::Timeout),
        1 => Just(Outcome::Neutral),
    ];
    let obstacle = prop_oneof![
        4 => Just(None),
        1 => sample::select(&[
            Obstacle::Grpc,
            Obstacle::Upgrade,
            Obstacle::Trailers,
            Obstacle::BodyTooLarge,
            Obstacle::IncompleteRequest,
            Obstacle::HeaderEncoding,
        ]).prop_map(Some),
    ];
    let allowed = prop_oneof![4 => Just(true), 1 => Just(false)];
    (outcome, duration(), allowed, obstacle).prop_map(|(outcome, took, allowed, obstacle)| Fate {
        outcome,
        took,
        repeatability: Repeatability { allowed, obstacle },
    })
}

pub(crate) fn case() -> impl Generator<Value = Case> {
    let request = (
        duration(),
        option::of(any::<u64>()),
        collection::vec(fate(), 1..11),
    )
        .prop_map(|(arrives, key, fates)| Request {
            arrives,
            key,
            fates,
        });
    (pool(), collection::vec(request, 1..6), any::<u64>()).prop_map(
        |((pool, statuses), requests, seed)| Case {
            pool,
            statuses,
            requests,
            seed,
        },
    )
}
