//! An endpoint with so many servers and one queue, and workers that send it requests.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

use crate::breaker::{Breaker, BreakerPolicy};
use crate::endpoint::{EndpointState, Others};
use crate::limit::Limit;
use crate::outcome::Outcome;
use crate::stats::window::DEFAULT_LENGTH;
use crate::time::Instant;

/// How an endpoint behaves, and how much it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// How many requests it serves at a time.
    pub(super) servers: usize,
    /// How long each takes, in seconds.
    pub(super) service: f64,
    /// Whether these times vary, as a mean of exponential ones.
    pub(super) varied: bool,
    /// Share of answers that are failures, which take no time.
    pub(super) failing: f64,
    /// Requests a second.
    pub(super) rate: f64,
}

pub(super) const TEN_AT_A_TIME: Scene = Scene {
    servers: 10,
    service: 0.02,
    varied: false,
    failing: 0.0,
    rate: 1_000.0,
};

#[derive(Debug)]
pub(super) struct World {
    scene: Scene,
    pub(super) workers: Vec<EndpointState>,
    /// When each server is free again.
    pub(super) servers: Vec<f64>,
    /// Attempts under way, by when they end and by number: worker, time sent, and whether it fails.
    pending: BTreeMap<(Instant, u64), (usize, f64, bool)>,
    rng: Xoshiro256PlusPlus,
    pub(super) now: f64,
    next_arrival: f64,
    /// Of each worker, and what it has published last.
    rounds: Vec<(f64, Others)>,
    number: u64,
}

/// What happened in a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Response times in seconds, sorted.
    times: Vec<f64>,
    pub(super) refused: usize,
    /// Most under way at a time.
    pub(super) peak: usize,
}

impl Seen {
    /// So many of a hundred took at most this.
    pub(super) fn percentile(&self, of_hundred: usize) -> f64 {
        self.times[(self.times.len() - 1) * of_hundred / 100]
    }

    pub(super) fn served(&self) -> usize {
        self.times.len()
    }
}

pub(super) fn at(seconds: f64) -> Instant {
    // Not near the clock's origin, where everything is early.
    Instant::from_nanos(1_000_000_000_000) + crate::time::from_seconds(seconds)
}

impl World {
    pub(super) fn new(scene: Scene, workers: usize, limit: Limit, seed: u64) -> Self {
        let state = || EndpointState::new(DEFAULT_LENGTH).limited(limit, seed * 1_234_567_891);
        Self {
            scene,
            workers: (0..workers).map(|_| state()).collect(),
            servers: alloc::vec![0.0; scene.servers],
            pending: BTreeMap::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            now: 0.0,
            next_arrival: 0.0,
            rounds: (0..workers)
                .map(|n| (0.1 * n as f64 / workers as f64, Others::default()))
                .collect(),
            number: 0,
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.workers[0].limit()
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene);
        self.servers.resize(self.scene.servers, self.now);
    }

    /// Lets so many seconds pass.
    pub(super) fn pass(&mut self, seconds: f64) -> Seen {
        let mut seen = Seen::default();
        let end = self.now + seconds;
        loop {
            let answer = self.pending.first_key_value();
            let answer = answer.map_or(f64::INFINITY, |((time, _), _)| {
                time.since(at(0.0)).as_secs_f64()
            });
            let due = self.rounds.iter().map(|(due, _)| *due);
            let round = due.min_by(f64::total_cmp).unwrap();
            let next = answer.min(self.next_arrival).min(round).min(end);
            self.now = next;
            if next >= end {
                seen.times.sort_by(f64::total_cmp);
                return seen;
            } else if next == answer {
                self.answer(&mut seen);
            } else if next == round {
                self.round();
            } else {
                let gap = -(1.0 - self.rng.random::<f64>()).ln() / self.scene.rate;
                self.next_arrival += gap;
                self.arrive(&mut seen);
            }
        }
    }

    fn arrive(&mut self, seen: &mut Seen) {
        let worker = self.rng.random_range(0..self.workers.len());
        let state = &mut self.workers[worker];
        if state
            .exclusion(&BreakerPolicy::default(), at(self.now))
            .is_some()
        {
            seen.refused += 1;
            return;
        }
        state.attempt_started();
        let fails = self.rng.random::<f64>() < self.scene.failing;
        let ends = if fails {
            self.now + 0.001
        } else {
            let draw = -(1.0 - self.rng.random::<f64>()).ln();
            let factor = if self.scene.varied { draw } else { 1.0 };
            let free = self
                .servers
                .iter_mut()
                .min_by(|a, b| a.total_cmp(b))
                .unwrap();
            *free = free.max(self.now) + self.scene.service * factor;
            *free
        };
        self.number += 1;
        let key = (at(ends), self.number);
        self.pending.insert(key, (worker, self.now, fails));
        seen.peak = seen.peak.max(self.pending.len());
    }

    fn answer(&mut self, seen: &mut Seen) {
        let (_, (worker, sent, fails)) = self.pending.pop_first().unwrap();
        let took = self.now - sent;
        let state = &mut self.workers[worker];
        let outcome = Outcome::Answered(if fails { 503 } else { 200 });
        let pass = Breaker::default().free_pass();
        state.record(
            pass,
            outcome,
            crate::time::from_seconds(took),
            super::PACE,
            at(self.now),
        );
        state.attempt_ended();
        seen.times.push(took);
    }

    /// The worker whose round is due publishes and reads.
    fn round(&mut self) {
        let due = |(_, (due, _)): &(usize, &(f64, Others))| *due <= self.now;
        let (worker, _) = self.rounds.iter().enumerate().find(due).unwrap();
        let report = self.workers[worker].report(at(self.now));
        self.rounds[worker] = (self.now + 0.1, report);
        let mut others = Others::default();
        for (other, (_, report)) in self.rounds.iter().enumerate() {
            if other != worker {
                others.merge(report);
            }
        }
        self.workers[worker].set_others(others);
    }
}
