//! How many attempts an endpoint takes at a time, and how many connections its cluster keeps.
//!
//! Some of these values have a second spelling in the pool itself. That both are given has been
//! reported already; whichever is there is read.
//!
//! Example: `{"expected_rps": 50, "avg_response_time": 0.3}` is a limit of 18; with
//! `"dynamic": true` the limit begins with 18 and goes where the response times lead it, up to 100.

use steerage_policy::limit::{self, Keepalive, Limit};

use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};

pub(super) fn limit(
    pool: &Fields<'_>,
    fields: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<Limit, Reported> {
    let size = size(fields, errors);
    let most = match fields.whole("max_connections")? {
        Some(most) => Some(most),
        None => pool.whole("max_connections")?,
    };
    let most = most.unwrap_or(Limit::DEFAULT.most());
    let size = size?.map(|size| size.min(most));
    Ok(if fields.flag("dynamic")?.unwrap_or(false) {
        Limit::Dynamic {
            start: size.unwrap_or(limit::DEFAULT_START).min(most),
            most,
        }
    } else {
        Limit::Fixed(size.unwrap_or(most))
    })
}

/// The size by Little's law, if what it takes is given.
fn size(fields: &Fields<'_>, errors: &mut Vec<ConfigError>) -> Result<Option<u32>, Reported> {
    let rate = fields.number("expected_rps");
    let time = fields.span("avg_response_time");
    let (missing, field) = match (rate?, time?) {
        (None, None) => return Ok(None),
        (Some(rate), Some(time)) => return Ok(Some(limit::size(rate, time.as_secs_f64()))),
        (Some(_), None) => ("avg_response_time", "expected_rps"),
        (None, Some(_)) => ("expected_rps", "avg_response_time"),
    };
    errors.push(fields.error(missing, Problem::RequiredBeside { field }));
    Err(Reported)
}

pub(super) fn keepalive(pool: &Fields<'_>, fields: &Fields<'_>) -> Result<Keepalive, Reported> {
    let default = Keepalive::default();
    let most = match fields.whole("max_keepalive_connections")? {
        Some(most) => Some(most),
        None => pool.whole("max_keepalive_connections")?,
    };
    let expiry = match fields.span("keepalive_expiry")? {
        Some(expiry) => Some(expiry),
        None => pool.span("keepalive_expiry")?,
    };
    Ok(Keepalive {
        most: most.unwrap_or(default.most),
        expiry: expiry.unwrap_or(default.expiry),
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
