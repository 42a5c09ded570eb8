//! What `check` finds: a sentence, its place, and what to write instead.

use crate::document::lines::Position;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It is refused, or no request can succeed with it.
    Error,
    /// It is accepted, and probably does something else than expected.
    Warning,
}

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    /// The file's index.
    pub(crate) file: usize,
    pub(crate) position: Option<Position>,
    pub(crate) severity: Severity,
    /// A name for this kind of finding, the same in every version.
    pub(crate) rule: &'static str,
    /// Where, within a configuration; empty elsewhere.
    pub(crate) path: String,
    /// What is wrong, without the path.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
}

impl Diagnostic {
    /// Path and message.
    pub(crate) fn sentence(&self) -> String {
        let colon = if self.path.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", self.path, self.message)
    }
}
