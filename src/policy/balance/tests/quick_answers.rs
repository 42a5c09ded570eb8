//! An endpoint that is quick to say no gets its fair share at most, whatever the strategy.

use super::by_load::{GOOD, Load};
use super::*;
use crate::outcome::GrpcStatus;
use crate::retry::Statuses;

/// Every strategy that draws no hash.
fn strategies() -> [Strategy; 8] {
    [
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
        Strategy::LeastConnections,
        Strategy::LeastResponseTime,
        Strategy::PowerOfTwo,
        Strategy::Random,
        Strategy::WeightedRandom,
        Strategy::HealthBased,
    ]
}

/// The share of the attempts, in per cent, that go to the one endpoint of three that answers like
/// this at once, while the others take 50 ms for a good answer.
fn share(strategy: &Strategy, outcome: Outcome, clients: usize, listed: bool) -> u32 {
    let mut load = Load::new(strategy.clone(), "a b c");
    if listed {
        load.pool.retry.statuses = Statuses::new([400..=599].to_vec());
    }
    let borne = load.run(clients, 30, |position| match position {
        1 => (1, outcome),
        _ => (50, GOOD),
    });
    let all: u32 = borne.iter().map(|each| each.attempts).sum();
    borne[1].attempts * 100 / all
}

#[test]
fn an_endpoint_that_says_no_at_once_attracts_nothing() {
    let answers = [
        (Outcome::Answered(401), false),
        (Outcome::Answered(401), true),
        (Outcome::Answered(404), false),
        (Outcome::Answered(501), false),
        (Outcome::Answered(429), true),
        (Outcome::Answered(503), true),
        (Outcome::Grpc(GrpcStatus::UNAVAILABLE), true),
        (Outcome::Grpc(GrpcStatus(16)), false),
        (Outcome::Reset, true),
        (Outcome::Event, true),
    ];
    for strategy in strategies() {
        for (outcome, listed) in answers {
            for clients in [1, 4, 24] {
                let share = share(&strategy, outcome, clients, listed);
                // A third, and chance.
                assert!(
                    share <= 36,
                    "{strategy:?}, {outcome:?}, listed {listed}, {clients} clients: {share} %"
                );
            }
        }
    }
}
