//! The breaker as the contract describes it, written without regard to cost.
//!
//! It keeps everything that ever happened and finds each answer by looking back through it: no
//! counters, no generations, no list of permits. What the breaker *is* follows from the periods
//! that it went through; what an answer means follows from the period that its attempt began in.

use alloc::vec::Vec;

use super::*;

#[derive(Debug)]
pub(super) struct Model {
    policy: BreakerPolicy,
    history: Vec<Event>,
    periods: Vec<Period>,
}

#[derive(Debug)]
enum Event {
    Sent {
        trial: bool,
        expires: Instant,
    },
    Ended {
        sent: usize,
        verdict: Verdict,
        exceeded: bool,
    },
    Checked {
        good: bool,
    },
}

#[derive(Debug)]
struct Period {
    name: StateName,
    /// The first event that belongs to it.
    first: usize,
    begins: Instant,
    /// How long it is to last, if it is open.
    length: Duration,
}

impl Model {
    pub(super) fn new(policy: &BreakerPolicy) -> Self {
        let closed = Period {
            name: StateName::Closed,
            first: 0,
            begins: Instant::ORIGIN,
            length: Duration::ZERO,
        };
        Self {
            policy: policy.clone(),
            history: Vec::new(),
            periods: [closed].into(),
        }
    }

    pub(super) fn name(&self) -> StateName {
        self.period().name
    }

    pub(super) fn open_until(&self) -> Option<Instant> {
        let period = self.period();
        (period.name == StateName::Open).then(|| period.begins + period.length)
    }

    pub(super) fn admission(&self, now: Instant) -> Admission {
        match (self.name(), self.open_until()) {
            (StateName::Closed, _) => Admission::Free,
            (_, Some(until)) if now < until => Admission::Refused,
            (StateName::HalfOpen, _) if self.trials(now) >= self.permits() => Admission::Refused,
            _ => Admission::Trial,
        }
    }

    /// An attempt wants to go there; the number by which it is known when it ends, if it may.
    pub(super) fn send(&mut self, expires: Instant, now: Instant) -> Option<usize> {
        let admission = self.admission(now);
        if admission == Admission::Refused {
            return None;
        }
        if self.name() == StateName::Open {
            self.begin(StateName::HalfOpen, Duration::ZERO, now);
        }
        let trial = admission == Admission::Trial;
        self.history.push(Event::Sent { trial, expires });
        Some(self.history.len() - 1)
    }

    pub(super) fn end(&mut self, sent: usize, verdict: Verdict, exceeded: bool, now: Instant) {
        self.history.push(Event::Ended {
            sent,
            verdict,
            exceeded,
        });
        self.consider(now);
    }

    pub(super) fn check(&mut self, good: bool, now: Instant) {
        if self.name() == StateName::Open && self.admission(now) == Admission::Trial {
            self.begin(StateName::HalfOpen, Duration::ZERO, now);
        }
        self.history.push(Event::Checked { good });
        self.consider(now);
    }

    /// Consecutive failures, looking back from the newest event of the period.
    pub(super) fn failures_while_closed(&self) -> u32 {
        if self.name() != StateName::Closed {
            return 0;
        }
        let judged = self.judged();
        let row = judged
            .iter()
            .rev()
            .take_while(|verdict| **verdict != Verdict::Success);
        let row = row.filter(|verdict| **verdict == Verdict::Failure { consecutive: true });
        u32::try_from(row.count()).unwrap()
    }

    /// Trials of this period that are neither over nor expired.
    pub(super) fn trials(&self, now: Instant) -> u32 {
        let over = |number| {
            let mut events = self.history.iter();
            events.any(|event| matches!(event, Event::Ended { sent, .. } if *sent == number))
        };
        let events = self.history.iter().enumerate().skip(self.period().first);
        let trials = events.filter(|(number, event)| match event {
            Event::Sent { trial, expires } => *trial && now < *expires && !over(*number),
            Event::Ended { .. } | Event::Checked { .. } => false,
        });
        u32::try_from(trials.count()).unwrap()
    }

    fn permits(&self) -> u32 {
        self.policy.half_open_requests.max(1)
    }

    fn period(&self) -> &Period {
        self.periods.last().unwrap()
    }

    /// What was said in this period of attempts that began in it, and by checks; in order.
    fn judged(&self) -> Vec<Verdict> {
        let first = self.period().first;
        let verdict = |event: &Event| match event {
            Event::Ended { sent, verdict, .. } if *sent >= first => Some(*verdict),
            Event::Checked { good: true } => Some(Verdict::Success),
            Event::Checked { good: false } => Some(Verdict::Failure { consecutive: true }),
            Event::Ended { .. } | Event::Sent { .. } => None,
        };
        self.history
            .iter()
            .skip(first)
            .filter_map(verdict)
            .collect()
    }

    /// Whether the newest event makes a new period.
    fn consider(&mut self, now: Instant) {
        let judged = self.judged();
        let count = |wanted: fn(&Verdict) -> bool| {
            u32::try_from(judged.iter().filter(|verdict| wanted(verdict)).count()).unwrap()
        };
        match self.name() {
            StateName::Closed => {
                let first = self.period().first;
                let exceeded = match self.history.last() {
                    Some(Event::Ended {
                        sent,
                        verdict,
                        exceeded,
                    }) => *exceeded && *sent >= first && *verdict != Verdict::Neutral,
                    _ => false,
                };
                if exceeded || self.failures_while_closed() >= self.policy.failure_threshold.max(1)
                {
                    self.open(now);
                }
            }
            StateName::HalfOpen => {
                let good = count(|verdict| *verdict == Verdict::Success);
                if count(|verdict| matches!(verdict, Verdict::Failure { .. })) > 0 {
                    self.open(now);
                } else if good >= self.policy.success_threshold.max(1) {
                    self.begin(StateName::Closed, Duration::ZERO, now);
                }
            }
            StateName::Open => {}
        }
    }

    /// Twice as long for each opening since the last recovery.
    fn open(&mut self, now: Instant) {
        let ends = self
            .periods
            .iter()
            .skip(1)
            .map(|period| period.begins)
            .chain([now]);
        let mut length = self.policy.timeout;
        let mut last = Duration::ZERO;
        for (period, end) in self.periods.iter().zip(ends) {
            match period.name {
                StateName::Closed if end.since(period.begins) >= last => {
                    length = self.policy.timeout;
                }
                StateName::Open => {
                    last = period.length;
                    let most = self.policy.max_timeout.max(self.policy.timeout);
                    length = length.saturating_mul(2).min(most);
                }
                StateName::Closed | StateName::HalfOpen => {}
            }
        }
        self.begin(StateName::Open, length, now);
    }

    fn begin(&mut self, name: StateName, length: Duration, now: Instant) {
        self.periods.push(Period {
            name,
            first: self.history.len(),
            begins: now,
            length,
        });
    }
}
