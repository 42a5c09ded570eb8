//! What both sides counted: the upstreams their attempts, the client its requests.
//!
//! The upstreams count what really arrived at them, so the summary does not rest on what the filter
//! says of itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The counts of one act.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// In the order of the table.
    pub(crate) endpoints: Vec<EndpointCounts>,
    /// The other side.
    pub(crate) client: ClientCounts,
}

impl Counts {
    /// Attempts that arrived at any upstream.
    pub(crate) fn attempts(&self) -> usize {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.attempts)
            .sum()
    }

    /// Of these, how many failed.
    pub(crate) fn failed(&self) -> usize {
        self.endpoints.iter().map(|endpoint| endpoint.failed).sum()
    }

    /// How many requests failed at their first attempt: without retries, so many would have failed.
    pub(crate) fn first_failed(&self) -> usize {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.first_failed)
            .sum()
    }
}

/// What one upstream counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointCounts {
    pub(crate) name: &'static str,
    pub(crate) attempts: usize,
    pub(crate) failed: usize,
    /// Failed ones that were first attempts.
    pub(crate) first_failed: usize,
    /// Attempts that were retries: requests taken over from another endpoint.
    pub(crate) taken_over: usize,
    /// How long it took to answer, or to break off.
    pub(crate) times: Vec<Duration>,
}

/// What the client counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientCounts {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    /// Requests that took more than one attempt, by the header `x-steerage-attempts`.
    pub(crate) retried: usize,
    pub(crate) times: Vec<Duration>,
    /// What the first failure looked like.
    pub(crate) first_failure: Option<String>,
}

/// An attempt as its upstream saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) is_retry: bool,
    pub(crate) failed: bool,
    pub(crate) took: Duration,
}

/// A request as the client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) retried: bool,
    /// What was wrong with the answer; `None` if nothing was.
    pub(crate) failure: Option<String>,
    pub(crate) took: Duration,
}

/// Where all tasks count.
#[derive(Debug)]
pub(crate) struct Recorder(Mutex<Counts>);

impl Recorder {
    /// Nothing counted yet, for these endpoints.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        Self(Mutex::new(blank(names.iter().copied())))
    }

    /// An attempt arrived at the upstream `name`.
    pub(crate) fn attempt(&self, name: &str, attempt: Attempt) {
        let mut counts = self.locked();
        let endpoint = counts.endpoints.iter_mut().find(|one| one.name == name);
        if let Some(endpoint) = endpoint {
            endpoint.attempts += 1;
            endpoint.failed += usize::from(attempt.failed);
            endpoint.first_failed += usize::from(attempt.failed && !attempt.is_retry);
            endpoint.taken_over += usize::from(attempt.is_retry);
            endpoint.times.push(attempt.took);
        }
    }

    /// A request of the client is over.
    pub(crate) fn exchange(&self, exchange: Exchange) {
        let client = &mut self.locked().client;
        client.requests += 1;
        client.failed += usize::from(exchange.failure.is_some());
        client.retried += usize::from(exchange.retried);
        client.times.push(exchange.took);
        client.first_failure = client.first_failure.take().or(exchange.failure);
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> Counts {
        self.locked().clone()
    }

    /// The counts so far; counting begins anew.
    pub(crate) fn take(&self) -> Counts {
        let mut counts = self.locked();
        let names = counts.endpoints.iter().map(|endpoint| endpoint.name);
        let blank = blank(names);
        std::mem::replace(&mut counts, blank)
    }

    /// Counting cannot leave the counts half done, so a panic elsewhere does not spoil them.
    fn locked(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn blank(names: impl Iterator<Item = &'static str>) -> Counts {
    Counts {
        endpoints: names
            .map(|name| EndpointCounts {
                name,
                ..EndpointCounts::default()
            })
            .collect(),
        client: ClientCounts::default(),
    }
}

/// The time that `percent` of `times` did not exceed (nearest rank); `None` when there are none.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_retries_are_counted_where_they_happen() {
        let recorder = Recorder::new(&["a", "b"]);
        let took = Duration::from_millis(1);
        let attempt = |is_retry, failed| Attempt {
            is_retry,
            failed,
            took,
        };
        recorder.attempt("a", attempt(false, true));
        recorder.attempt("a", attempt(true, true));
        recorder.attempt("b", attempt(true, false));
        recorder.exchange(Exchange {
            retried: true,
            failure: None,
            took,
        });
        let counts = recorder.take();
        assert_eq!((counts.attempts(), counts.failed()), (3, 2));
        assert_eq!(counts.first_failed(), 1);
        let taken_over: Vec<_> = counts.endpoints.iter().map(|one| one.taken_over).collect();
        assert_eq!(taken_over, [1, 1]);
        assert_eq!(recorder.counts().attempts(), 0);
        assert_eq!(recorder.counts().endpoints.len(), 2);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<_> = [4, 1, 3, 2].map(Duration::from_millis).to_vec();
        for (percent, millis) in [(0, 1), (25, 1), (50, 2), (51, 3), (99, 4), (100, 4)] {
            assert_eq!(
                percentile(&times, percent),
                Some(Duration::from_millis(millis)),
                "p{percent}"
            );
        }
        assert_eq!(percentile(&[], 50), None);
    }
}
