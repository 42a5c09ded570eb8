//! Waiting for something to become true, and never for ever.
//!
//! A test of a running proxy must wait for effects that arrive on another thread. A fixed
//! sleep is either too short on a busy machine or too long on an idle one, so the harness
//! polls: [`eventually`] asks every 10 ms and gives up, with a name for what was missing,
//! at a deadline that only a broken test reaches.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::HarnessError;

/// Asks `probe` every 10 ms until it answers `Some`.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(envoy: steerage_harness::Envoy) -> Result<(), steerage_harness::HarnessError> {
/// let trips = steerage_harness::eventually("the breaker opens", Duration::from_secs(5), async || {
///     envoy.stat("wasmcustom.trips").await.ok().flatten().filter(|&n| n > 0)
/// })
/// .await?;
/// # assert!(trips > 0); Ok(()) }
/// ```
///
/// # Errors
/// [`HarnessError::Timeout`] naming `what` when `within` has passed.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> Result<T, HarnessError> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe().await {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(HarnessError::Timeout {
                doing: what.to_owned(),
                after: within,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Runs one test to its end on a runtime of its own, and panics when it takes too long.
///
/// The runtime has two worker threads, so that a test that is busy itself does not slow down
/// the servers it talks to.
///
/// # Panics
/// When the test panics, or is not done after two minutes.
pub fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the operating system grants threads and an event queue")
        .block_on(async {
            tokio::time::timeout(LONGEST_TEST, test)
                .await
                .expect("a test is done within two minutes")
        })
}

/// How often a condition is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Longer than any test should take, shorter than a CI job's patience.
const LONGEST_TEST: Duration = Duration::from_secs(120);
