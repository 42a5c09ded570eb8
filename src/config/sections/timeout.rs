//! `timeout`: the limits in time.
//!
//! A `total` that is shorter than the defaults of `connect` and `read` shortens these defaults.
//!
//! Example: `{"total": 7}` has a `connect` of 1 s and a `read` of 6 s.

use core::time::Duration;

use steerage_policy::pool::{Timeouts, TotalTooShort};

use crate::decimal::Decimal;
use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::report::{Errors, Reported};
use crate::section;

section! {
    /// `timeout`.
    pub static TIMEOUT: Timeout;
    CONNECT: Duration = Key::span(
        "connect",
        "5",
        "for a connection to be made; set on the clusters. By default less where `total` is less \
         than 35",
    );
    READ: Duration = Key::span(
        "read",
        "30",
        "for an attempt to begin to answer once the request is sent. By default less where `total` \
         is less than 35",
    );
    WRITE: Duration = Key::span("write", "30", "for the client to finish its request");
    TOTAL: Duration = Key::span(
        "total",
        "60",
        "for the answer to the client to begin, all attempts and delays included; at least \
         connect + read",
    );
}

#[inline(never)]
pub(super) fn timeouts(
    fields: &Fields<'_, Timeout>,
    errors: &mut Errors,
) -> Result<Timeouts, Reported> {
    let default = Timeouts::default();
    let (connect, read) = (fields.get(&CONNECT)?, fields.get(&READ)?);
    let write = fields.get(&WRITE)?.unwrap_or_else(|| default.write());
    let total = fields.get(&TOTAL)?.unwrap_or_else(|| default.total());
    let (connect, read) = fitted(connect, read, total);
    Timeouts::new(connect, read, write, total).map_err(|TotalTooShort { total, least }| {
        let what = "connect + read";
        let mut error = fields.error(&TOTAL, Problem::AtLeast { what, least });
        if error.value.is_none() {
            error.value = Some(format!("{} (the default)", Decimal(total.as_secs_f64())).into());
        }
        errors.report(error)
    })
}

/// `connect` and `read`, each as given or its default. Defaults leave room for the other within
/// `total`, if there is any.
fn fitted(
    connect: Option<Duration>,
    read: Option<Duration>,
    total: Duration,
) -> (Duration, Duration) {
    let default = Timeouts::default();
    let beside = |other: Duration, default: Duration| match total.saturating_sub(other) {
        Duration::ZERO => default,
        left => left.min(default),
    };
    match (connect, read) {
        (Some(connect), Some(read)) => (connect, read),
        (Some(connect), None) => (connect, beside(connect, default.read())),
        (None, Some(read)) => (beside(read, default.connect()), read),
        (None, None) => {
            // The defaults are as 1 to 6.
            let connect = default.connect().min(total / 7);
            (connect, beside(connect, default.read()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[track_caller]
    fn check_fitted(timeout: &str, connect: u64, read: u64) {
        let document = format!(r#"{{"endpoints": ["a"], "timeout": {timeout}}}"#);
        let config = crate::parse(document.as_bytes()).unwrap();
        let timeouts = config.pools[0].pool.timeouts;
        let found = (timeouts.connect(), timeouts.read());
        let expected = (Duration::from_secs(connect), Duration::from_secs(read));
        assert_eq!(found, expected, "{timeout}");
    }

    #[test]
    fn defaults_shrink_to_fit_into_the_total() {
        check_fitted("{}", 5, 30);
        check_fitted(r#"{"total": 35}"#, 5, 30);
        check_fitted(r#"{"total": 7}"#, 1, 6);
        check_fitted(r#"{"total": 10, "connect": 1}"#, 1, 9);
        check_fitted(r#"{"total": 10, "read": 8}"#, 2, 8);
        check_fitted(r#"{"total": 10, "read": 2}"#, 5, 2);
        check_fitted(r#"{"read": 58}"#, 2, 58);
    }

    #[test]
    fn what_is_given_is_not_changed() {
        check(
            r#"{"pools": [
                {"name": "a", "endpoints": ["a"], "timeout": {"total": 10, "connect": 4, "read": 7}},
                {"name": "b", "endpoints": ["a"], "timeout": {"total": 10, "read": 10}},
                {"name": "c", "endpoints": ["a"], "timeout": {"connect": 60}}
            ]}"#,
            &[
                "pools[0].timeout.total: must be at least connect + read = 11 s, got 10",
                "pools[1].timeout.total: must be at least connect + read = 15 s, got 10",
                "pools[2].timeout.total: must be at least connect + read = 90 s, got 60 (the default)",
            ],
        );
    }
}
