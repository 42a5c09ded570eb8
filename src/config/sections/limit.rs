//! `connection_pool`: how many attempts an endpoint takes at a time, and how many connections its
//! cluster keeps.
//!
//! Some of these values have a second spelling in the pool itself. The pool refuses both together;
//! here the one that is given is read.
//!
//! Example: `{"expected_rps": 50, "avg_response_time": 0.3}` is a limit of 18; with
//! `"dynamic": true` the limit begins with 18 and follows the response times, up to 100.

use core::time::Duration;

use steerage_policy::limit::{self, Keepalive, Limit};

use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::report::{Errors, Reported};
use crate::section;

section! {
    /// `connection_pool`.
    pub static CONNECTION_POOL: ConnectionPool;
    MAX_CONNECTIONS: u32 = Key::count(
        "max_connections",
        "100",
        "most attempts at a time to an endpoint, over all workers",
    );
    MAX_KEEPALIVE_CONNECTIONS: u32 = Key::count(
        "max_keepalive_connections",
        "20",
        "most idle connections that are kept; belongs to the clusters",
    );
    KEEPALIVE_EXPIRY: Duration = Key::span(
        "keepalive_expiry",
        "5",
        "how long an idle connection is kept; belongs to the clusters",
    );
    EXPECTED_RPS: f64 = Key::number(
        "expected_rps",
        false,
        1e9,
        "–",
        "requests a second to an endpoint; with avg_response_time it gives the limit by Little's law",
    );
    AVG_RESPONSE_TIME: Duration = Key::span("avg_response_time", "–", "see expected_rps");
    DYNAMIC: bool = Key::flag(
        "dynamic",
        "false",
        "whether the limit follows the measured response times",
    );
}

/// The limit. `other_most` is `max_connections` of the pool itself.
#[inline(never)]
pub(super) fn limit(
    fields: &Fields<'_, ConnectionPool>,
    other_most: Result<Option<u32>, Reported>,
    errors: &mut Errors,
) -> Result<Limit, Reported> {
    let size = size(fields, errors);
    let most = fields
        .get(&MAX_CONNECTIONS)?
        .or(other_most?)
        .unwrap_or(Limit::DEFAULT.most());
    let size = size?.map(|size| size.min(most));
    Ok(if fields.get(&DYNAMIC)?.unwrap_or(false) {
        Limit::Dynamic {
            start: size.unwrap_or(limit::DEFAULT_START).min(most),
            most,
        }
    } else {
        Limit::Fixed(size.unwrap_or(most))
    })
}

/// The size by Little's law, if what it takes is given.
fn size(fields: &Fields<'_, ConnectionPool>, errors: &mut Errors) -> Result<Option<u32>, Reported> {
    let rate = fields.get(&EXPECTED_RPS);
    let time = fields.get(&AVG_RESPONSE_TIME);
    let (rate_name, time_name) = (EXPECTED_RPS.field.name, AVG_RESPONSE_TIME.field.name);
    Err(errors.report(match (rate?, time?) {
        (None, None) => return Ok(None),
        (Some(rate), Some(time)) => return Ok(Some(limit::size(rate, time.as_secs_f64()))),
        (Some(_), None) => fields.error(
            &AVG_RESPONSE_TIME,
            Problem::RequiredBeside { field: rate_name },
        ),
        (None, Some(_)) => {
            fields.error(&EXPECTED_RPS, Problem::RequiredBeside { field: time_name })
        }
    }))
}

/// How many idle connections are kept, and how long. The others are the fields of the pool itself.
#[inline(never)]
pub(super) fn keepalive(
    fields: &Fields<'_, ConnectionPool>,
    other_most: Result<Option<u32>, Reported>,
    other_expiry: Result<Option<Duration>, Reported>,
) -> Result<Keepalive, Reported> {
    let default = Keepalive::default();
    Ok(Keepalive {
        most: fields
            .get(&MAX_KEEPALIVE_CONNECTIONS)?
            .or(other_most?)
            .unwrap_or(default.most),
        expiry: fields
            .get(&KEEPALIVE_EXPIRY)?
            .or(other_expiry?)
            .unwrap_or(default.expiry),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, pool};
    use core::time::Duration;

    #[test]
    fn a_limit_is_given_or_follows_from_rate_and_time() {
        for (fields, expected) in [
            ("", Limit::Fixed(100)),
            (r#""max_connections": 7"#, Limit::Fixed(7)),
            (
                r#""expected_rps": 50, "avg_response_time": 0.3"#,
                Limit::Fixed(18),
            ),
            (
                r#""expected_rps": 1, "avg_response_time": "1ms""#,
                Limit::Fixed(1),
            ),
            (
                r#""expected_rps": 1000, "avg_response_time": 1, "max_connections": 200"#,
                Limit::Fixed(200),
            ),
            (
                r#""dynamic": true"#,
                Limit::Dynamic {
                    start: limit::DEFAULT_START,
                    most: 100,
                },
            ),
            (
                r#""dynamic": true, "max_connections": 7"#,
                Limit::Dynamic { start: 7, most: 7 },
            ),
            (
                r#""dynamic": true, "expected_rps": 10, "avg_response_time": 1"#,
                Limit::Dynamic {
                    start: 12,
                    most: 100,
                },
            ),
        ] {
            let limit = pool(&format!(r#""connection_pool": {{{fields}}}"#)).limit;
            assert_eq!(limit, expected, "{fields}");
        }
        assert_eq!(pool(r#""max_connections": 9"#).limit, Limit::Fixed(9));
    }

    #[test]
    fn rate_and_time_belong_together() {
        check(
            r#"{"pools": [
                {"name": "a", "endpoints": ["a"], "connection_pool": {"expected_rps": 5}},
                {"name": "b", "endpoints": ["a"], "connection_pool": {"avg_response_time": 5}},
                {"name": "c", "endpoints": ["a"],
                 "connection_pool": {"expected_rps": 0, "max_connections": 0}}
            ]}"#,
            &[
                "pools[2].connection_pool.expected_rps: must be a number above 0 and at most \
                 1000000000, got 0",
                "pools[2].connection_pool.max_connections: must be a whole number from 1 to \
                 1000000, got 0",
                "pools[0].connection_pool.avg_response_time: must be given when expected_rps is \
                 given",
                "pools[1].connection_pool.expected_rps: must be given when avg_response_time is \
                 given",
            ],
        );
    }

    #[test]
    fn what_belongs_to_the_clusters_is_passed_on() {
        let expected = Keepalive {
            most: 3,
            expiry: Duration::from_secs(4),
        };
        let fields = r#""max_keepalive_connections": 3, "keepalive_expiry": 4"#;
        assert_eq!(pool(fields).keepalive, expected);
        let section = format!(r#""connection_pool": {{{fields}}}"#);
        assert_eq!(pool(&section).keepalive, expected);
        assert_eq!(
            pool(r#""connection_pool": {}"#).keepalive,
            Keepalive::default()
        );
    }
}
