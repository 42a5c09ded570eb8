//! What is known of an endpoint now.

mod learning;

use core::cell::Cell;
use core::time::Duration;

use super::agreed::{Agreed, Exclusion};
use super::in_flight::InFlight;
use super::lingering::Lingering;
use super::others::Others;
use super::recent::Recent;
use crate::breaker::{Admission, Breaker, BreakerPolicy};
use crate::health::Health;
use crate::limit::{self, Gradient, Limit, Share};
use crate::stats::latency::{self, Average};
use crate::stats::quantile::Quantiles;
use crate::stats::totals::Totals;
use crate::stats::window::{Counts, Window};
use crate::time::Instant;

pub use learning::{Pace, Took};

/// What is known of one endpoint: what this worker has seen itself, what the other workers have
/// published, and a copy of what all of them agree on.
///
/// Strategies read it through methods only, which combine the three.
#[derive(Clone, Debug)]
pub struct EndpointState {
    in_flight: InFlight,
    lingering: Lingering,
    response_time: Average,
    /// Kept only if a quantile is needed.
    quantiles: Option<Quantiles>,
    window: Window,
    totals: Totals,
    last: Option<(Instant, Duration)>,
    consecutive_successes: u32,
    limit: Limit,
    /// Kept only if the limit is dynamic.
    gradient: Option<Gradient>,
    others: Others,
    agreed: Agreed,
    /// See [`Agreed::selectable_from`].
    selectable_from: Option<Instant>,
    /// Computed when it is first needed, and kept while it holds, because every choice needs it.
    recent: Cell<Recent>,
}

impl EndpointState {
    /// Nothing known yet; outcomes are counted over the trailing `window`.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self {
            in_flight: InFlight::default(),
            lingering: Lingering::default(),
            response_time: Average::default(),
            quantiles: None,
            window: Window::new(window),
            totals: Totals::default(),
            last: None,
            consecutive_successes: 0,
            limit: Limit::Fixed(u32::MAX),
            gradient: None,
            others: Others::default(),
            agreed: Agreed::default(),
            selectable_from: Agreed::default().selectable_from(),
            recent: Cell::new(Recent::FORGOTTEN),
        }
    }

    /// The same, with quantiles of its response times.
    #[must_use]
    pub fn with_quantiles(self) -> Self {
        Self {
            quantiles: Some(Quantiles::new()),
            ..self
        }
    }

    /// The same, with a limit of attempts under way. `seed` is the same in all workers and differs
    /// between endpoints.
    #[must_use]
    pub fn limited(self, limit: Limit, seed: u64) -> Self {
        let gradient = match limit {
            Limit::Fixed(_) => None,
            Limit::Dynamic { start, most } => Some(Gradient::new(start, most, seed)),
        };
        Self {
            limit,
            gradient,
            ..self
        }
    }

    /// The time within which this share of its recent answers began, as far as this worker has
    /// seen. `None` if there are too few, or if quantiles are not kept.
    #[must_use]
    pub fn quantile(&self, share: f64, now: Instant) -> Option<Duration> {
        self.quantiles.as_ref()?.quantile(share, now)
    }

    /// An attempt was given up because another was faster. It took at least this long.
    pub fn overtaken(&mut self, time: Duration, now: Instant, decay: Duration) {
        if self.response_time.seconds() < Some(time.as_secs_f64()) {
            self.recent.set(Recent::FORGOTTEN);
            self.response_time.observe(time, now, decay);
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.add(time, now);
        }
    }

    /// Follows the state of another configuration of the same worker: attempts under way there are
    /// still under way, and what its limit has been found to be is still so.
    pub(crate) fn follow(&mut self, before: &Self) {
        self.in_flight = InFlight::beside(&before.in_flight);
        if let (Some(gradient), Some(before)) = (&mut self.gradient, &before.gradient) {
            gradient.follow(before);
        }
    }

    /// Attempts under way in all workers: sent, and neither answered to the end nor given up.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active_here().saturating_add(self.others.active)
    }

    /// Attempts of this worker under way.
    pub(crate) fn active_here(&self) -> u32 {
        self.in_flight.active()
    }

    /// Whether its attempts under way may become more without an event of this configuration.
    pub(crate) fn is_shared(&self) -> bool {
        self.in_flight.is_shared()
    }

    /// Attempts of this worker that count as load `now`: those under way, and those that ended too
    /// soon to say anything of speed ([`Lingering`]).
    pub(crate) fn load_here(&self, now: Instant) -> u32 {
        self.active_here().saturating_add(self.lingering.count(now))
    }

    /// Attempts of all workers that count as load `now`. The others are taken to have as many that
    /// linger as this one.
    pub(crate) fn load(&self, now: Instant) -> u32 {
        let workers = self.other_workers().saturating_add(1);
        let lingering = self.lingering.count(now).saturating_mul(workers);
        self.active().saturating_add(lingering)
    }

    /// How many other workers send attempts here.
    pub(crate) const fn other_workers(&self) -> u32 {
        self.others.share.workers
    }

    /// The limit of attempts under way, over all workers.
    #[must_use]
    pub fn limit(&self) -> u32 {
        let Some(gradient) = &self.gradient else {
            return self.limit.most();
        };
        let own = gradient.limit(&self.others.share);
        match self.others.share.limit {
            0 => own,
            others if self.has_served() => own.saturating_add(others),
            others => others,
        }
    }

    /// Whether another attempt of this worker would exceed the limit.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let others = &self.others.share;
        match &self.gradient {
            Some(gradient) => self.active_here() >= gradient.admits(others, now),
            None => {
                let workers = others.workers.saturating_add(1);
                limit::is_reached(
                    self.limit.most(),
                    self.active_here(),
                    self.active(),
                    workers,
                )
            }
        }
    }

    const fn has_served(&self) -> bool {
        self.totals.attempts > 0
    }

    /// The verdict on its health.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        self.agreed.verdict(now)
    }

    /// Its circuit breaker, as this worker last read it.
    #[must_use]
    pub const fn breaker(&self) -> &Breaker {
        &self.agreed.breaker
    }

    /// Whether an attempt is admitted `now`.
    #[must_use]
    pub fn admission(&self, policy: &BreakerPolicy, now: Instant) -> Admission {
        self.agreed.admission(policy, now)
    }

    /// What all workers agree on, as this worker last read it.
    #[must_use]
    pub const fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Its average response time in seconds as of the newest sample; `None` before the first.
    #[must_use]
    pub fn seconds(&self, now: Instant) -> Option<f64> {
        self.recent(now).seconds
    }

    /// Its average response time in seconds as of `now`: that of the newest sample, drifted towards
    /// `mean` since. Before the first sample, `mean`.
    #[must_use]
    pub fn seconds_drifted(&self, now: Instant, decay: Duration, mean: f64) -> f64 {
        match (self.seconds(now), self.silence(now)) {
            (Some(seconds), Some(silence)) => latency::drifted(seconds, mean, silence, decay),
            _ => mean,
        }
    }

    /// Time since the newest sample of any worker; `None` before the first.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        self.recent(now).updated.map(|updated| now.since(updated))
    }

    /// How the attempts of the trailing window ended, in all workers.
    #[must_use]
    pub fn counts(&self, now: Instant) -> Counts {
        let mut counts = self.window.counts(now);
        counts += self.others.counts;
        counts
    }

    /// Share of successful attempts in the window, 0.0..=1.0; 1 while nothing is known.
    #[must_use]
    pub fn success_rate(&self, now: Instant) -> f64 {
        self.recent(now).success_rate
    }

    /// What strategies need to know of every candidate. Computed again only when something has
    /// changed.
    #[inline]
    pub(crate) fn recent(&self, now: Instant) -> Recent {
        if !self.recent.get().holds(now) {
            let found = Recent::of(&self.window, &self.response_time, &self.others, now);
            self.recent.set(found);
        }
        self.recent.get()
    }

    /// What has been counted since this worker began.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The same, to count more.
    pub const fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// Why it may not be selected now; `None` when it is available.
    #[must_use]
    pub fn exclusion(&self, policy: &BreakerPolicy, now: Instant) -> Option<Exclusion> {
        let excluded = match self.selectable_from {
            Some(from) if from <= now => None,
            _ => self.agreed.exclusion(policy, now),
        };
        excluded.or_else(|| self.is_full(now).then_some(Exclusion::AtLimit))
    }

    /// Until when it cools down; `None` if it does not.
    #[must_use]
    pub fn cooling_until(&self, now: Instant) -> Option<Instant> {
        self.agreed.cooling_until(now)
    }

    /// What this worker publishes.
    #[must_use]
    pub fn report(&self, now: Instant) -> Others {
        let active = self.active_here();
        let is_reporter = self.in_flight.is_reporter();
        Others {
            active: if is_reporter { active } else { 0 },
            counts: self.window.counts(now),
            seconds: self.response_time.seconds(),
            updated: self.response_time.updated(),
            last: self.last,
            consecutive_successes: self.consecutive_successes,
            share: match &self.gradient {
                _ if !is_reporter => Share::default(),
                Some(gradient) if self.has_served() => gradient.share(&self.others.share),
                _ => Share {
                    workers: u32::from(self.has_served() || active > 0),
                    ..Share::default()
                },
            },
        }
    }

    /// Replaces what the other workers have published.
    pub fn set_others(&mut self, others: Others) {
        self.recent.set(Recent::FORGOTTEN);
        self.others = others;
    }

    /// Replaces the copy of what all workers agree on. After a transition of the breaker,
    /// measurements from before it are dropped: they say nothing about the new state, and an
    /// endpoint that has recovered would still be avoided for its old answers.
    pub fn agree(&mut self, agreed: Agreed) {
        let is_new_state = agreed.breaker.generation() != self.agreed.breaker.generation();
        if is_new_state {
            self.recent.set(Recent::FORGOTTEN);
            self.window.clear();
            self.response_time = Average::default();
        }
        if is_new_state
            || agreed.breaker.consecutive_failures() > self.agreed.breaker.consecutive_failures()
        {
            // An attempt of another worker has failed.
            self.consecutive_successes = 0;
        }
        self.selectable_from = agreed.selectable_from();
        self.agreed = agreed;
    }

    /// An attempt is sent.
    pub fn attempt_started(&mut self) {
        self.in_flight.begin();
        self.totals.attempts = self.totals.attempts.saturating_add(1);
        if let Some(gradient) = &mut self.gradient {
            gradient.began(self.in_flight.active());
        }
    }

    /// An attempt is over, with any outcome.
    pub fn attempt_ended(&mut self) {
        self.in_flight.end();
    }
}

#[cfg(test)]
mod tests;
