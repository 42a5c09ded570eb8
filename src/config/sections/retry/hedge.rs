//! `retry_policy.hedge`: a second attempt while the first is still under way.

use steerage_policy::retry::backoff::MAX_RETRIES;
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};

use crate::fields::Fields;
use crate::key::Key;
use crate::kind::{Kind, SPAN};
use crate::report::Reported;
use crate::section;
use crate::value::{Checked, FromValue, Value};

section! {
    /// `retry_policy.hedge`.
    pub static HEDGE: Hedge;
    DELAY: HedgeDelay = Key::new(
        "delay",
        Kind::Either(&[Kind::Choice(&["p95"]), SPAN]),
        "\"p95\"",
        "how long the first attempt has, or the share of attempts that answer in time",
    );
    MAX: u8 = Key::whole("max", 1, MAX_RETRIES as u64, "1", "further attempts at most");
    RATIO: f64 = Key::share("ratio", "0.05", "hedges for each request at most");
}

pub(super) fn hedge(fields: &Fields<'_, Hedge>) -> Result<HedgePolicy, Reported> {
    Ok(HedgePolicy {
        delay: fields.get(&DELAY)?.unwrap_or(HedgeDelay::P95),
        max: fields.get(&MAX)?.unwrap_or(1),
        ratio: fields.get(&RATIO)?.unwrap_or(0.05),
    })
}

impl FromValue for HedgeDelay {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match checked.value {
            Value::Choice(_) => Some(Self::P95),
            Value::Span(span) => Some(Self::Fixed(span)),
            _ => None,
        }
    }
}
