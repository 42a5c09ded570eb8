//! Collects what is found, with its place.

use steerage_policy::retry::by::RetriesBy;

use super::diagnostic::{Diagnostic, Severity};
use super::files::File;
use crate::document::lines::Lines;

/// What was found in some files.
pub(crate) struct Report<'a> {
    lines: Vec<Lines<'a>>,
    found: Vec<Diagnostic>,
}

/// A byte of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) file: usize,
    /// `None` where it is about the file as a whole.
    pub(crate) at: Option<usize>,
}

impl Spot {
    pub(crate) const fn new(file: usize, at: usize) -> Self {
        Self { file, at: Some(at) }
    }
}

/// A finding without its place.
#[derive(Debug)]
pub(crate) struct Remark {
    pub(crate) rule: &'static str,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Remark {
    /// About what stands around a configuration.
    pub(crate) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            path: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// What to write instead.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The path within a configuration.
    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

impl<'a> Report<'a> {
    pub(crate) fn of(files: &'a [File]) -> Self {
        Self {
            lines: files.iter().map(File::lines).collect(),
            found: Vec::new(),
        }
    }

    pub(crate) fn error(&mut self, spot: Spot, remark: Remark) {
        self.add(Severity::Error, spot, remark);
    }

    pub(crate) fn warn(&mut self, spot: Spot, remark: Remark) {
        self.add(Severity::Warning, spot, remark);
    }

    fn add(&mut self, severity: Severity, spot: Spot, remark: Remark) {
        let Spot { file, at } = spot;
        let lines = self.lines.get(file);
        self.found.push(Diagnostic {
            file,
            position: at.and_then(|at| lines.map(|lines| lines.position(at))),
            severity,
            rule: remark.rule,
            path: remark.path,
            message: remark.message,
            help: remark.help,
        });
    }

    /// All of it, in the order of the files and their text.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by_key(|diagnostic| (diagnostic.file, diagnostic.position));
        // Two configurations may find the same fault of what is around both.
        found.dedup_by(|one, other| {
            (one.file, one.position, &one.message) == (other.file, other.position, &other.message)
        });
        found
    }
}

/// Whether the router makes the retries of any pool.
pub(crate) fn is_by_router(config: &steerage_config::Config) -> bool {
    let mut pools = config.pools.iter();
    pools.any(|configured| configured.pool.retry.by == RetriesBy::Router)
}
