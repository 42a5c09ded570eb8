//! What has happened in a run, to be judged afterwards.

use core::time::Duration;

use steerage_engine::action::Reason;
use steerage_policy::breaker::StateName;
use steerage_policy::time::Instant;

/// Everything that has happened.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Attempts, in the order in which they were sent.
    pub(crate) sent: Vec<Sent>,
    /// What breakers did, as the store shows it.
    pub(crate) transitions: Vec<Transition>,
    /// Health checks, in the order in which they were sent.
    pub(crate) checks: Vec<Check>,
    /// What clients got, in the order of their answers.
    pub(crate) answers: Vec<Answer>,
    /// Exchanges that ended with a good answer.
    pub(crate) served: u32,
    /// Exchanges that ended with a failure, or for which there was no endpoint.
    pub(crate) failed: u32,
    /// Clients that left without an answer.
    pub(crate) left: u32,
    /// Calls that the host did not send.
    pub(crate) refused_calls: u32,
    /// Attempts that the proxy refused, because their cluster was at its limit.
    pub(crate) overflowed: u32,
    /// Changes of what the workers agree on that were to be written.
    pub(crate) changes: u32,
    /// Those that were not.
    pub(crate) lost: u32,
    /// Writes that another worker's write was faster than.
    pub(crate) conflicts: u32,
    /// Values that were no record.
    pub(crate) unreadable: u32,
}

/// What a client got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// When its request arrived.
    pub(crate) arrived: Instant,
    /// How long it has taken.
    pub(crate) took: Duration,
    pub(crate) good: bool,
    /// Whether the client is one of the minority.
    pub(crate) odd: bool,
    /// Why the answer is not an upstream's, as far as the filter says so.
    pub(crate) reason: Option<Reason>,
}

/// An attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    /// When the endpoint has done with it, whether its worker still lives or not.
    pub(crate) ends: Instant,
    pub(crate) worker: usize,
    pub(crate) endpoint: usize,
    /// Whether it holds a permit for a trial.
    pub(crate) trial: bool,
    /// Whether the router still had the first attempt.
    pub(crate) hedge: bool,
}

/// A breaker has entered a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transition {
    pub(crate) at: Instant,
    pub(crate) endpoint: usize,
    pub(crate) to: StateName,
    /// Until when, if it is open.
    pub(crate) until: Option<Instant>,
}

/// A health check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) at: Instant,
    pub(crate) worker: usize,
    pub(crate) endpoint: usize,
}

impl Log {
    /// Adds an attempt, and gives its position.
    pub(crate) fn attempt(&mut self, sent: Sent) -> usize {
        self.sent.push(sent);
        self.sent.len() - 1
    }

    /// A client gets its answer, or the news that there is none.
    pub(crate) fn answer(&mut self, answer: Answer) {
        if answer.good {
            self.served += 1;
        } else {
            self.failed += 1;
        }
        self.answers.push(answer);
    }

    /// How many attempts were sent to an endpoint from `from` until before `until`.
    pub(crate) fn sent_to(&self, endpoint: usize, from: Instant, until: Instant) -> usize {
        let within = |sent: &&Sent| (from..until).contains(&sent.at);
        let to = |sent: &&Sent| sent.endpoint == endpoint;
        self.sent.iter().filter(within).filter(to).count()
    }

    /// An endpoint's share of all attempts of this time.
    pub(crate) fn share(&self, endpoint: usize, from: Instant, until: Instant) -> f64 {
        let within = |sent: &&Sent| (from..until).contains(&sent.at);
        let all = self.sent.iter().filter(within).count();
        count(self.sent_to(endpoint, from, until)) / count(all)
    }

    /// An endpoint's attempts under way at one time, as the endpoint itself would count them.
    pub(crate) fn under_way(&self, endpoint: usize, now: Instant) -> usize {
        let under_way = |sent: &&Sent| (sent.at..sent.ends).contains(&now);
        let to = |sent: &&Sent| sent.endpoint == endpoint;
        self.sent.iter().filter(under_way).filter(to).count()
    }

    /// The same on average over this time.
    pub(crate) fn mean_under_way(&self, endpoint: usize, from: Instant, until: Instant) -> f64 {
        let overlap = |sent: &Sent| sent.ends.min(until).since(sent.at.max(from));
        let to = |sent: &&Sent| sent.endpoint == endpoint;
        let sum: Duration = self.sent.iter().filter(to).map(overlap).sum();
        sum.as_secs_f64() / until.since(from).as_secs_f64()
    }

    /// Most trials of an endpoint at a time.
    pub(crate) fn most_trials(&self, endpoint: usize) -> usize {
        let trials = || {
            let to = |sent: &&Sent| sent.endpoint == endpoint && sent.trial;
            self.sent.iter().filter(to)
        };
        let at_once = |now: Instant| {
            let under_way = |sent: &&Sent| (sent.at..sent.ends).contains(&now);
            trials().filter(under_way).count()
        };
        trials().map(|sent| at_once(sent.at)).max().unwrap_or(0)
    }

    /// The times at which an endpoint's breaker has opened, with when it could be tried again.
    pub(crate) fn openings(&self, endpoint: usize) -> Vec<(Instant, Instant)> {
        let of = |transition: &&Transition| transition.endpoint == endpoint;
        let open = |transition: &Transition| Some((transition.at, transition.until?));
        self.transitions
            .iter()
            .filter(of)
            .filter_map(open)
            .collect()
    }

    /// When an endpoint's breaker has closed last.
    pub(crate) fn closed(&self, endpoint: usize) -> Option<Instant> {
        let closed = |transition: &&Transition| {
            transition.endpoint == endpoint && transition.to == StateName::Closed
        };
        self.transitions
            .iter()
            .rfind(closed)
            .map(|transition| transition.at)
    }

    /// When an endpoint was checked.
    pub(crate) fn checks_of(&self, endpoint: usize) -> Vec<Instant> {
        let of = |check: &&Check| check.endpoint == endpoint;
        self.checks
            .iter()
            .filter(of)
            .map(|check| check.at)
            .collect()
    }
}

/// A number of things as a float.
pub(crate) fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap())
}
