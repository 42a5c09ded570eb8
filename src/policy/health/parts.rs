//! A health record as plain data: what has to be kept of it to make the same record again
//! elsewhere.
//!
//! Workers share health records as bytes. How these look is not the policy's matter, so a
//! [`HealthRecord`] gives its [`HealthParts`] and is made of them. Any parts make a valid record.

use super::{Health, HealthRecord};
use crate::time::Instant;

/// All that a [`HealthRecord`] consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthParts {
    /// The verdict of the checks.
    pub verdict: Health,
    /// Consecutive findings of the same kind, the newest included.
    pub consecutive: u32,
    /// Whether these were good.
    pub are_good: bool,
    /// When the newest check ended.
    pub checked: Option<Instant>,
    /// When the next check is due; at once if there is none yet.
    pub due: Option<Instant>,
    /// Until when live answers make it degraded.
    pub degraded_until: Option<Instant>,
    /// When it was last found usable after it had been unhealthy.
    pub usable_since: Option<Instant>,
}

impl HealthRecord {
    /// What it consists of.
    #[must_use]
    pub const fn parts(&self) -> HealthParts {
        HealthParts {
            verdict: self.verdict,
            consecutive: self.consecutive,
            are_good: self.consecutive_are_good,
            checked: self.checked,
            due: self.due,
            degraded_until: self.degraded_until,
            usable_since: self.usable_since,
        }
    }
}

impl From<HealthParts> for HealthRecord {
    fn from(parts: HealthParts) -> Self {
        Self {
            verdict: parts.verdict,
            consecutive: parts.consecutive,
            consecutive_are_good: parts.are_good,
            checked: parts.checked,
            due: parts.due,
            degraded_until: parts.degraded_until,
            usable_since: parts.usable_since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{CheckPolicy, Finding};

    #[test]
    fn a_record_is_the_same_again_after_every_change() {
        let policy = CheckPolicy::default();
        let now = Instant::from_nanos(1);
        let mut record = HealthRecord::default();
        let changes: [fn(&mut HealthRecord, &CheckPolicy, Instant); 4] = [
            |record, policy, now| assert!(record.claim_check(policy, 0.5, now)),
            |record, policy, now| record.take_finding(policy, Finding::Unhealthy, now),
            |record, policy, now| record.take_finding(policy, Finding::Healthy, now),
            |record, _, now| record.mark_degraded(now),
        ];
        for change in changes {
            let before = record;
            change(&mut record, &policy, now);
            assert_ne!(record, before);
            assert_eq!(HealthRecord::from(record.parts()), record);
        }
    }
}
