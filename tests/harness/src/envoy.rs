//! A real Envoy, started for one test and ended with it.
//!
//! Envoy picks its own ports: it writes the admin interface's address into a file and tells
//! the listeners' addresses there. Readiness is what `/ready` says, not a span of time; an
//! Envoy that exits instead (a refused configuration) is an error that holds its log. When a
//! test panics while its Envoy lives, the end of Envoy's log is printed with the failure.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hyper::Method;

use crate::admin;
use crate::bootstrap::{EnvoyBuilder, adapted, repository};
use crate::error::HarnessError;
use crate::listener::{DISCOVERY_FILE, FILTER, MAIN};
use crate::process::{Process, Scratch, found_by};
use crate::wait::{POLL, eventually};

/// A running Envoy. It is ended when it is dropped.
#[derive(Debug)]
pub struct Envoy {
    // Fields are dropped in this order: the process ends before its files are removed.
    process: Process,
    scratch: Scratch,
    admin: SocketAddr,
    listeners: Vec<(String, SocketAddr)>,
    discovery: Option<Discovery>,
}

/// What [`Envoy::update_filter_config`] needs to write the next version.
#[derive(Debug)]
struct Discovery {
    builder: EnvoyBuilder,
    version: Mutex<u64>,
}

/// What Envoy made of a new filter configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigUpdate {
    /// It is in force.
    Accepted,
    /// It was refused, and the one before stays in force; the log says why.
    Rejected,
}

impl EnvoyBuilder {
    /// Starts it and waits until it is live.
    ///
    /// # Errors
    /// [`HarnessError::EnvoyExited`] with the log when Envoy refuses what it was told, and
    /// others of [`HarnessError`] when there is nothing to run or it does not become live.
    pub async fn start(self) -> Result<Envoy, HarnessError> {
        Envoy::start(self).await
    }
}

impl Envoy {
    /// An Envoy with two workers, the shipped filter without a configuration, and no clusters.
    pub fn builder() -> EnvoyBuilder {
        EnvoyBuilder::new()
    }

    /// Starts an Envoy from a file that users load, in the repository's root, with two
    /// workers. Each text in `replacements` must occur in the file and is replaced wherever it
    /// does: ports and paths have to be adapted to the test. The file must give an admin
    /// address. A relative `path` is taken from the repository's root.
    ///
    /// # Errors
    /// As [`EnvoyBuilder::start`], and [`HarnessError::NothingToReplace`].
    pub async fn from_yaml_file(
        path: impl AsRef<Path>,
        replacements: &[(&str, &str)],
    ) -> Result<Self, HarnessError> {
        let text = adapted(path.as_ref(), replacements)?;
        let scratch = Scratch::new()?;
        let config = scratch.write("envoy.yaml", &text)?;
        Self::launch(&Self::builder(), scratch, &config, None).await
    }

    pub(crate) async fn start(mut builder: EnvoyBuilder) -> Result<Self, HarnessError> {
        if builder.needs_wasm() {
            // Envoy runs elsewhere, so a relative path must be resolved here.
            builder.common.wasm = fs::canonicalize(&builder.common.wasm).map_err(|_| {
                HarnessError::FilterMissing {
                    path: builder.common.wasm.clone(),
                }
            })?;
        }
        let scratch = Scratch::new()?;
        let discovered = scratch.path().join("discovery");
        fs::create_dir(&discovered).map_err(HarnessError::io("create a directory"))?;
        let discovery = builder.common.by_ecds.then(|| Discovery {
            builder: builder.clone(),
            version: Mutex::new(1),
        });
        if builder.common.by_ecds {
            let file = Path::new("discovery").join(DISCOVERY_FILE);
            scratch.write(
                &file.to_string_lossy(),
                &builder.discovery_json(1).to_string(),
            )?;
        }
        let config = scratch.write("envoy.json", &builder.to_json(&discovered).to_string())?;
        Self::launch(&builder, scratch, &config, discovery).await
    }

    async fn launch(
        builder: &EnvoyBuilder,
        scratch: Scratch,
        config: &Path,
        discovery: Option<Discovery>,
    ) -> Result<Self, HarnessError> {
        let envoy = tokio::task::spawn_blocking(envoy_binary)
            .await
            .map_err(|failed| HarnessError::EnvoyMissing {
                said: failed.to_string(),
            })??;
        let mut command = match &builder.pinned_to {
            Some(processors) => {
                let mut command = Command::new("taskset");
                command.args(["-c", processors]).arg(envoy);
                command
            }
            None => Command::new(envoy),
        };
        let admin_file = scratch.path().join("admin-address");
        command
            .current_dir(repository())
            .arg("-c")
            .arg(config)
            .args([
                "--concurrency",
                &builder.concurrency.to_string(),
                // No shared memory: nothing to clash over, nothing left in /dev/shm afterwards.
                "--disable-hot-restart",
                "-l",
                "info",
            ])
            .arg("--admin-address-path")
            .arg(&admin_file);
        if let Some(levels) = &builder.component_log_level {
            command.args(["--component-log-level", levels]);
        }
        let mut process = Process::start(command, scratch.path().join("envoy.log"))?;
        let admin = become_live(&mut process, &admin_file).await?;
        let listeners = admin::listeners(admin).await?;
        Ok(Self {
            process,
            scratch,
            admin,
            listeners,
            discovery,
        })
    }

    /// Where the main listener listens: the one of the builder, or the file's first.
    ///
    /// # Panics
    /// When there is no listener.
    pub fn addr(&self) -> SocketAddr {
        self.addr_of(MAIN)
            .or_else(|| self.listeners.first().map(|&(_, addr)| addr))
            .expect("Envoy has a listener")
    }

    /// Where the listener of this name listens.
    pub fn addr_of(&self, name: &str) -> Option<SocketAddr> {
        self.listeners
            .iter()
            .find(|(other, _)| other == name)
            .map(|&(_, addr)| addr)
    }

    /// The main listener's address as `http://127.0.0.1:port`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Where the admin interface listens.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// The body of an admin page, such as `/clusters`.
    ///
    /// # Errors
    /// When there is no answer, or one other than 200.
    pub async fn admin_get(&self, path: &str) -> Result<String, HarnessError> {
        admin::ask(self.admin, Method::GET, path).await
    }

    /// Asks the admin interface to do something, such as `/logging?wasm=trace`.
    ///
    /// # Errors
    /// When there is no answer, or one other than 200.
    pub async fn admin_post(&self, path: &str) -> Result<String, HarnessError> {
        admin::ask(self.admin, Method::POST, path).await
    }

    /// The counter or gauge of exactly this name; `None` when Envoy has none. Workers hand in
    /// what they counted with some delay: wait with [`Envoy::wait_for_stat`].
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn stat(&self, name: &str) -> Result<Option<u64>, HarnessError> {
        Ok(self.stats(&format!("^\\Q{name}\\E$")).await?.remove(name))
    }

    /// The counters and gauges whose name matches this regular expression anywhere.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>, HarnessError> {
        let text = self
            .admin_get(&format!("/stats?filter={}", admin::percent_encoded(filter)))
            .await?;
        // Histograms, whose values are no numbers, fall through.
        let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect())
    }

    /// Waits up to 10 s until the counter or gauge is as `wanted` says, and returns it. A stat
    /// that does not exist yet counts as 0.
    ///
    /// # Errors
    /// [`HarnessError::Timeout`] when it does not become so.
    pub async fn wait_for_stat(
        &self,
        name: &str,
        wanted: impl Fn(u64) -> bool,
    ) -> Result<u64, HarnessError> {
        eventually(
            &format!("the wanted value of {name}"),
            Duration::from_secs(10),
            async || {
                self.stat(name)
                    .await
                    .ok()
                    .map(Option::unwrap_or_default)
                    .filter(|&value| wanted(value))
            },
        )
        .await
    }

    /// Replaces the configuration of a filter that was delivered [by
    /// ECDS](EnvoyBuilder::by_ecds), by renaming a new file into place, and waits for Envoy's
    /// verdict. Workers follow the verdict within moments, not at once.
    ///
    /// # Errors
    /// When the filter was delivered otherwise, or Envoy has no verdict after 10 s.
    pub async fn update_filter_config(
        &self,
        json: impl Into<String>,
    ) -> Result<ConfigUpdate, HarnessError> {
        let Some(discovery) = &self.discovery else {
            return Err(HarnessError::Unexpected {
                doing: "update the filter's configuration".to_owned(),
                found: "a filter that is not delivered by ECDS".to_owned(),
            });
        };
        // A refused configuration counts as a reload, too; only the subscription's own
        // counters tell the two apart.
        let verdicts = async || -> Result<(u64, u64), HarnessError> {
            let prefix = format!("extension_config_discovery.http_filter.{FILTER}.update_");
            let stats = self.stats(&format!("^\\Q{prefix}\\E")).await?;
            let count = |name: &str| {
                stats
                    .get(&format!("{prefix}{name}"))
                    .copied()
                    .unwrap_or_default()
            };
            Ok((count("success"), count("rejected") + count("failure")))
        };
        let (accepted, rejected) = verdicts().await?;
        let version = {
            let mut version = discovery
                .version
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *version += 1;
            *version
        };
        let text = discovery
            .builder
            .clone()
            .config(json)
            .discovery_json(version)
            .to_string();
        let new = self.scratch.write("next-filter.json", &text)?;
        let place = self.scratch.path().join("discovery").join(DISCOVERY_FILE);
        fs::rename(&new, &place)
            .map_err(HarnessError::io(format!("rename to {}", place.display())))?;
        eventually(
            "a verdict on the new configuration",
            Duration::from_secs(10),
            async || match verdicts().await {
                Ok((now, _)) if now > accepted => Some(ConfigUpdate::Accepted),
                Ok((_, now)) if now > rejected => Some(ConfigUpdate::Rejected),
                _ => None,
            },
        )
        .await
    }

    /// What Envoy logged so far, without the list of extensions at its start.
    pub fn log(&self) -> String {
        without_banner(&self.process.log())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its memory in use (VmRSS), in KiB.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn rss_kib(&self) -> Result<u64, HarnessError> {
        self.process.rss_kib()
    }

    /// The processor time it took so far, of user and system.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu_time(&self) -> Result<Duration, HarnessError> {
        self.process.cpu_time()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines
                .get(lines.len().saturating_sub(40)..)
                .unwrap_or_default();
            eprintln!("the end of Envoy's log:\n{}", end.join("\n"));
        }
    }
}

/// The path of an Envoy binary, as `envoy.sh` finds or installs it.
///
/// # Errors
/// [`HarnessError::EnvoyMissing`] with what the script said.
pub fn envoy_binary() -> Result<PathBuf, HarnessError> {
    found_by("envoy.sh", &[]).map_err(|said| HarnessError::EnvoyMissing { said })
}

/// Waits until `/ready` says LIVE and returns the admin interface's address.
async fn become_live(process: &mut Process, admin_file: &Path) -> Result<SocketAddr, HarnessError> {
    let deadline = Instant::now() + START;
    loop {
        if let Some(status) = process.ended() {
            return Err(HarnessError::EnvoyExited {
                status,
                log: without_banner(&process.log()),
            });
        }
        // The file may be absent, empty or half written; all pass.
        let address = fs::read_to_string(admin_file)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .map(admin::reachable);
        if let Some(address) = address {
            // While Envoy compiles the filter its main thread, and so this answer, may stall.
            let ready = admin::ask(address, Method::GET, "/ready");
            let ready = tokio::time::timeout(Duration::from_secs(1), ready).await;
            if matches!(ready, Ok(Ok(state)) if state.contains("LIVE")) {
                return Ok(address);
            }
        }
        if Instant::now() >= deadline {
            return Err(HarnessError::EnvoyNotReady {
                after: START,
                log: without_banner(&process.log()),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A log without the lists of extensions and headers, 20 KiB of it, that Envoy starts with.
/// Their lines are indented by three spaces.
fn without_banner(log: &str) -> String {
    let is_list = |line: &&str| line.contains("[info][main]") && line.contains("]   ");
    log.lines()
        .filter(|line| !is_list(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Envoy needs about 0.3 s with a filter; this is for a machine under heavy load.
const START: Duration = Duration::from_secs(20);
