//! One example of every kind of record, with the very bytes that it must have.
//!
//! Workers of an old build and of a new one run side by side during an update. They may only read
//! each other's records if the bytes are the same, which a round trip within one build cannot show.

use core::fmt::Write as _;
use core::time::Duration;

use steerage_policy::breaker::{BreakerParts, Permit, StateParts, TrialId};
use steerage_policy::endpoint::operator::{Circuit, Operator};
use steerage_policy::endpoint::{Agreed, CoolDown, Others, Scope};
use steerage_policy::health::{Health, HealthParts};
use steerage_policy::limit::{Share, Unloaded};
use steerage_policy::stats::spending::Spending;
use steerage_policy::stats::totals::{PoolTotals, Totals};
use steerage_policy::stats::window::Counts;
use steerage_policy::time::Instant;

use crate::agreement::{self, Entry};
use crate::description::{DescribedEndpoint, Description};
use crate::key::LAYOUT;
use crate::report::{EndpointReport, PoolReport};
use crate::slot::{Record, WorkerId};
use crate::wire::scopes::{self as wire_scopes, Endpoints};

const GOLDEN: &str = include_str!("../golden.txt");

/// So many digits stand in a line of the file.
const DIGITS: usize = 96;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Every field has a value of its own; the second endpoint has none where there may be none.
pub(super) fn slot() -> Record {
    let full = EndpointReport {
        endpoint: "outbound|80||a".to_owned(),
        now: Others {
            active: 1,
            counts: Counts {
                successes: 2,
                failures: 300,
                unwanted: 31,
                slow: 4,
                micros: 5_000_000_000,
            },
            seconds: Some(0.25),
            updated: Some(at(6)),
            last: Some((at(7), Duration::new(8, 9))),
            consecutive_successes: 10,
            share: Share {
                workers: 11,
                limit: 12,
                pressed: Some(at(13)),
                unloaded: Some(Unloaded {
                    at: at(14),
                    seconds: 1.5,
                    count: 15,
                }),
                doubted: Some(at(16)),
            },
        },
        totals: Totals {
            attempts: 17,
            outcomes: [18, 19, 20, 21, 22, 23, 32, 62],
            micros: 24,
            transitions: [25, 26, 27],
            checks: [28, 29, 30],
        },
    };
    let bare = EndpointReport {
        endpoint: "ü".to_owned(),
        now: Others::default(),
        totals: Totals::default(),
    };
    Record {
        owner: WorkerId(u64::MAX),
        published: at(31),
        lasts: Duration::from_secs(3),
        pools: vec![PoolReport {
            pool: "default".to_owned(),
            spending: Spending {
                requests: 32,
                retries: 33,
                hedges: 34,
            },
            totals: PoolTotals {
                requests: 35,
                successes: 36,
                failures: 37,
                micros: 38,
                retries: [39, 40, 41, 42, 43, 63],
                denied: [44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56],
                statuses: vec![(200, 57), (503, 58)],
            },
            times: vec![(59, 60), (511, 61)],
            endpoints: vec![full, bare],
        }],
    }
}

/// Every state of a breaker, every verdict, and every override of an operator.
pub(super) fn agreement() -> Vec<Entry> {
    let permits = [(1, 2), (u64::MAX, 3)].map(|(trial, expires)| Permit {
        trial: TrialId(trial),
        expires: at(expires),
    });
    let half_open = StateParts::HalfOpen {
        successes: 4,
        permits: permits.to_vec(),
    };
    let ended = Some((Circuit::Open, Some(at(5))));
    let endless = Some((Circuit::Closed, None));
    [
        entry(
            "closed",
            StateParts::Closed { failures: 6 },
            Health::Healthy,
            ended,
        ),
        entry(
            "open",
            StateParts::Open { until: at(7) },
            Health::Degraded,
            endless,
        ),
        entry("half-open", half_open, Health::Unhealthy, None),
        Entry {
            endpoint: "fresh".to_owned(),
            agreed: Agreed::default(),
        },
    ]
    .to_vec()
}

fn entry(
    endpoint: &str,
    state: StateParts,
    health: Health,
    circuit: Option<(Circuit, Option<Instant>)>,
) -> Entry {
    let breaker = BreakerParts {
        state,
        generation: 8,
        since: at(9),
        consecutive_failures: 10,
        openings: 11,
        open_time: Duration::new(12, 13),
    };
    let parts = HealthParts {
        verdict: health,
        consecutive: 14,
        are_good: true,
        checked: Some(at(15)),
        due: Some(at(16)),
        degraded_until: Some(at(17)),
        usable_since: Some(at(18)),
    };
    Entry {
        endpoint: endpoint.to_owned(),
        agreed: Agreed {
            breaker: breaker.into(),
            health: parts.into(),
            cooling: Some(CoolDown {
                until: at(19),
                requested: at(42),
                asked: at(43),
            }),
            operator: Operator::new(Some(health), circuit),
        },
    }
}

pub(super) fn description() -> Description {
    let endpoint = |cluster: &str, name: &str, weight, enabled| DescribedEndpoint {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        weight,
        enabled,
    };
    Description {
        strategy: "round_robin".to_owned(),
        half_open_requests: 1,
        limit: 200,
        is_dynamic: true,
        keepalive_expiry: Duration::from_secs(5),
        window: Duration::from_millis(10_500),
        panic_threshold: Some(0.5),
        is_checked: true,
        endpoints: vec![
            endpoint("outbound|80||a", "a", 1.0, true),
            endpoint("b", "b", 0.0, false),
        ],
    }
}

/// Cool-downs of one endpoint for two scopes, of another for one of them.
fn scopes() -> Endpoints {
    let cooling = |first| CoolDown {
        until: at(first),
        requested: at(first + 1),
        asked: at(first + 2),
    };
    let both = [(Scope(44), cooling(45)), (Scope(u64::MAX), cooling(1_000))];
    let one = [(Scope(44), cooling(48))];
    [(51, both.to_vec().into()), (52, one.to_vec().into())].into()
}

/// The examples as they are encoded today.
fn records() -> [(&'static str, Vec<u8>); 4] {
    [
        ("slot", slot().encode()),
        ("agreement", agreement::encode(&agreement())),
        ("description", description().encode()),
        ("scopes", wire_scopes::encode(&scopes())),
    ]
}

/// The file as it would be for the records of today.
fn written() -> String {
    let mut text = format!("LAYOUT {LAYOUT}\n");
    for (name, bytes) in records() {
        let digits: Vec<char> = bytes.iter().flat_map(|byte| hex(*byte)).collect();
        writeln!(text, "{name}").unwrap();
        for line in digits.chunks(DIGITS) {
            writeln!(text, "{}", String::from_iter(line)).unwrap();
        }
    }
    text
}

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap())
}

/// The bytes of a record in the file.
fn golden(name: &str) -> Vec<u8> {
    let lines = GOLDEN.lines().skip_while(|line| *line != name).skip(1);
    let is_hex = |line: &&str| line.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits: String = lines.take_while(is_hex).collect();
    (0..digits.len() / 2)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_bytes_of_every_record_are_as_before() {
    let today = written();
    let layout = format!("LAYOUT {LAYOUT}");
    assert_eq!(
        GOLDEN.lines().next(),
        Some(&*layout),
        "golden.txt is of another layout; renew it:\n{today}"
    );
    for (name, bytes) in records() {
        assert!(
            bytes == golden(name),
            "the bytes of {name} have changed: raise LAYOUT in key.rs and renew golden:\n{today}"
        );
    }
    assert_eq!(GOLDEN, today, "golden.txt holds something else as well");
}

#[test]
fn the_golden_bytes_are_read_as_what_was_written() {
    assert_eq!(Record::decode(&golden("slot")), Ok(slot()));
    assert_eq!(agreement::decode(&golden("agreement")), Ok(agreement()));
    assert_eq!(
        Description::decode(&golden("description")),
        Ok(description())
    );
    assert_eq!(wire_scopes::decode(&golden("scopes")), Ok(scopes()));
}
