//! Many requests at once, and a summary of how they fared.
//!
//! Without a rate the generator is a closed loop: `concurrency` clients, each sending its
//! next request when the last is answered. With a rate it offers requests at fixed moments,
//! whether or not earlier ones are answered, and measures each from the moment at which it
//! *should* have gone out: a proxy that stalls for a second is charged with all that waited
//! behind the stall, not with one slow answer ("coordinated omission"). When all `concurrency`
//! clients are busy, requests wait for one, and that wait is part of their latency.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Bytes;
use tokio::task::JoinSet;

use crate::client::Client;

/// A load to be put on one address.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(envoy: steerage_harness::Envoy) {
/// use steerage_harness::Load;
/// let report = Load::new(envoy.addr()).during(Duration::from_secs(2)).concurrency(8).rate(500.0).run().await;
/// assert_eq!(report.failed(), 0, "{report}");
/// assert!(report.percentile(99.0) < Duration::from_millis(250), "{report}");
/// # }
/// ```
#[derive(Clone)]
pub struct Load {
    addr: SocketAddr,
    requests: Arc<dyn Fn(usize) -> Request<Bytes> + Send + Sync>,
    total: Option<usize>,
    during: Option<Duration>,
    concurrency: usize,
    rate: Option<f64>,
    patience: Duration,
}

impl Load {
    /// 100 times `GET /` by one client, unless told otherwise.
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            requests: Arc::new(|_| Request::new(Bytes::new())),
            total: None,
            during: None,
            concurrency: 1,
            rate: None,
            patience: Duration::from_secs(30),
        }
    }

    /// Sends what `make` makes of the request's number, counted from 0.
    #[must_use]
    pub fn requests(
        mut self,
        make: impl Fn(usize) -> Request<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.requests = Arc::new(make);
        self
    }

    /// Sends GET `path`.
    ///
    /// # Panics
    /// While it runs, when `path` is not a request target.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        let path = path.to_owned();
        self.requests(move |_| {
            Request::get(&*path)
                .body(Bytes::new())
                .expect("the path is a request target")
        })
    }

    /// Stops after this many requests.
    #[must_use]
    pub fn total(mut self, requests: usize) -> Self {
        self.total = Some(requests);
        self
    }

    /// Begins no request after this time. With [`Load::total`] the earlier end counts.
    #[must_use]
    pub fn during(mut self, time: Duration) -> Self {
        self.during = Some(time);
        self
    }

    /// How many clients, each with a connection of its own, at least 1.
    #[must_use]
    pub fn concurrency(mut self, clients: usize) -> Self {
        self.concurrency = clients.max(1);
        self
    }

    /// Offers this many requests a second, evenly spaced. The timer's grain is 1 ms: what is
    /// due in the same millisecond goes out together.
    ///
    /// # Panics
    /// When the rate is not a positive number.
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        assert!(
            per_second.is_finite() && per_second > 0.0,
            "a rate is a positive number, not {per_second}"
        );
        self.rate = Some(per_second);
        self
    }

    /// Counts an answer that takes longer as an error; 30 s unless told otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends the load and waits for the last answer.
    pub async fn run(self) -> LoadReport {
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..self.concurrency {
            clients.spawn(self.clone().one_client(start, Arc::clone(&next)));
        }
        let mut report = LoadReport::default();
        while let Some(part) = clients.join_next().await {
            match part {
                Ok(part) => report.add(part),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            }
        }
        report.latencies.sort_unstable();
        report.elapsed = start.elapsed();
        report
    }

    async fn one_client(self, start: Instant, next: Arc<AtomicUsize>) -> LoadReport {
        let client = Client::new().patience(self.patience);
        let total = match (self.total, self.during) {
            (Some(total), _) => total,
            (None, Some(_)) => usize::MAX,
            (None, None) => DEFAULT_TOTAL,
        };
        let mut report = LoadReport::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = self.due(start, number);
            if number >= total
                || self
                    .during
                    .is_some_and(|during| due.duration_since(start) >= during)
            {
                return report;
            }
            tokio::time::sleep_until(due.into()).await;
            let answer = client.request(self.addr, (self.requests)(number)).await;
            match answer {
                Ok(answer) => {
                    *report.statuses.entry(answer.status.as_u16()).or_default() += 1;
                    report.latencies.push(due.elapsed());
                }
                Err(error) => {
                    report.errors += 1;
                    report.first_error.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }

    /// When request `number` should go out.
    fn due(&self, start: Instant, number: usize) -> Instant {
        match self.rate {
            // Only numbers beyond 2^53 would lose precision here.
            #[expect(
                clippy::cast_precision_loss,
                reason = "a load has far fewer than 2^53 requests"
            )]
            Some(rate) => {
                start
                    + Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX / 4)
            }
            None => Instant::now(),
        }
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("addr", &self.addr)
            .field("total", &self.total)
            .field("during", &self.during)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// How a load fared.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// How many answers had which status.
    pub statuses: BTreeMap<u16, usize>,
    /// How many requests got no complete answer.
    pub errors: usize,
    /// The first of the errors of one of the clients.
    pub first_error: Option<String>,
    /// The time of each complete answer, to its last byte, whatever its status; sorted.
    pub latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl LoadReport {
    /// How many requests were sent.
    pub fn total(&self) -> usize {
        self.answered() + self.errors
    }

    /// How many answers had this status.
    pub fn status(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// How many requests ended in an error or in a 5xx.
    pub fn failed(&self) -> usize {
        self.errors
            + self
                .statuses
                .range(500..600)
                .map(|(_, count)| count)
                .sum::<usize>()
    }

    /// The share of requests that did not fail, 0 to 1; 1 when there were none.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a load has far fewer than 2^53 requests"
    )]
    pub fn success_rate(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => 1.0 - self.failed() as f64 / total as f64,
        }
    }

    /// The latency that `p` percent of the answers did not exceed (nearest rank); 0 when there
    /// are none. `percentile(50.0)` of 1, 2, 3 and 4 ms is 2 ms.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between 0 and the number of answers"
    )]
    pub fn percentile(&self, p: f64) -> Duration {
        let rank = (p.clamp(0.0, 100.0) / 100.0 * self.latencies.len() as f64).ceil() as usize;
        self.latencies
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    fn answered(&self) -> usize {
        self.statuses.values().sum()
    }

    fn add(&mut self, part: Self) {
        for (status, count) in part.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.errors += part.errors;
        self.first_error = self.first_error.take().or(part.first_error);
        self.latencies.extend(part.latencies);
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests in {:.1?}:", self.total(), self.elapsed)?;
        for (status, count) in &self.statuses {
            write!(f, " {count} × {status},")?;
        }
        write!(f, " {} errors", self.errors)?;
        if let Some(error) = &self.first_error {
            write!(f, " (such as: {error})")?;
        }
        write!(
            f,
            "; p50 {:.1?}, p99 {:.1?}",
            self.percentile(50.0),
            self.percentile(99.0)
        )
    }
}

/// What is sent when neither a number nor a time was given.
const DEFAULT_TOTAL: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let report = LoadReport {
            latencies: (1..=4).map(Duration::from_millis).collect(),
            ..LoadReport::default()
        };
        for (p, millis) in [
            (0.0, 1),
            (25.0, 1),
            (50.0, 2),
            (51.0, 3),
            (99.0, 4),
            (100.0, 4),
        ] {
            assert_eq!(report.percentile(p), Duration::from_millis(millis), "p{p}");
        }
        assert_eq!(LoadReport::default().percentile(50.0), Duration::ZERO);
    }
}
