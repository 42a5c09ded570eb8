//! A limit that follows the response times.
//!
//! Below an endpoint's capacity, its response time does not depend on the load. Beyond it, each
//! further attempt waits. The limit therefore follows the gradient *unloaded time / time now*:
//! while that is near one, the limit grows; when it drops, the limit is multiplied by it. This is
//! Netflix's Gradient2 (<https://github.com/Netflix/concurrency-limits>) and Envoy's adaptive
//! concurrency
//! (<https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/adaptive_concurrency_filter>).
//! Two things differ: several workers limit one endpoint, and the unloaded time is found in another
//! way (`unloaded`).
//!
//! Every [`ROUND`], when at least [`LEAST`] attempts that began within it have ended:
//!
//! - `gradient` = 1.25 × unloaded / mean, within 0.5 and 1; 0.5 if one has timed out;
//! - `limit` = (`limit` + √*sum of all workers' limits* / workers) × `gradient`, from 1 to an even
//!   part of the maximum. The root leaves room for a queue, in which a rise of capacity shows. It
//!   is divided so that many workers do not leave room for many queues. It is the same for all
//!   workers, so their limits become equal.
//! - It changes only if half of it was used, because an unused limit is untested. It does not rise
//!   while more than a tenth of the attempts fail, because an endpoint that fails fast looks as if
//!   it had capacity.
//!
//! The lowest limit cannot be lowered to measure the unloaded time. After some seconds there, the
//! time that is seen counts as the unloaded one. Otherwise an endpoint that has become slow would
//! stay at the lowest limit.
//!
//! Limits: each worker may have one attempt under way, so an endpoint gets at least as many as
//! there are workers. If times vary tenfold by the kind of request, there is no unloaded time, and
//! a fixed limit is better. Times are those to the beginning of the answer.
//!
//! Example: an endpoint serves ten at a time in 20 ms each; one worker, 1,000 requests a second. At
//! a limit of 16 the time is 32 ms and the gradient 1.25 × 20 / 32 = 0.78: (16 + 4) × 0.78 = 15.6.
//! The limit stays there, with 31 ms for the requests that are served; the others are refused at
//! once. When the endpoint slows down to 200 ms, the gradient is 0.5, and the limit 10, 6.5, 4.5 …
//! in as many rounds.

use core::time::Duration;

use super::share::Share;
use super::unloaded::Baseline;
use crate::time::Instant;

/// One worker's limit of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Gradient {
    most: u32,
    /// Until the first round is over, the start of all workers together.
    limit: f64,
    has_begun: bool,
    round: Round,
    /// Average response time of about the last ten rounds, in seconds.
    recent: Option<f64>,
    unloaded: Baseline,
    /// When more than half of the limit was last used.
    pressed: Option<Instant>,
    /// Consecutive rounds that contradict the unloaded time.
    faster: u32,
    /// When the unloaded time was found, and the limit at that time.
    found: (Option<Instant>, f64),
    /// Since when the limit has been at its lowest.
    floored: Option<Instant>,
    /// When it last failed.
    failed: Option<Instant>,
}

/// The attempts that have ended since the limit last changed.
#[derive(Clone, Copy, Debug)]
struct Round {
    since: Instant,
    good: u32,
    seconds: f64,
    timeouts: u32,
    /// Failures, timeouts included.
    failures: u32,
    /// Most attempts under way.
    peak: u32,
}

/// An attempt that has ended, and whose outcome says something of the endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) sent: Instant,
    pub(crate) took: Duration,
    pub(crate) failed: bool,
    /// It failed because there was no answer in time.
    pub(crate) timed_out: bool,
    /// Attempts of this worker that are under way, this one included.
    pub(crate) active: u32,
}

impl Gradient {
    /// A limit without measurements. `seed` decides when within a period this endpoint is measured.
    pub(crate) fn new(start: u32, most: u32, seed: u64) -> Self {
        Self {
            most,
            limit: f64::from(start.min(most)),
            has_begun: false,
            round: Round::new(Instant::ORIGIN, 0),
            recent: None,
            unloaded: Baseline::new(seed),
            pressed: None,
            faster: 0,
            found: (None, 0.0),
            floored: None,
            failed: None,
        }
    }

    /// Goes on where that of another configuration of the same worker stands.
    pub(crate) fn follow(&mut self, before: &Self) {
        if before.has_begun {
            let most = self.most;
            *self = before.clone();
            self.most = most;
        }
    }

    /// How many attempts of this worker may be under way `now`.
    pub(crate) fn admits(&self, others: &Share, now: Instant) -> u32 {
        let share = if self.unloaded.is_measuring(now) {
            QUARTER
        } else {
            1.0
        };
        whole(self.here(others) * share)
    }

    /// The limit of this worker.
    pub(crate) fn limit(&self, others: &Share) -> u32 {
        whole(self.here(others))
    }

    fn here(&self, others: &Share) -> f64 {
        let limit = if self.has_begun {
            self.limit
        } else {
            self.begins_with(others)
        };
        limit.min(f64::from(self.most_here(others)))
    }

    /// An even part of the start, or what the others have found already: a new configuration must
    /// not start low under full load.
    fn begins_with(&self, others: &Share) -> f64 {
        let part = self.limit / f64::from(others.workers.saturating_add(1));
        part.max(f64::from(others.limit) / f64::from(others.workers.max(1)))
    }

    /// What this worker publishes.
    pub(crate) fn share(&self, others: &Share) -> Share {
        Share {
            workers: 1,
            limit: self.limit(others),
            pressed: self.pressed,
            unloaded: self.unloaded.own(),
            doubted: self.unloaded.doubted(),
        }
    }

    /// An attempt has begun; so many are under way now.
    pub(crate) fn began(&mut self, active: u32) {
        self.round.peak = self.round.peak.max(active);
    }

    /// An attempt has ended.
    pub(crate) fn ended(&mut self, ended: Ended, others: &Share, now: Instant) {
        let seconds = ended.took.as_secs_f64();
        if !ended.failed {
            self.unloaded.answered(ended.sent, seconds);
        }
        if self.unloaded.is_measuring(now) {
            self.round = Round::new(now, ended.active);
            return;
        }
        self.unloaded.merge(others, now);
        let round = &mut self.round;
        round.failures += u32::from(ended.failed);
        // Attempts from before the last change say nothing of it.
        if ended.sent >= round.since {
            if !ended.failed {
                round.good += 1;
                round.seconds += seconds;
            }
            round.timeouts += u32::from(ended.timed_out);
        }
        let is_first = self.unloaded.seconds().is_none();
        let least = match now.since(round.since) {
            _ if is_first => LEAST_AT_FIRST,
            passed if passed < ROUND => u32::MAX,
            passed if passed < LONG_ROUND => LEAST,
            _ => LEAST_OF_LONG,
        };
        if round.good + round.timeouts >= least {
            self.limit = self.here(others);
            self.has_begun = true;
            let round = core::mem::replace(&mut self.round, Round::new(now, ended.active));
            self.learn(&round, others, now);
            self.adjust(&round, others, now);
            if self.found.0 != self.unloaded.found() {
                self.found = (self.unloaded.found(), self.limit);
            }
            if self.limit < self.found.1 * DEEP {
                self.unloaded.doubt(now);
            }
            self.floored = (self.limit < LOWEST).then(|| self.floored.unwrap_or(now));
        }
    }

    /// Learns of the unloaded time from a round.
    fn learn(&mut self, round: &Round, others: &Share, now: Instant) {
        if round.is_used(self.limit) {
            self.pressed = Some(now);
        }
        let Some(mean) = round.mean() else {
            return;
        };
        let recent = self.recent.unwrap_or(mean);
        let weight = match self.floored {
            Some(_) => WEIGHT_AT_FLOOR,
            None => WEIGHT,
        };
        let recent = recent + (mean - recent) * weight;
        self.recent = Some(recent);
        self.faster = if self.is_faster(round) {
            self.faster.saturating_add(1)
        } else {
            0
        };
        let lasts = |since: Option<Instant>, time| since.is_some_and(|at| now.since(at) >= time);
        let pressed = self.pressed.max(others.pressed);
        if self.unloaded.seconds().is_none() {
            // It is not known how busy the endpoint is.
            self.pressed = Some(now);
            self.unloaded.guess(recent, now);
        } else if lasts(self.floored, FLOORED) {
            self.unloaded.guess(recent, now);
        } else if pressed.is_none() || lasts(pressed, SETTLED) {
            self.unloaded.observe(recent, now);
        } else {
            self.unloaded.lower(recent);
            if self.faster >= CERTAIN {
                self.unloaded.doubt(now);
            }
        }
    }

    /// Moves the limit.
    fn adjust(&mut self, round: &Round, others: &Share, now: Instant) {
        let most = f64::from(self.most_here(others));
        let unloaded = self.unloaded.seconds();
        if let (Some(unloaded), true) = (unloaded, round.is_used(self.limit)) {
            if round.is_failing() {
                self.failed = Some(now);
            }
            // A round of few attempts may be without a failure by chance.
            let is_failing = self.failed.is_some_and(|at| now.since(at) < SETTLED);
            // While the limit cannot rise, chance would lower it step by step: the mean of one
            // round is not enough.
            let mean = if is_failing {
                self.recent
            } else {
                round.mean()
            };
            let gradient = match mean {
                Some(mean) if round.timeouts == 0 => {
                    (TOLERANCE * unloaded / mean).clamp(STEEPEST, 1.0)
                }
                _ => STEEPEST,
            };
            let workers = f64::from(others.workers.saturating_add(1));
            let all = self.limit + f64::from(others.limit);
            let next = (self.limit + libm::sqrt(all) / workers) * gradient;
            self.limit = if is_failing || self.is_faster(round) {
                next.min(self.limit)
            } else {
                next
            };
        }
        self.limit = self.limit.min(most).max(1.0);
    }

    /// Whether answers are so much faster than the unloaded time that it cannot be right any more.
    fn is_faster(&self, round: &Round) -> bool {
        let times = (self.unloaded.seconds(), round.mean());
        matches!(times, (Some(unloaded), Some(mean)) if mean < unloaded * FASTER)
    }

    fn most_here(&self, others: &Share) -> u32 {
        (self.most / others.workers.saturating_add(1)).max(1)
    }
}

impl Round {
    const fn new(since: Instant, active: u32) -> Self {
        Self {
            since,
            good: 0,
            seconds: 0.0,
            timeouts: 0,
            failures: 0,
            peak: active,
        }
    }

    fn is_used(&self, limit: f64) -> bool {
        f64::from(self.peak) * 2.0 >= limit
    }

    fn is_failing(&self) -> bool {
        f64::from(self.failures) > f64::from(self.good + self.failures) * FAILING
    }

    fn mean(&self) -> Option<f64> {
        (self.good > 0).then(|| self.seconds / f64::from(self.good))
    }
}

/// The nearest number of attempts, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are at least 1 and at most a u32"
)]
fn whole(limit: f64) -> u32 {
    libm::round(limit).max(1.0) as u32
}

/// The shortest time between two changes of the limit.
const ROUND: Duration = Duration::from_millis(100);
/// The fewest answers of a round.
const LEAST: u32 = 10;
/// A round of this length may have fewer.
const LONG_ROUND: Duration = Duration::from_secs(1);
const LEAST_OF_LONG: u32 = 5;
/// The fewest answers for a first guess of the unloaded time.
const LEAST_AT_FIRST: u32 = 20;
/// By how much response times may exceed the unloaded one before that counts as a queue.
const TOLERANCE: f64 = 1.25;
/// The limit at most halves in a round.
const STEEPEST: f64 = 0.5;
/// The weight of one round in the recent average.
const WEIGHT: f64 = 0.1;
/// The same at the lowest limit, where rounds take long and older ones say nothing.
const WEIGHT_AT_FLOOR: f64 = 0.5;
/// A round that takes less than this part of the unloaded time contradicts it.
const FASTER: f64 = 0.5;
/// So many consecutive ones are no chance: the unloaded time is measured as soon as possible.
const CERTAIN: u32 = 3;
/// An endpoint is failing while more than this share of its answers are failures.
const FAILING: f64 = 0.1;
/// After so long without a worker that needs half of its limit, response times are unloaded ones.
/// After so long without a failing round, an endpoint is not failing.
const SETTLED: Duration = Duration::from_secs(1);
/// If the limit has fallen below this part since the unloaded time was found, that is in doubt:
/// answers may take longer now even without load.
const DEEP: f64 = 1.0 / 3.0;
/// A limit below this admits one attempt.
const LOWEST: f64 = 1.5;
/// After so long at that limit, response times count as unloaded ones.
const FLOORED: Duration = Duration::from_secs(3);
/// The part of the limit that is left while the unloaded time is measured.
const QUARTER: f64 = 0.25;
