//! What can go wrong while the stage for a test is set up.
//!
//! Every error carries the data a reader of a failed test needs: an Envoy that did not start
//! brings its log along, a wait that was in vain says what it waited for.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why the harness could not do what a test asked for.
///
/// `Debug` prints the same sentence as `Display`, because that is what `unwrap` shows: a log
/// of many lines is readable only as lines.
pub enum HarnessError {
    /// `envoy.sh` found no Envoy and could not install one.
    EnvoyMissing {
        /// What the script said.
        said: String,
    },
    /// `prometheus.sh` found no Prometheus and could not fetch one.
    PrometheusMissing {
        /// What the script said.
        said: String,
    },
    /// `chromium.sh` found no Chromium, or nothing to drive it, and could not install one.
    BrowserMissing {
        /// What the script said.
        said: String,
    },
    /// The compiled filter is not where it should be.
    FilterMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Envoy ended before it was ready, which is what a refused configuration looks like.
    EnvoyExited {
        /// How it ended.
        status: ExitStatus,
        /// What it logged, without the list of extensions at its start.
        log: String,
    },
    /// Envoy runs but did not become ready in time.
    EnvoyNotReady {
        /// How long was waited.
        after: Duration,
        /// What it logged, without the list of extensions at its start.
        log: String,
    },
    /// A file to be adapted does not hold the text that was to be replaced.
    NothingToReplace {
        /// The file.
        path: PathBuf,
        /// The text that is not in it.
        text: String,
    },
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
    /// An HTTP exchange broke.
    Http {
        /// What was being done.
        doing: String,
        /// hyper's account of it.
        source: hyper::Error,
    },
    /// A program answered, but not as it should.
    Unexpected {
        /// What was being done.
        doing: String,
        /// What came instead.
        found: String,
    },
    /// Something did not happen in time.
    Timeout {
        /// What was waited for.
        doing: String,
        /// How long.
        after: Duration,
    },
}

impl HarnessError {
    /// Wraps an I/O error together with what was being done, for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvoyMissing { said } => write!(f, "no Envoy to run: {said}"),
            Self::PrometheusMissing { said } => write!(f, "no Prometheus to run: {said}"),
            Self::BrowserMissing { said } => write!(f, "no browser to run: {said}"),
            Self::FilterMissing { path } => {
                write!(f, "no filter at {}: run `make build`", path.display())
            }
            Self::EnvoyExited { status, log } => {
                write!(
                    f,
                    "Envoy ended before it was ready ({status}); its log:\n{log}"
                )
            }
            Self::EnvoyNotReady { after, log } => {
                write!(f, "Envoy was not ready after {after:?}; its log:\n{log}")
            }
            Self::NothingToReplace { path, text } => {
                write!(
                    f,
                    "{} does not hold the text to be replaced: {text:?}",
                    path.display()
                )
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Http { doing, source } => {
                write!(f, "{doing}: {source}")?;
                // hyper's own message is terse ("connection error"); the cause says which.
                match std::error::Error::source(source) {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
            Self::Unexpected { doing, found } => write!(f, "{doing}: unexpected answer: {found}"),
            Self::Timeout { doing, after } => write!(f, "{doing}: nothing within {after:?}"),
        }
    }
}

impl fmt::Debug for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for HarnessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Http { source, .. } => Some(source),
            _ => None,
        }
    }
}
