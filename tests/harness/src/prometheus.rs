//! A real Prometheus, started for one test and ended with it.
//!
//! It reads the configuration that users load, adapted to the test, keeps its data in a directory of its
//! own and listens on a port that the kernel chooses. What it scraped so far is asked for by
//! [`Prometheus::query`]; a test waits for that with [`crate::eventually`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use crate::admin;
use crate::bootstrap::adapted;
use crate::error::HarnessError;
use crate::process::{Process, Scratch, found_by};
use crate::wait::eventually;

/// A running Prometheus. It is ended when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    // Fields are dropped in this order: the process ends before its files are removed.
    process: Process,
    _scratch: Scratch,
    addr: SocketAddr,
}

impl Prometheus {
    /// Starts a Prometheus from a file that users load. Each text in `replacements` must occur in
    /// the file and is replaced wherever it does. A relative `path` is taken from the
    /// repository's root; the paths of `rule_files` have to be made absolute.
    ///
    /// # Errors
    /// [`HarnessError::PrometheusMissing`] when there is nothing to run,
    /// [`HarnessError::NothingToReplace`], and [`HarnessError::Unexpected`] with the log when
    /// Prometheus does not become ready.
    pub async fn from_yaml_file(
        path: impl AsRef<Path>,
        replacements: &[(&str, &str)],
    ) -> Result<Self, HarnessError> {
        let scratch = Scratch::new()?;
        let config = scratch.write("prometheus.yml", &adapted(path.as_ref(), replacements)?)?;
        let binary = tokio::task::spawn_blocking(prometheus_binary)
            .await
            .map_err(|failed| HarnessError::PrometheusMissing {
                said: failed.to_string(),
            })??;
        let mut command = Command::new(binary);
        command
            .arg("--config.file")
            .arg(config)
            .arg("--storage.tsdb.path")
            .arg(scratch.path().join("data"))
            .args(["--web.listen-address", "127.0.0.1:0"]);
        let mut process = Process::start(command, scratch.path().join("prometheus.log"))?;
        // It logs where it listens, and takes a moment more to read the data that is not there.
        let became_ready = eventually("Prometheus is ready", START, async || {
            if process.ended().is_some() {
                return Some(None);
            }
            let addr = listening(&process.log())?;
            let ready = admin::ask(addr, Method::GET, "/-/ready").await;
            ready.is_ok().then_some(Some(addr))
        });
        match became_ready.await {
            Ok(Some(addr)) => Ok(Self {
                process,
                _scratch: scratch,
                addr,
            }),
            Ok(None) | Err(_) => Err(HarnessError::Unexpected {
                doing: "start Prometheus".to_owned(),
                found: process.log(),
            }),
        }
    }

    /// The body of a page of its API, such as `/api/v1/rules`, as JSON: the field `data`.
    ///
    /// # Errors
    /// When there is no answer, or one other than 200.
    pub async fn api(&self, path: &str) -> Result<Value, HarnessError> {
        let text = admin::ask(self.addr, Method::GET, path).await?;
        serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|mut body| body.get_mut("data").map(Value::take))
            .ok_or_else(|| HarnessError::Unexpected {
                doing: format!("read {path} of Prometheus"),
                found: text.clone(),
            })
    }

    /// The series that a PromQL expression gives now, each with `metric`, its labels, and `value`.
    ///
    /// # Errors
    /// When there is no answer, or Prometheus cannot read the expression.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, HarnessError> {
        let encoded = admin::percent_encoded(expression);
        let mut data = self.api(&format!("/api/v1/query?query={encoded}")).await?;
        match data.get_mut("result").map(Value::take) {
            Some(Value::Array(series)) => Ok(series),
            other => Err(HarnessError::Unexpected {
                doing: format!("ask Prometheus for {expression}"),
                found: format!("{other:?}"),
            }),
        }
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The path of a Prometheus binary, as `prometheus.sh` finds or fetches it.
///
/// # Errors
/// [`HarnessError::PrometheusMissing`] with what the script said.
pub fn prometheus_binary() -> Result<PathBuf, HarnessError> {
    found_by("prometheus.sh", &[]).map_err(|said| HarnessError::PrometheusMissing { said })
}

/// Where it listens, from its log.
fn listening(log: &str) -> Option<SocketAddr> {
    let line = log
        .lines()
        .find(|line| line.contains("msg=\"Listening on\""))?;
    let (_, addr) = line.rsplit_once("address=")?;
    addr.trim().trim_matches('"').parse().ok()
}

/// Prometheus needs about 0.3 s; this is for a machine under heavy load.
const START: Duration = Duration::from_secs(20);
