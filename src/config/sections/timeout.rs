//! `timeout`: the limits in time.

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
        "for a connection to be made; set on the clusters",
    );
    READ: Duration = Key::span(
        "read",
        "30",
        "for an attempt to begin to answer once the request is sent",
    );
    WRITE: Duration = Key::span("write", "30", "for the client to finish its request");
    TOTAL: Duration = Key::span(
        "total",
        "60",
        "for the answer to the client to begin, all attempts and delays included; at least \
         connect + read",
    );
}

pub(super) fn timeouts(
    fields: &Fields<'_, Timeout>,
    errors: &mut Errors,
) -> Result<Timeouts, Reported> {
    let default = Timeouts::default();
    let span = |key: &Key<Timeout, Duration>, default| Ok(fields.get(key)?.unwrap_or(default));
    let connect = span(&CONNECT, default.connect())?;
    let read = span(&READ, default.read())?;
    let write = span(&WRITE, default.write())?;
    let total = span(&TOTAL, default.total())?;
    Timeouts::new(connect, read, write, total).map_err(|TotalTooShort { total, least }| {
        let what = "connect + read";
        let mut error = fields.error(&TOTAL, Problem::AtLeast { what, least });
        if error.value.is_none() {
            error.value = Some(format!("{} (the default)", Decimal(total.as_secs_f64())).into());
        }
        errors.report(error)
    })
}
