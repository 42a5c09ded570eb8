//! The verdict on an endpoint's health, from active checks and from marks on live answers.
//!
//! A check *finds* an endpoint healthy, degraded or unhealthy, by the status of its answer. A
//! verdict needs several consecutive findings, so that one lost packet does not exclude an
//! endpoint. The first verdict needs only one check, because nothing is known before. Degraded
//! counts as good, because a degraded endpoint is usable.
//!
//! All workers share the record, and with it the time of the next check. The first worker that sees
//! it due claims it and moves it on, so each check is made once. No worker is in charge of checks.
//! If one dies with a check under way, that check is missed, and the next one is made.
//!
//! Example, `unhealthy_threshold` 2: 200 → HEALTHY; 500 → still HEALTHY; 500 → UNHEALTHY; 404 →
//! DEGRADED with `healthy_threshold` 1.

mod parts;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::retry::statuses::Statuses;
use crate::time::Instant;

pub use parts::HealthParts;

/// The verdict on one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// It is fully operational.
    Healthy,
    /// It has issues but is usable.
    Degraded,
    /// It must not be used.
    Unhealthy,
    /// There is no verdict yet. It is usable.
    #[default]
    Unknown,
}

impl Health {
    /// The name in configurations, metrics and status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// The share of its weight that an endpoint in this state has for `health_based`, 0.0..=1.0.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::Healthy => 1.0,
            Self::Unknown => 0.5,
            Self::Degraded => 0.25,
            Self::Unhealthy => 0.0,
        }
    }
}

/// How the endpoints of a pool are checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPolicy {
    /// From one check of an endpoint to the next.
    pub interval: Duration,
    /// The same while it is unhealthy.
    pub unhealthy_interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The path of the request, unless the endpoint has its own.
    pub path: Box<str>,
    /// The method of the request.
    pub method: Box<str>,
    /// `:authority` of the request, unless the endpoint has its own; see
    /// [`Endpoint::checked_host`](crate::endpoint::Endpoint::checked_host).
    pub host: Option<Box<str>>,
    /// Headers added to the request.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Statuses that find it healthy.
    pub healthy_statuses: Statuses,
    /// Statuses that find it degraded, if they do not find it healthy.
    pub degraded_statuses: Statuses,
    /// Consecutive good findings that make an unhealthy endpoint usable again, 1 or more.
    pub healthy_threshold: u32,
    /// Consecutive bad findings that make it unhealthy, 1 or more.
    pub unhealthy_threshold: u32,
    /// By which share of the interval each check is early or late at most, 0.0..=1.0.
    pub jitter: f64,
}

impl Default for CheckPolicy {
    /// The policy of a configuration that enables checks and says no more.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            unhealthy_interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            path: "/health".into(),
            method: "GET".into(),
            host: None,
            headers: Vec::new(),
            healthy_statuses: Statuses::new([200..=299].to_vec()),
            degraded_statuses: Statuses::new([400..=499].to_vec()),
            healthy_threshold: 1,
            unhealthy_threshold: 2,
            jitter: 0.1,
        }
    }
}

impl CheckPolicy {
    /// What an answer with `status` finds. A check without an answer finds the endpoint unhealthy.
    #[must_use]
    pub fn finding(&self, status: Option<u16>) -> Finding {
        match status {
            Some(status) if self.healthy_statuses.contains(status) => Finding::Healthy,
            Some(status) if self.degraded_statuses.contains(status) => Finding::Degraded,
            Some(_) | None => Finding::Unhealthy,
        }
    }

    /// The time from one check to the next. `draw` (0.0..=1.0) decides how early or late it is.
    #[must_use]
    pub fn pause(&self, health: Health, draw: f64) -> Duration {
        let interval = if health == Health::Unhealthy {
            self.unhealthy_interval
        } else {
            self.interval
        };
        // Never zero, or a check could be claimed twice at once.
        let share = (1.0 + self.jitter * (2.0 * draw - 1.0)).max(LEAST_PAUSE);
        crate::time::from_seconds(interval.as_secs_f64() * share)
    }
}

/// The shortest pause between two checks, as a share of the interval.
const LEAST_PAUSE: f64 = 0.1;

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The endpoint answered as it should.
    Healthy,
    /// It answered with a status that means trouble.
    Degraded,
    /// It did not answer, or with a bad status.
    Unhealthy,
}

impl Finding {
    /// Every finding, in the order of its numbers.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Unhealthy];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => Health::Healthy.name(),
            Self::Degraded => Health::Degraded.name(),
            Self::Unhealthy => Health::Unhealthy.name(),
        }
    }

    /// Whether it leaves the endpoint usable.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

/// What is known of one endpoint's health. All workers share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthRecord {
    verdict: Health,
    /// Consecutive findings of the kind of the newest: good or bad.
    consecutive: u32,
    consecutive_are_good: bool,
    /// When the newest check ended.
    checked: Option<Instant>,
    /// When the next check is due; at once if there is none yet.
    due: Option<Instant>,
    /// Until when live answers make it degraded.
    degraded_until: Option<Instant>,
    /// When it was last found usable after it had been unhealthy.
    usable_since: Option<Instant>,
}

impl HealthRecord {
    /// The verdict that is in force `now`. A live answer can make a usable endpoint degraded. Only
    /// a check can make an unhealthy one usable.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        match self.verdict {
            Health::Unhealthy => Health::Unhealthy,
            _ if self.degraded_until.is_some_and(|until| now < until) => Health::Degraded,
            verdict => verdict,
        }
    }

    /// Whether only a check can make it usable again.
    pub(crate) const fn is_unhealthy(&self) -> bool {
        matches!(self.verdict, Health::Unhealthy)
    }

    /// When it was last found usable after it had been unhealthy; `None` if it never was.
    #[must_use]
    pub const fn usable_since(&self) -> Option<Instant> {
        self.usable_since
    }

    /// When the newest check ended.
    #[must_use]
    pub const fn checked(&self) -> Option<Instant> {
        self.checked
    }

    /// Claims the check that is due, so that no other worker makes it; `false` if none is due.
    /// `draw` (0.0..=1.0) decides how early or late the next one is.
    pub fn claim_check(&mut self, policy: &CheckPolicy, draw: f64, now: Instant) -> bool {
        if !self.check_is_due(now) {
            return false;
        }
        let pause = policy.pause(self.health(now), draw);
        // Counted from when it was due, because being a little late each time must not add up.
        // Checks that were missed are not made up for.
        let due = self.due.unwrap_or(now) + pause;
        self.due = Some(if due > now { due } else { now + pause });
        true
    }

    /// A check that is due later than `policy` would ever plan it was planned under another one: it
    /// is due at once.
    pub(crate) fn hasten(&mut self, policy: &CheckPolicy, now: Instant) {
        let pause = |health| policy.pause(health, 1.0);
        let longest = pause(Health::Unhealthy).max(pause(Health::Healthy));
        if self.due.is_some_and(|due| due.since(now) > longest) {
            self.due = Some(now);
        }
    }

    /// A check is due, whatever was planned.
    pub fn check_soon(&mut self, now: Instant) {
        self.due = self.due.min(Some(now));
    }

    /// What is left of it where nobody checks: what live answers say.
    #[must_use]
    pub fn unchecked(&self) -> Self {
        Self {
            degraded_until: self.degraded_until,
            ..Self::default()
        }
    }

    /// When the next check is due; at once if there is none yet.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a check is due.
    #[must_use]
    pub fn check_is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Records what a check has found.
    pub fn take_finding(&mut self, policy: &CheckPolicy, finding: Finding, now: Instant) {
        let good = finding.is_good();
        self.consecutive = if good == self.consecutive_are_good {
            self.consecutive.saturating_add(1)
        } else {
            1
        };
        self.consecutive_are_good = good;
        self.checked = Some(now);
        let first = self.verdict == Health::Unknown;
        match finding {
            Finding::Unhealthy => {
                if first || self.consecutive >= policy.unhealthy_threshold {
                    self.verdict = Health::Unhealthy;
                }
            }
            Finding::Healthy | Finding::Degraded => {
                // Healthy and degraded replace each other at once: both are usable.
                let usable = self.verdict != Health::Unhealthy;
                if first || usable || self.consecutive >= policy.healthy_threshold {
                    if !usable {
                        self.usable_since = Some(now);
                    }
                    self.verdict = if finding == Finding::Healthy {
                        Health::Healthy
                    } else {
                        Health::Degraded
                    };
                }
            }
        }
    }

    /// Whether a live answer that says that the endpoint is degraded changes anything. The mark
    /// lasts for [`DEGRADED_FOR`] and is renewed when half of that is over. Otherwise an endpoint
    /// whose hosts disagree would cause a write with every answer.
    #[must_use]
    pub fn degraded_is_news(&self, now: Instant) -> bool {
        self.degraded_until
            .is_none_or(|until| until.since(now) < DEGRADED_FOR / 2)
    }

    /// A live answer carried `x-envoy-degraded`.
    pub fn mark_degraded(&mut self, now: Instant) {
        self.degraded_until = Some(now + DEGRADED_FOR);
    }

    /// A live answer carried `x-envoy-immediate-health-check-fail`: unhealthy at once, until a
    /// check finds otherwise.
    pub const fn fail_immediately(&mut self) {
        self.verdict = Health::Unhealthy;
        self.consecutive = 0;
        self.consecutive_are_good = false;
    }
}

/// How long a live answer with `x-envoy-degraded` makes its endpoint degraded.
pub const DEGRADED_FOR: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the statuses of checks (0 = no answer) and compares the verdicts after each.
    #[track_caller]
    fn check(policy: &CheckPolicy, statuses: &[u16], verdicts: &[Health]) {
        let mut record = HealthRecord::default();
        let seen: Vec<_> = statuses
            .iter()
            .map(|&status| {
                let status = (status > 0).then_some(status);
                record.take_finding(policy, policy.finding(status), Instant::ORIGIN);
                record.health(Instant::ORIGIN)
            })
            .collect();
        assert_eq!(seen, verdicts);
    }

    use Health::{Degraded, Healthy, Unhealthy};

    #[test]
    fn the_first_verdict_needs_one_check_and_the_others_a_row() {
        let policy = CheckPolicy {
            healthy_threshold: 2,
            ..CheckPolicy::default()
        };
        check(&policy, &[500], &[Unhealthy]);
        check(
            &policy,
            &[200, 500, 200, 500, 0, 200, 500, 200, 204],
            &[
                Healthy, Healthy, Healthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Unhealthy,
                Healthy,
            ],
        );
    }

    #[test]
    fn degraded_is_usable_and_needs_no_row() {
        let policy = CheckPolicy::default();
        check(
            &policy,
            &[404, 200, 404, 500, 302, 404],
            &[Degraded, Healthy, Degraded, Degraded, Unhealthy, Degraded],
        );
    }

    #[test]
    fn live_answers_degrade_a_usable_endpoint_for_a_while_and_checks_outrank_them() {
        let policy = CheckPolicy::default();
        let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
        let mut record = HealthRecord::default();
        assert!(record.degraded_is_news(at(0)));
        record.mark_degraded(at(0));
        assert_eq!(record.health(at(9)), Degraded);
        assert!(!record.degraded_is_news(at(4)) && record.degraded_is_news(at(6)));
        record.fail_immediately();
        assert_eq!(record.health(at(9)), Unhealthy);
        record.take_finding(&policy, Finding::Healthy, at(9));
        assert_eq!(record.health(at(9)), Degraded);
        assert_eq!(record.health(at(10)), Healthy);
    }

    #[test]
    fn a_check_is_claimed_once_and_being_late_does_not_add_up() {
        let policy = CheckPolicy::default();
        let at = |seconds| Instant::ORIGIN + Duration::from_millis(seconds);
        let mut record = HealthRecord::default();
        assert!(record.claim_check(&policy, 0.5, at(1_000)));
        assert!(!record.claim_check(&policy, 0.5, at(30_999)));
        assert!(record.claim_check(&policy, 0.5, at(31_090)), "90 ms late");
        assert!(
            record.claim_check(&policy, 0.5, at(61_000)),
            "30 s after it was due"
        );
        assert!(
            record.claim_check(&policy, 0.5, at(300_000)),
            "after a long pause"
        );
        assert!(
            !record.claim_check(&policy, 0.5, at(300_001)),
            "nothing is made up for"
        );
    }

    #[test]
    fn pauses_stay_within_the_jitter() {
        let policy = CheckPolicy {
            unhealthy_interval: Duration::from_secs(5),
            ..CheckPolicy::default()
        };
        let seconds = |health, draw| policy.pause(health, draw).as_secs_f64();
        assert_eq!(seconds(Healthy, 0.0), 27.0);
        assert_eq!(seconds(Health::Unknown, 0.5), 30.0);
        assert_eq!(seconds(Healthy, 1.0), 33.0);
        assert_eq!(seconds(Unhealthy, 0.5), 5.0);
    }
}
