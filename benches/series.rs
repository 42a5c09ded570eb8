//! What is varied to see how the cost grows, from the least to the most.
//!
//! | varied | what a request sees |
//! |---|---|
//! | endpoints | 2 to 200 clusters in one pool, by `round_robin` and `least_response_time` |
//! | pools | the request belongs to the last of 1 to 100 |
//! | workers | 1 to 4, which share the proxy's processor: what more of them cost, not what they gain |
//! | under way | so many requests at a time, whose answers take long enough for about 5,000 a second |
//! | waiting retries | so many requests at a time wait for their second attempt, after both endpoints answer 503 |

use std::time::Duration;

use steerage_harness::serde_json::{Value, json};

use crate::upstream::Conduct;

/// One thing that is varied.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// What the numbers count.
    pub(crate) of: &'static str,
    /// What its figures are compared with.
    pub(crate) base: Base,
    pub(crate) cases: Vec<Case>,
}

/// With what figures are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    /// The figure of the same series at this number.
    At(u32),
    /// The figure of this series at the same number.
    Beside(&'static str),
}

/// A point of a series.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) number: u32,
    pub(crate) endpoints: u32,
    /// The filter's configuration; `None` is bare Envoy, which spreads over the same clusters by weights.
    pub(crate) config: Option<String>,
    pub(crate) workers: u32,
    connections: u32,
    pub(crate) conduct: Conduct,
    /// How long a request takes; 0 is as long as it has to.
    pub(crate) takes: Duration,
}

impl Case {
    fn new(number: u32) -> Self {
        Self {
            number,
            endpoints: 4,
            config: Some(pool(4, "round_robin")),
            workers: 1,
            connections: 16,
            conduct: Conduct::Prompt,
            takes: Duration::ZERO,
        }
    }

    fn bare(self) -> Self {
        Self {
            config: None,
            ..self
        }
    }

    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.connections).unwrap_or(usize::MAX)
    }

    /// Whether its requests are many because each is held for a while.
    pub(crate) fn is_held(&self) -> bool {
        !self.takes.is_zero()
    }
}

/// All of them; to `check` only, without thousands of requests at a time.
pub(crate) fn all(check: bool) -> Vec<Series> {
    let few: &[u32] = &[1, 2, 4];
    let many: &[u32] = if check {
        &[1, 100]
    } else {
        &[1, 100, 1_000, MOST]
    };
    let series = |name, of, base, numbers: &[u32], case: &dyn Fn(u32) -> Case| Series {
        name,
        of,
        base,
        cases: numbers.iter().copied().map(case).collect(),
    };
    let endpoints = |name, config: &dyn Fn(u32) -> Option<String>| {
        let case = |number| Case {
            endpoints: number,
            config: config(number),
            ..Case::new(number)
        };
        series(name, "endpoints", Base::At(4), &[2, 4, 20, 200], &case)
    };
    let by = |strategy| endpoints(strategy, &|number| Some(pool(number, strategy)));
    let pools = |number| Case {
        config: Some(pools(number)),
        ..Case::new(number)
    };
    let workers = |number| Case {
        workers: number,
        ..Case::new(number)
    };
    let under_way = |number| {
        let takes = Duration::from_micros(200) * number;
        Case {
            connections: number,
            conduct: Conduct::Slow(takes),
            takes,
            ..Case::new(number)
        }
    };
    let waiting = |number| {
        let takes = Duration::from_micros(400) * number;
        Case {
            endpoints: 2,
            config: Some(retrying(takes)),
            connections: number,
            conduct: Conduct::Ill {
                after: Duration::ZERO,
                failures: 10,
            },
            takes,
            ..Case::new(number)
        }
    };
    vec![
        by("round_robin"),
        by("least_response_time"),
        endpoints("bare Envoy, weights", &|_| None),
        series("pools", "pools", Base::At(1), &[1, 10, 100], &pools),
        series(
            "workers",
            "workers",
            Base::Beside(BARE_WORKERS),
            few,
            &workers,
        ),
        series(BARE_WORKERS, "workers", Base::At(1), few, &|number| {
            workers(number).bare()
        }),
        series(
            "under way",
            "requests",
            Base::Beside(BARE_UNDER_WAY),
            many,
            &under_way,
        ),
        series(BARE_UNDER_WAY, "requests", Base::At(100), many, &|number| {
            under_way(number).bare()
        }),
        series("waiting retries", "requests", Base::At(100), many, &waiting),
    ]
}

/// The names of the clusters.
pub(crate) fn names(endpoints: u32) -> Vec<String> {
    (0..endpoints).map(|number| format!("c{number}")).collect()
}

/// A pool whose endpoints take as much as comes.
fn pool(endpoints: u32, strategy: &str) -> String {
    json!({
        "endpoints": names(endpoints),
        "load_balancer": {"strategy": strategy},
        "max_connections": 10_000,
    })
    .to_string()
}

/// The last of them takes all.
fn pools(number: u32) -> String {
    let pool = |n: u32| {
        let path = if n == number {
            "/".to_owned()
        } else {
            format!("/service-{n}/")
        };
        json!({"name": format!("p{n}"), "match": {"prefix": path}, "endpoints": names(4)})
    };
    let pools: Vec<Value> = (1..=number).map(pool).collect();
    json!({"pools": pools}).to_string()
}

/// Every request is tried twice, with this delay, whatever comes.
fn retrying(delay: Duration) -> String {
    let never = json!({"failure_threshold": 1_000_000, "minimum_requests": 1_000_000});
    json!({
        "endpoints": names(2),
        "retry_policy": {
            "max_attempts": 2,
            "strategy": "fixed",
            "base_delay": delay.as_secs_f64().max(0.001),
            "jitter": "none",
            "budget": false,
        },
        "circuit_breaker": never,
        "max_connections": 10_000,
    })
    .to_string()
}

const BARE_UNDER_WAY: &str = "bare Envoy, under way";
const BARE_WORKERS: &str = "bare Envoy, workers";

/// Up to what a process with 20,000 open files can have under way.
const MOST: u32 = 9_000;
