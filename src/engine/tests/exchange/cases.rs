//! Random cases: a pool with its policy, and requests with what becomes of them.
//!
//! Those of [`steady`] have one worker and breakers that never open, so every endpoint is available
//! all the time. Those of [`guarded`] have breakers that open soon and not for long, several
//! workers and a good deal of traffic.

use std::time::Duration;

use proptest::prelude::{Just, any, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::{collection, option, sample};
use steerage_policy::balance::{HashOn, Strategy};
use steerage_policy::breaker::{BreakerPolicy, SlowCalls};
use steerage_policy::endpoint::{Endpoint, Weight};
use steerage_policy::health::CheckPolicy;
use steerage_policy::outcome::{Kind, Neutral, Outcome};
use steerage_policy::pool::{Pool, Timeouts};
use steerage_policy::retry::backoff::Delays;
use steerage_policy::retry::budget::BudgetPolicy;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::{CommitOn, EventRule, FirstMessage};
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::jitter::{Bounds, Jitter};
use steerage_policy::retry::reason::Denial;
use steerage_policy::retry::{RetryPolicy, Statuses};

/// One request and its fate.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) arrives: Duration,
    pub(crate) key: Option<u64>,
    /// Whether it may be sent again: its method, and what stands against it.
    pub(crate) repeatability: Repeatability,
    /// What becomes of its attempts, in order; the last one repeats.
    pub(crate) fates: Vec<Fate>,
}

/// What becomes of one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) outcome: Outcome,
    /// Unless the attempt's timeout is shorter.
    pub(crate) took: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) pool: Pool,
    /// The statuses that the pool's policy lists.
    pub(crate) statuses: Vec<u16>,
    pub(crate) requests: Vec<Request>,
    /// What becomes of health checks, in the order in which they are made, over and over: how long
    /// they take, and whether they are good. There are none if this is empty.
    pub(crate) checks: Vec<(Duration, bool)>,
    /// Requests go to one after the other.
    pub(crate) workers: usize,
    pub(crate) seed: u64,
}

/// Mostly usual times of a request, sometimes none, sometimes extreme ones.
fn duration() -> impl Generator<Value = Duration> + Clone {
    prop_oneof![
        1 => Just(Duration::ZERO),
        8 => (0_u64..2_000).prop_map(Duration::from_millis),
        2 => (0_u64..100_000).prop_map(Duration::from_millis),
        1 => (0_u64..1_000).prop_map(Duration::from_nanos),
        1 => Just(Duration::from_secs(86_400)),
    ]
}

fn backoff() -> impl Generator<Value = (Delays, Bounds)> {
    let factor = prop_oneof![Just(2.0), 0.0..10.0, Just(1e300)];
    let list = collection::vec(duration(), 0..4);
    (0..5, duration(), duration(), factor, list).prop_map(|(kind, base, max, factor, list)| {
        let backoff = match kind {
            0 => Delays::exponential(base, factor, max),
            1 => Delays::linear(base, max),
            2 => Delays::fibonacci(base, max),
            3 => Delays::fixed(base, max),
            _ => Delays::list(&list, max),
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
        sample::subsequence(&Kind::TRANSPORT, 0..=3),
        any::<bool>(),
        budget(),
    )
        .prop_map(
            |(max_attempts, (backoff, bounds), jitter, statuses, transports, at_once, budget)| {
                let policy = RetryPolicy {
                    max_attempts,
                    throttling_backoff: backoff.clone(),
                    throttling_bounds: bounds,
                    backoff,
                    jitter,
                    bounds,
                    budget,
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

/// None, or one that is soon spent.
fn budget() -> impl Generator<Value = Option<BudgetPolicy>> {
    let budget = (0.0..=1.0, 0.0..2.0, 1_u64..20_000);
    option::of(
        budget.prop_map(|(ratio, min_per_second, ttl)| BudgetPolicy {
            ratio,
            min_per_second,
            ttl: Duration::from_millis(ttl),
        }),
    )
}

/// Breakers that never open.
fn closed_for_good() -> impl Generator<Value = BreakerPolicy> {
    Just(BreakerPolicy {
        failure_threshold: u32::MAX,
        minimum_requests: u32::MAX,
        ..BreakerPolicy::default()
    })
}

/// Breakers that have a good deal to do.
fn touchy() -> impl Generator<Value = BreakerPolicy> {
    let slow_calls = option::of(
        (0_u64..2_000, 0.1..1.0).prop_map(|(duration, rate)| SlowCalls {
            duration: Duration::from_millis(duration),
            rate,
        }),
    );
    let times = (1_u64..1_000, 1_u64..4_000, 1_u64..10_000);
    let rate = (0.1..1.0, 1_u32..20);
    ((1_u32..5, rate, times, slow_calls), 1_u32..4, 1_u32..4).prop_map(
        |((failure_threshold, rate, times, slow_calls), half_open_requests, success_threshold)| {
            BreakerPolicy {
                failure_statuses: BreakerPolicy::default().failure_statuses,
                failure_threshold,
                failure_rate: rate.0,
                minimum_requests: rate.1,
                window: Duration::from_millis(times.2),
                slow_calls,
                timeout: Duration::from_millis(times.0),
                max_timeout: Duration::from_millis(times.1),
                half_open_requests,
                success_threshold,
                max_open_fraction: 1.0,
            }
        },
    )
}

fn pool(
    breaker: impl Generator<Value = BreakerPolicy>,
    duration: impl Generator<Value = Duration> + Clone,
) -> impl Generator<Value = (Pool, Vec<u16>)> {
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
    let timeouts =
        (duration.clone(), duration.clone(), duration).prop_map(|(connect, read, more)| {
            let least = Duration::from_millis(1);
            let (connect, read) = (connect.max(least), read.max(least));
            Timeouts::new(connect, read, read, connect + read + more).unwrap_or_default()
        });
    (
        collection::vec(endpoint, 1..6),
        strategy,
        timeouts,
        retry_policy(),
        breaker,
    )
        .prop_map(
            |(endpoints, strategy, timeouts, (retry, statuses), breaker)| {
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
                    breaker,
                    ..Pool::new("pool", endpoints)
                };
                (pool, statuses)
            },
        )
}

fn fate(took: impl Generator<Value = Duration>) -> impl Generator<Value = Fate> {
    let outcome = prop_oneof![
        6 => sample::select(&STATUSES).prop_map(Outcome::Answered),
        2 => Just(Outcome::ConnectFailure),
        1 => Just(Outcome::Reset),
        1 => Just(Outcome::Timeout),
        1 => Just(Outcome::Neutral(Neutral::Unknown)),
    ];
    (outcome, took).prop_map(|(outcome, took)| Fate { outcome, took })
}

fn repeatability() -> impl Generator<Value = Repeatability> {
    let obstacle = prop_oneof![
        4 => Just(None),
        1 => sample::select(&[
            Denial::Grpc,
            Denial::Upgrade,
            Denial::Trailers,
            Denial::BodyTooLarge,
            Denial::IncompleteRequest,
        ]).prop_map(Some),
    ];
    let allowed = prop_oneof![4 => Just(true), 1 => Just(false)];
    (allowed, obstacle).prop_map(|(allowed, obstacle)| Repeatability { allowed, obstacle })
}

fn requests(
    arrives: impl Generator<Value = Duration>,
    took: impl Generator<Value = Duration>,
    attempts: usize,
    most: usize,
) -> impl Generator<Value = Vec<Request>> {
    let request = (
        arrives,
        option::of(any::<u64>()),
        repeatability(),
        collection::vec(fate(took), 1..=attempts),
    )
        .prop_map(|(arrives, key, repeatability, fates)| Request {
            arrives,
            key,
            repeatability,
            fates,
        });
    collection::vec(request, 1..=most)
}

/// Checks that close breakers, and by themselves take no endpoint away.
fn seldom() -> CheckPolicy {
    CheckPolicy {
        interval: Duration::from_secs(2),
        unhealthy_threshold: u32::MAX,
        ..CheckPolicy::default()
    }
}

/// A worker whose endpoints are always available.
pub(crate) fn steady() -> impl Generator<Value = Case> {
    (
        pool(closed_for_good(), duration()),
        requests(duration(), duration(), 10, 5),
        any::<u64>(),
    )
        .prop_map(|((pool, statuses), requests, seed)| Case {
            pool,
            statuses,
            requests,
            checks: Vec::new(),
            workers: 1,
            seed,
        })
}

/// Workers whose endpoints are not available at times.
pub(crate) fn guarded() -> impl Generator<Value = Case> {
    // Often at the same time, so that workers meet.
    let duration = || {
        prop_oneof![0_u64..10_000, (0_u64..20).prop_map(|half| half * 500)]
            .prop_map(Duration::from_millis)
    };
    let took = prop_oneof![
        1 => Just(Duration::ZERO),
        6 => (0_u64..500).prop_map(Duration::from_millis),
        1 => duration(),
    ];
    (
        pool(touchy(), duration().boxed()),
        requests(duration(), took, 4, 40),
        collection::vec(
            ((0_u64..500).prop_map(Duration::from_millis), any::<bool>()),
            0..10,
        ),
        1_usize..=4,
        any::<u64>(),
    )
        .prop_map(
            |((mut pool, statuses), mut requests, checks, workers, seed)| {
                // Within a nanosecond, and still one after the other: an event is of one exchange.
                for (request, nanos) in requests.iter_mut().zip(1..) {
                    request.arrives += Duration::from_nanos(nanos);
                }
                pool.checks = (!checks.is_empty()).then(seldom);
                // Breakers are not observed in panic.
                pool.panic_threshold = None;
                Case {
                    pool,
                    statuses,
                    requests,
                    checks,
                    workers,
                    seed,
                }
            },
        )
}

/// A worker whose retries the router makes, with or without hedges and heads that wait for their
/// first message. Breakers open or do not.
pub(crate) fn routed() -> impl Generator<Value = Case> {
    let usual = || (0_u64..2_000).prop_map(Duration::from_millis);
    let first_message = (usual(), any::<bool>()).prop_map(|(timeout, is_bounded)| {
        CommitOn::FirstMessage(FirstMessage {
            timeout: is_bounded.then_some(timeout),
            rules: [EventRule::Event("error".into())].into(),
        })
    });
    let hedge = usual().prop_map(|delay| HedgePolicy {
        delay: HedgeDelay::Fixed(delay),
        max: 1,
        ratio: 1.0,
    });
    (
        prop_oneof![
            pool(closed_for_good().boxed(), usual().boxed()),
            pool(touchy().boxed(), usual().boxed()),
            pool(closed_for_good().boxed(), duration().boxed()),
        ],
        requests(usual(), usual(), 10, 5),
        prop_oneof![2 => Just(CommitOn::Headers), 1 => first_message],
        prop_oneof![2 => Just(None), 1 => hedge.prop_map(Some)],
        any::<u64>(),
    )
        .prop_map(|((mut pool, statuses), requests, commit_on, hedge, seed)| {
            pool.retry.by = RetriesBy::Router;
            pool.retry.commit_on = commit_on;
            pool.retry.hedge = hedge;
            Case {
                pool,
                statuses,
                requests,
                checks: Vec::new(),
                workers: 1,
                seed,
            }
        })
}
