//! # A custom filter
//!
//! Steerage for a service that has its own machines and rents more when those are busy. This
//! package does in Rust what the configuration cannot express, for the pool `models`. Every other
//! pool stays as configured.
//!
//! `make custom-filter` builds `target/custom-filter.wasm`. An Envoy loads it in place of
//! `target/steerage.wasm`, with the same configuration.

use std::time::Duration;

use steerage::rand::Rng;
use steerage::{
    AnswerInfo, AttemptInfo, Backoff, Balancer, Candidates, EndpointIndex, Extensions, HashKey,
    Headers, Instant, RequestInterceptor, ResponseInterceptor,
};

steerage::filter!(extensions);

/// The extensions of the pool with this name.
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

/// Delays grow by one step more each time: 1, 3, 6, 10 … steps.
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

/// The first endpoint of the configuration that has room. An endpoint is used only while all
/// earlier ones have `limit` attempts under way.
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
        // If all are full, `None`: the pool then draws one by weight.
        candidates
            .iter()
            .find(|candidate| candidate.state.active() < self.limit)
            .map(|candidate| candidate.index)
    }
}

/// Rented endpoints get the attempt's number for billing, and not the client's cookies.
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

/// Shows browsers which endpoint answered and how long it took.
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
