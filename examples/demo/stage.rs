//! The upstreams, well and ill, and the Envoy in front of them.

use std::sync::Arc;
use std::time::Duration;

use steerage_harness::{Envoy, HarnessError, Received, Reply, Upstream, repository};

use crate::guard::Guard;
use crate::tally::{Attempt, Recorder};

/// A cluster of `envoy/demo.yaml` and the upstream that plays it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// What it does, for the user.
    pub(crate) conduct: &'static str,
    /// Its port in the file, which is replaced by the upstream's.
    port: u16,
    deed: fn(&mut Dice) -> Deed,
}

/// The clusters, in the order of the table.
pub(crate) const CLUSTERS: [Cluster; 3] = [
    Cluster {
        name: "fast",
        conduct: "answers after 3 to 7 ms",
        port: 8081,
        deed: |dice| Deed::new(Answer::Good, dice.millis(3, 7)),
    },
    Cluster {
        name: "slow",
        conduct: "answers after 40 to 80 ms",
        port: 8082,
        deed: |dice| Deed::new(Answer::Good, dice.millis(40, 80)),
    },
    Cluster {
        name: "failing",
        conduct: "answers 60 of 100 attempts with 503 and drops 5, after 1 to 3 ms",
        port: 8083,
        deed: |dice| {
            let answer = match dice.below(100) {
                0..5 => Answer::Dropped,
                5..65 => Answer::Unavailable,
                _ => Answer::Good,
            };
            Deed::new(answer, dice.millis(1, 3))
        },
    },
];

/// The clusters' names, in the order of the table.
pub(crate) fn names() -> [&'static str; 3] {
    CLUSTERS.map(|cluster| cluster.name)
}

/// The one that fails.
pub(crate) const FAILING: &str = "failing";

/// What an upstream does with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deed {
    answer: Answer,
    after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Good,
    Unavailable,
    Dropped,
}

impl Deed {
    const fn new(answer: Answer, after: Duration) -> Self {
        Self { answer, after }
    }

    /// As a reply; a good one carries the request's body.
    fn reply(self, request: &Received) -> Reply {
        match self.answer {
            Answer::Good => Reply::ok().body(request.body.clone()),
            Answer::Unavailable => Reply::status(503).body("out of order\n"),
            Answer::Dropped => Reply::reset(),
        }
        .delay(self.after.saturating_sub(TIMER_LATENESS))
    }
}

/// Everything that runs besides the client.
#[derive(Debug)]
pub(crate) struct Stage {
    guard: Guard,
    pub(crate) envoy: Envoy,
    upstreams: Vec<Upstream>,
}

impl Stage {
    /// Starts it all and waits until Envoy is ready.
    pub(crate) async fn build(recorder: &Arc<Recorder>) -> Result<Self, HarnessError> {
        let wasm = std::env::var("STEERAGE_WASM").unwrap_or_else(|_| WASM.to_owned());
        let path = repository().join(&wasm);
        if !path.exists() {
            return Err(HarnessError::FilterMissing { path });
        }
        let mut upstreams = Vec::new();
        // 0 lets the kernel choose, so that a busy port never stands in the demo's way.
        let mut replaced = vec![
            (port(9901), port(0)),
            (port(10000), port(0)),
            (WASM.to_owned(), wasm),
        ];
        for cluster in CLUSTERS {
            let recorder = Arc::clone(recorder);
            let upstream = Upstream::start(move |request, number| {
                conduct(cluster, &recorder, request, number)
            })
            .await?;
            replaced.push((port(cluster.port), port(upstream.addr().port())));
            upstreams.push(upstream);
        }
        let replaced: Vec<_> = replaced.iter().map(|(a, b)| (&**a, &**b)).collect();
        let envoy = Envoy::from_yaml_file(FILE, &replaced).await?;
        Ok(Self {
            guard: Guard::over(&envoy).await?,
            envoy,
            upstreams,
        })
    }

    /// Ends it all, Envoy before the upstreams that it talks to.
    pub(crate) fn end(self) {
        drop(self.envoy);
        self.guard.dismiss();
        drop(self.upstreams);
    }
}

fn conduct(cluster: Cluster, recorder: &Recorder, request: &Received, number: usize) -> Reply {
    let deed = (cluster.deed)(&mut Dice::of(number));
    recorder.attempt(
        cluster.name,
        Attempt {
            is_retry: request
                .header("x-envoy-attempt-count")
                .is_some_and(|count| count != "1"),
            failed: deed.answer != Answer::Good,
            took: deed.after,
        },
    );
    deed.reply(request)
}

/// The text of a port in the file.
fn port(number: u16) -> String {
    format!("port_value: {number}")
}

/// Chance that is the same in every run: the upstream's `n`th attempt always fares alike.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn of(number: usize) -> Self {
        Self(number as u64)
    }

    /// One of 0..`sides`. `SplitMix64`, whose outputs are well mixed even for neighbouring seeds.
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    /// A time between these, in milliseconds, by tenths.
    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(least * 1_000 + 100 * self.below((most - least) * 10 + 1))
    }
}

/// How late tokio's timer, whose grain is 1 ms, fires on average. It would be taken for the proxy's.
const TIMER_LATENESS: Duration = Duration::from_millis(1);

/// The configuration, from the repository's root.
const FILE: &str = "envoy/demo.yaml";
/// The filter as the file names it.
const WASM: &str = "target/steerage.wasm";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_attempts_at_the_failing_cluster_fail() {
        let failing = CLUSTERS.iter().find(|one| one.name == FAILING).unwrap();
        let answers = (0..1_000).map(|number| (failing.deed)(&mut Dice::of(number)).answer);
        let count = |answer| answers.clone().filter(|one| *one == answer).count();
        assert!((550..=650).contains(&count(Answer::Unavailable)));
        assert!((30..=70).contains(&count(Answer::Dropped)));
    }

    #[test]
    fn delays_stay_within_their_bounds() {
        for number in 0..1_000 {
            let delay = Dice::of(number).millis(40, 80);
            assert!((Duration::from_millis(40)..=Duration::from_millis(80)).contains(&delay));
        }
    }
}
