//! On what was measured: figures without that are rumours.
//!
//! It also takes the machine into use: the bench goes to its own processor, so that its servers and its client
//! leave the proxy's alone, and asks for as many open files as ten thousand requests at once need.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::{envoy_binary, repository};

use crate::findings::Failed;

/// The machine and the versions of what runs on it.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The proxy's processor, for `taskset -c`.
    pub(crate) proxy: String,
    /// All processors that may be used, in the same form.
    pub(crate) all: String,
    /// How many files a process may have open.
    pub(crate) files: u32,
    facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at it, and moves this process to its processor.
    pub(crate) fn prepare(modules: &[PathBuf]) -> Result<Self, Failed> {
        let allowed = field("/proc/self/status", "Cpus_allowed_list:").unwrap_or_default();
        let mut processors = listed(&allowed).into_iter();
        let proxy = processors.next().unwrap_or(0).to_string();
        let load = processors
            .next()
            .map_or_else(|| proxy.clone(), |n| n.to_string());
        if load == proxy {
            eprintln!("one processor only: proxy and load are in each other's way");
        }
        let this = std::process::id().to_string();
        let moved = said("taskset", &["-cp", &load, &this]);
        moved.ok_or_else(|| Failed::new("taskset is needed (package util-linux)".to_owned()))?;
        // Where that is not allowed, what is there has to do.
        let _best_effort = said("prlimit", &["--pid", &this, "--nofile=65536"]);
        let mut facts = vec![
            (
                "processor",
                field("/proc/cpuinfo", "model name").unwrap_or_default(),
            ),
            ("processors", listed(&allowed).len().to_string()),
            ("kernel", said("uname", &["-sr"]).unwrap_or_default()),
            ("envoy", envoy_version()?),
            ("rustc", said("rustc", &["-V"]).unwrap_or_default()),
            (
                "commit",
                said("git", &["describe", "--always", "--dirty"]).unwrap_or_default(),
            ),
        ];
        for program in ["nginx", "haproxy"] {
            if let Some(version) = said(program, &["-v"]) {
                facts.push((program, version));
            }
        }
        let shipped = [repository().join("target/steerage.wasm")];
        let modules = if modules.is_empty() {
            &shipped
        } else {
            modules
        };
        for module in modules {
            let bytes = fs::metadata(module)
                .map_err(|error| Failed::new(format!("{}: {error}", module.display())))?
                .len();
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            facts.push(("module", format!("{name}, {bytes} bytes")));
        }
        let files = field("/proc/self/limits", "Max open files").unwrap_or_default();
        let files = files.split_whitespace().next();
        Ok(Self {
            proxy,
            all: allowed,
            files: files.and_then(|text| text.parse().ok()).unwrap_or(1024),
            facts,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let facts = self.facts.iter();
        facts
            .map(|(name, fact)| json!({"name": name, "is": fact}))
            .collect()
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts.iter();
        let facts: Vec<_> = facts
            .map(|(name, fact)| format!("{name}: {fact}"))
            .collect();
        write!(f, "Measured on: {}.", facts.join("; "))
    }
}

fn envoy_version() -> Result<String, Failed> {
    let envoy = envoy_binary()?;
    let text = said(&envoy.to_string_lossy(), &["--version"]).unwrap_or_default();
    // `envoy  version: 4af1…/1.40.0/Clean/RELEASE/BoringSSL`
    let version = text.split_once("version:").map_or("", |(_, rest)| rest);
    let version = version.split('/').nth(1).map(str::to_owned);
    Ok(version.unwrap_or(text))
}

/// The first line that a program says on either output, or `None` when it fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .current_dir(repository())
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Some(line.unwrap_or_default().trim().to_owned())
}

/// What stands behind the first line that begins with `name`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(
        rest.trim_matches(|c: char| c.is_whitespace() || c == ':')
            .to_owned(),
    )
}

/// The numbers of a list such as `0-3,8`.
fn listed(list: &str) -> Vec<u32> {
    list.split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(from.trim().parse().ok()?..=to.trim().parse().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_processors_has_ranges() {
        assert_eq!(listed("0-3,8"), [0, 1, 2, 3, 8]);
        assert_eq!(listed("5"), [5]);
        assert!(listed("").is_empty());
    }
}
