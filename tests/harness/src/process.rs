//! A child process with its log and its scratch directory: started, measured, ended.
//!
//! It is ended by its own process id, politely first, so that it still writes what it holds
//! back (access logs, for one), and outright when it does not follow.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::HarnessError;
use crate::wait::POLL;

/// A directory for one process's files, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one, empty.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn new() -> Result<Self, HarnessError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("steerage-{}-{number}", std::process::id()));
        // What an earlier process of the same id left behind must not be read as ours.
        let _absent = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)
            .map_err(HarnessError::io(format!("create {}", path.display())))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it and returns its path.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, HarnessError> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(HarnessError::io(format!("write {}", path.display())))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Children of the process may outlive it for a moment, and still write.
        let deadline = Instant::now() + GRACE;
        while fs::remove_dir_all(&self.0).is_err() && self.0.exists() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }
}

/// The path of a program that one of the scripts beside this package finds or fetches, or what it said
/// instead.
pub(crate) fn found_by(script: &str, arguments: &[&str]) -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new("bash")
        .arg(&script)
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !path.is_empty() {
        // A child may be started in another directory than the script.
        return std::path::absolute(&path).map_err(|error| format!("{path}: {error}"));
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A running child whose output goes to a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `log`.
    ///
    /// # Errors
    /// When there is no such program, or the log cannot be written.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self, HarnessError> {
        let open = || File::create(&log).and_then(|out| Ok((out.try_clone()?, out)));
        let (out, err) = open().map_err(HarnessError::io(format!("create {}", log.display())))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(HarnessError::io(format!(
                "start {}",
                command.get_program().to_string_lossy()
            )))?;
        Ok(Self { child, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// All that it wrote so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Its memory in use (VmRSS), in KiB.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn rss_kib(&self) -> Result<u64, HarnessError> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| HarnessError::Unexpected {
                doing: "read a process's memory".to_owned(),
                found: status.clone(),
            })
    }

    /// The processor time that its threads took so far, of user and system, to the nanosecond: the scheduler's
    /// own account. A thread that has ended takes its part with it.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu_time(&self) -> Result<Duration, HarnessError> {
        let tasks = format!("/proc/{}/task", self.pid());
        let read = HarnessError::io(format!("read {tasks}"));
        let mut sum = 0;
        for task in fs::read_dir(&tasks).map_err(read)?.flatten() {
            // A thread may end between being listed and being read.
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else {
                continue;
            };
            let running = text.split_whitespace().next();
            sum += running
                .and_then(|nanos| nanos.parse::<u64>().ok())
                .ok_or_else(|| HarnessError::Unexpected {
                    doing: "read a thread's processor time".to_owned(),
                    found: text.clone(),
                })?;
        }
        Ok(Duration::from_nanos(sum))
    }

    fn proc(&self, file: &str) -> Result<String, HarnessError> {
        let path = format!("/proc/{}/{file}", self.pid());
        fs::read_to_string(&path).map_err(HarnessError::io(format!("read {path}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // The standard library can only kill; the shell's own `kill` can ask.
            let _best_effort = Command::new("sh")
                .args(["-c", "kill -TERM \"$1\"", "sh", &self.pid().to_string()])
                .status();
            let deadline = Instant::now() + GRACE;
            while self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
        }
        if self.ended().is_none() {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

/// How long a process may take to end when asked, before it is killed.
const GRACE: Duration = Duration::from_secs(3);
