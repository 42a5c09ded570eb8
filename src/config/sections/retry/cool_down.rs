//! `retry_policy.cool_down`: cool-downs after answers that name no time.
//!
//! Example: `[{"status": [401, 402], "for": "60s"}]`: a provider whose key is refused, or whose
//! account is empty, gets no attempts for a minute.

use core::time::Duration;

use steerage_policy::retry::Statuses;

use crate::fields::Fields;
use crate::key::Key;
use crate::kind::{STATUS, some};
use crate::place::item;
use crate::report::{Errors, Reported};
use crate::section;
use crate::value::{Checked, Value};

section! {
    /// An entry of `retry_policy.cool_down`.
    pub static COOL_DOWN: CoolDown;
    STATUSES: Statuses = Key::new(
        "status",
        some(&STATUS),
        "–",
        "the answer's status is one of these, as retry_on_status_codes",
    )
    .required();
    FOR: Duration =
        Key::span("for", "–", "how long its endpoint gets no attempts").required();
}

/// The entries of a list at `path`.
pub(super) fn cool_downs(
    list: &[Checked<'_>],
    path: &str,
    errors: &mut Errors,
) -> Result<Vec<(Statuses, Duration)>, Reported> {
    let entries: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(index, checked)| {
            if let (Value::Nothing, Some(reported)) = (&checked.value, checked.reported) {
                return Err(reported);
            }
            let fields = Fields::<CoolDown>::of(checked, item(path, index));
            let statuses = fields.required(&STATUSES, errors);
            let time = fields.required(&FOR, errors);
            Ok((statuses?, time?))
        })
        .collect();
    entries.into_iter().collect()
}
