//! # A filter of one's own
//!
//! Steerage for a service that has machines of its own and rents more when those are busy. What the
//! configuration cannot say, this package says in Rust, for the pool `models`; every other pool stays
//! as configured.
//!
//! `make custom-filter` builds `target/custom-filter.wasm`, which an Envoy loads in place of
//! `target/steerage.wasm` and configures like that.

use std::time::Duration;

use steerage::rand::Rng;
use steerage::{
    AnswerInfo, AttemptInfo, Backoff, Balancer, Candidates, EndpointIndex, Extensions, HashKey,
    Headers, Instant, RequestInterceptor, ResponseInterceptor,
};

steerage::filter!(extensions);

/// What the pool of this name uses.
fn extensions(pool: &str) -> Extensions {
    match pool {
        "models" => Extensions::new()
            .backoff(Triangular {
                step: Duration::from_millis(40),
            })
            .balancer(FillUp { limit: 2 })
            .request_interceptor(Discretion)
            .response_interceptor(ServerTiming),
        _ => Extensions::new(),
    }
}

/// Each delay is longer than the one before by one step more: 1, 3, 6, 10 … steps.
#[derive(Debug)]
struct Triangular {
    step: Duration,
}

impl Backoff for Triangular {
    fn delay(&self, n: u8) -> Duration {
        let n = u32::from(n);
        self.step * (n * (n + 1) / 2)
    }
}

/// The first endpoint of the configuration that has room: the next one is used only while those
/// before it have `limit` attempts under way.
#[derive(Debug)]
struct FillUp {
    limit: u32,
}

impl Balancer for FillUp {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        // If all are full there is no choice, and one is drawn by weight.
        candidates
            .iter()
            .find(|candidate| candidate.state.active() < self.limit)
            .map(|candidate| candidate.index)
    }
}

/// A rented endpoint is told which attempt it is paid for, and not who asks.
#[derive(Debug)]
struct Discretion;

impl RequestInterceptor for Discretion {
    fn on_attempt(&self, attempt: &AttemptInfo<'_>, headers: &mut Headers<'_>) {
        if attempt.endpoint.starts_with("rented") {
            headers.remove("cookie");
            headers.set("x-bill", &format!("{}/{}", attempt.pool, attempt.number));
        }
    }
}

/// Browsers show where an answer comes from and how long it took.
/// <https://www.w3.org/TR/server-timing/>
#[derive(Debug)]
struct ServerTiming;

impl ResponseInterceptor for ServerTiming {
    fn on_answer(&self, answer: &AnswerInfo<'_>, headers: &mut Headers<'_>) {
        let milliseconds = answer.response_time.as_millis();
        let timing = format!("{};dur={milliseconds}", answer.endpoint);
        headers.add("server-timing", &timing);
    }
}
