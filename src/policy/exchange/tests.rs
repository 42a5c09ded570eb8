//! The walk of one request over the endpoints of its pool.

use super::*;
use crate::endpoint::{Agreed, Endpoint};
use alloc::vec::Vec;
use rand::{SeedableRng as _, rngs::SmallRng};

const REPEATABLE: Repeatability = Repeatability {
    allowed: true,
    obstacle: None,
};

fn at(seconds: f64) -> Instant {
    Instant::ORIGIN + crate::time::from_seconds(seconds)
}

/// Chooses and begins the next attempt, as the shell does while all breakers are closed.
fn next(
    exchange: &mut Exchange,
    pool: &Pool,
    state: &mut PoolState,
    now: Instant,
) -> Result<Attempt, Denial> {
    let mut rng = SmallRng::seed_from_u64(1);
    let choice = exchange.choose(pool, state, now, &mut rng)?;
    let pass = choice.free_pass.ok_or(Denial::NoEndpointAvailable)?;
    Ok(exchange.attempt(pool, state, choice.endpoint, pass, now))
}

#[test]
fn an_exchange_walks_over_all_endpoints_and_then_starts_again() {
    let pool = Pool::new("p", ["a", "b", "c"].map(Endpoint::new).to_vec());
    let mut state = PoolState::new(&pool);
    let mut exchange = Exchange::begin(&pool, &mut state, REPEATABLE, None, None, at(0.0));
    let mut visited = Vec::new();
    for _ in 0..4 {
        let attempt = next(&mut exchange, &pool, &mut state, at(0.0)).unwrap();
        visited.push(attempt.endpoint().position());
        assert_eq!(state.endpoint(attempt.endpoint()).unwrap().active(), 1);
        state.end(attempt);
    }
    assert_eq!(visited, [0, 1, 2, 0]);
    assert_eq!(exchange.attempts(), 4);
    assert_eq!(exchange.last_endpoint(), EndpointIndex::new(0));
}

#[test]
fn an_attempts_timeout_never_outlasts_the_deadline() {
    let pool = Pool::new("p", [Endpoint::new("a")].to_vec());
    let mut state = PoolState::new(&pool);
    let mut exchange = Exchange::begin(&pool, &mut state, REPEATABLE, None, None, at(0.0));
    let first = next(&mut exchange, &pool, &mut state, at(0.0)).unwrap();
    assert_eq!(first.timeout(), Duration::from_secs(30));
    assert!(!exchange.expired_with(&first, Outcome::Timeout, at(30.0)));
    let second = next(&mut exchange, &pool, &mut state, at(30.1)).unwrap();
    assert_eq!(second.timeout(), Duration::from_millis(29_900));
    assert!(exchange.expired_with(&second, Outcome::Timeout, at(60.0)));
    assert!(exchange.expired_with(&second, Outcome::Reset, at(60.0)));
    assert!(!exchange.expired_with(&second, Outcome::Reset, at(59.0)));
    assert!(!exchange.expired_with(&second, Outcome::ConnectFailure, at(60.0)));
    state.end(first);
    state.end(second);
}

#[test]
fn without_an_available_endpoint_there_is_no_attempt() {
    let mut pool = Pool::new("p", [Endpoint::new("a")].to_vec());
    pool.panic_threshold = None;
    let mut state = PoolState::new(&pool);
    let mut exchange = Exchange::begin(&pool, &mut state, REPEATABLE, None, None, at(0.0));
    for endpoint in &mut state.endpoints {
        let mut agreed = Agreed::default();
        agreed.health.fail_immediately();
        endpoint.agree(agreed);
    }
    let refused = next(&mut exchange, &pool, &mut state, at(0.0));
    assert_eq!(
        refused.map(|attempt| attempt.number()),
        Err(Denial::NoEndpointAvailable)
    );
    assert_eq!(exchange.attempts(), 0);
}

#[test]
fn a_late_timer_begins_no_attempt_after_the_deadline() {
    let pool = Pool::new("p", [Endpoint::new("a")].to_vec());
    let mut state = PoolState::new(&pool);
    let mut exchange = Exchange::begin(&pool, &mut state, REPEATABLE, None, None, at(0.0));
    let late = next(&mut exchange, &pool, &mut state, at(60.0));
    assert_eq!(late.map(|attempt| attempt.number()), Err(Denial::Deadline));
}
