//! What the workers agree on for a pool, on the wire.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use steerage_policy::breaker::{BreakerParts, Permit as PolicyPermit, StateParts, TrialId};
use steerage_policy::endpoint::operator::{Circuit as PolicyCircuit, Operator};
use steerage_policy::endpoint::{Agreed, CoolDown as PolicyCoolDown};
use steerage_policy::health::{Health as PolicyHealth, HealthParts};
use steerage_policy::time::Instant;

use super::number::{instant, nanos, time};

/// What is agreed on one endpoint. The record under a pool's key is a sequence of these, in the
/// order in which the endpoints were first changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry<'a> {
    pub(crate) cluster: &'a str,
    breaker: Breaker,
    health: HealthRecord,
    cooling: Option<CoolDown>,
    said_health: Option<Health>,
    said_circuit: Option<SaidCircuit>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Breaker {
    state: State,
    generation: u32,
    since: u64,
    consecutive_failures: u32,
    openings: u32,
    /// In nanoseconds.
    open_time: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: u64,
    },
    HalfOpen {
        successes: u32,
        permits: Vec<Permit>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Permit {
    trial: u64,
    expires: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct HealthRecord {
    verdict: Health,
    consecutive: u32,
    are_good: bool,
    checked: Option<u64>,
    due: Option<u64>,
    degraded_until: Option<u64>,
    usable_since: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CoolDown {
    until: u64,
    requested: u64,
    asked: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Health {
    Healthy,
    Degraded,
    Unhealthy,
    Unknown,
}

/// What an operator has said of a circuit; without an end until it is taken back.
#[derive(Debug, Serialize, Deserialize)]
struct SaidCircuit {
    circuit: Circuit,
    until: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Circuit {
    Open,
    Closed,
}

impl<'a> Entry<'a> {
    /// What is agreed on the endpoint of this cluster.
    pub(crate) fn new(cluster: &'a str, agreed: &Agreed) -> Self {
        let operator = &agreed.operator;
        Self {
            cluster,
            breaker: agreed.breaker.parts().into(),
            health: agreed.health.parts().into(),
            cooling: agreed.cooling.map(CoolDown::from),
            said_health: operator.health.map(Health::from),
            said_circuit: operator
                .circuit_and_end()
                .map(|(circuit, until)| SaidCircuit {
                    circuit: circuit.into(),
                    until: time(until),
                }),
        }
    }
}

/// Every entry that can be decoded is one that the policy may have written.
impl From<Entry<'_>> for Agreed {
    fn from(entry: Entry<'_>) -> Self {
        let said_circuit = entry
            .said_circuit
            .map(|said| (said.circuit.into(), instant(said.until)));
        Self {
            breaker: BreakerParts::from(entry.breaker).into(),
            health: HealthParts::from(entry.health).into(),
            cooling: entry.cooling.map(PolicyCoolDown::from),
            operator: Operator::new(entry.said_health.map(PolicyHealth::from), said_circuit),
        }
    }
}

impl From<BreakerParts> for Breaker {
    fn from(parts: BreakerParts) -> Self {
        Self {
            state: match parts.state {
                StateParts::Closed { failures } => State::Closed { failures },
                StateParts::Open { until } => State::Open {
                    until: until.as_nanos(),
                },
                StateParts::HalfOpen { successes, permits } => State::HalfOpen {
                    successes,
                    permits: permits.into_iter().map(Permit::from).collect(),
                },
            },
            generation: parts.generation,
            since: parts.since.as_nanos(),
            consecutive_failures: parts.consecutive_failures,
            openings: parts.openings,
            open_time: nanos(parts.open_time),
        }
    }
}

impl From<Breaker> for BreakerParts {
    fn from(breaker: Breaker) -> Self {
        Self {
            state: match breaker.state {
                State::Closed { failures } => StateParts::Closed { failures },
                State::Open { until } => StateParts::Open {
                    until: Instant::from_nanos(until),
                },
                State::HalfOpen { successes, permits } => StateParts::HalfOpen {
                    successes,
                    permits: permits.into_iter().map(PolicyPermit::from).collect(),
                },
            },
            generation: breaker.generation,
            since: Instant::from_nanos(breaker.since),
            consecutive_failures: breaker.consecutive_failures,
            openings: breaker.openings,
            open_time: Duration::from_nanos(breaker.open_time),
        }
    }
}

impl From<PolicyPermit> for Permit {
    fn from(permit: PolicyPermit) -> Self {
        Self {
            trial: permit.trial.0,
            expires: permit.expires.as_nanos(),
        }
    }
}

impl From<Permit> for PolicyPermit {
    fn from(permit: Permit) -> Self {
        Self {
            trial: TrialId(permit.trial),
            expires: Instant::from_nanos(permit.expires),
        }
    }
}

impl From<HealthParts> for HealthRecord {
    fn from(parts: HealthParts) -> Self {
        Self {
            verdict: parts.verdict.into(),
            consecutive: parts.consecutive,
            are_good: parts.are_good,
            checked: time(parts.checked),
            due: time(parts.due),
            degraded_until: time(parts.degraded_until),
            usable_since: time(parts.usable_since),
        }
    }
}

impl From<HealthRecord> for HealthParts {
    fn from(record: HealthRecord) -> Self {
        Self {
            verdict: record.verdict.into(),
            consecutive: record.consecutive,
            are_good: record.are_good,
            checked: instant(record.checked),
            due: instant(record.due),
            degraded_until: instant(record.degraded_until),
            usable_since: instant(record.usable_since),
        }
    }
}

impl From<PolicyCoolDown> for CoolDown {
    fn from(cooling: PolicyCoolDown) -> Self {
        Self {
            until: cooling.until.as_nanos(),
            requested: cooling.requested.as_nanos(),
            asked: cooling.asked.as_nanos(),
        }
    }
}

impl From<CoolDown> for PolicyCoolDown {
    fn from(cooling: CoolDown) -> Self {
        Self {
            until: Instant::from_nanos(cooling.until),
            requested: Instant::from_nanos(cooling.requested),
            asked: Instant::from_nanos(cooling.asked),
        }
    }
}

impl From<PolicyHealth> for Health {
    fn from(health: PolicyHealth) -> Self {
        match health {
            PolicyHealth::Healthy => Self::Healthy,
            PolicyHealth::Degraded => Self::Degraded,
            PolicyHealth::Unhealthy => Self::Unhealthy,
            PolicyHealth::Unknown => Self::Unknown,
        }
    }
}

impl From<Health> for PolicyHealth {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Degraded => Self::Degraded,
            Health::Unhealthy => Self::Unhealthy,
            Health::Unknown => Self::Unknown,
        }
    }
}

impl From<PolicyCircuit> for Circuit {
    fn from(circuit: PolicyCircuit) -> Self {
        match circuit {
            PolicyCircuit::Open => Self::Open,
            PolicyCircuit::Closed => Self::Closed,
        }
    }
}

impl From<Circuit> for PolicyCircuit {
    fn from(circuit: Circuit) -> Self {
        match circuit {
            Circuit::Open => Self::Open,
            Circuit::Closed => Self::Closed,
        }
    }
}
