//! A line when an attempt is sent and one when it has ended.
//!
//! Lines are keys and values, so that programs can read them. Of a request they show the method and
//! the path without its query. Headers and queries, where secrets usually are, are never logged.
//! Values that a client chooses are escaped, and long ones are cut, so a client can neither forge a
//! line nor flood the log with a long one.
//!
//! The lines go to the host directly and not through the `log` crate. That crate's maximum is
//! `info` for the whole filter and it has no `critical`; here the host's own level decides.
//!
//! Limits: an attempt that ends after the client has left or has its answer is logged without
//! method and path, because the request is gone by then.
//!
//! Example:
//! ```text
//! event=attempt_sent pool=a attempt=2 endpoint=b method=GET path=/
//! event=attempt_ended pool=a attempt=2 endpoint=b method=GET path=/ status=200 response_time=0.042
//! ```

use core::fmt::{self, Write as _};
use core::time::Duration;

use steerage_config::interceptors::{self, Logging};
use steerage_policy::matching::RequestHead;
use steerage_policy::outcome::{Neutral, Outcome};

use super::info::{AttemptInfo, Seconds};
use crate::host;

/// How the attempts of one pool are logged.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    logging: Logging,
}

impl AttemptLog {
    pub(super) const fn new(logging: Logging) -> Self {
        Self { logging }
    }

    /// An attempt has been sent.
    pub(crate) fn sent(&self, attempt: &AttemptInfo<'_>, request: &impl RequestHead) {
        if self.logging.slower_than.is_zero() {
            let line = line("attempt_sent", attempt, Some(request));
            host::log(level(self.logging.level), &line);
        }
    }

    /// An attempt has ended; `request` is `None` if the request is gone.
    pub(crate) fn ended(
        &self,
        attempt: &AttemptInfo<'_>,
        request: Option<&impl RequestHead>,
        outcome: Outcome,
        took: Duration,
    ) {
        let limit = self.logging.slower_than;
        if took > limit || limit.is_zero() {
            let mut line = line("attempt_ended", attempt, request);
            // OK to ignore because writing to a string does not fail.
            let _ = write!(line, " {} response_time={}", Shown(&outcome), Seconds(took));
            host::log(level(self.logging.level), &line);
        }
    }
}

/// The host's level for a configured one.
const fn level(configured: interceptors::Level) -> host::Level {
    match configured {
        interceptors::Level::Trace => host::Level::Trace,
        interceptors::Level::Debug => host::Level::Debug,
        interceptors::Level::Info => host::Level::Info,
        interceptors::Level::Warn => host::Level::Warn,
        interceptors::Level::Error => host::Level::Error,
        interceptors::Level::Critical => host::Level::Critical,
    }
}

/// The part that both lines share.
fn line(event: &str, attempt: &AttemptInfo<'_>, request: Option<&impl RequestHead>) -> String {
    let (pool, number) = (attempt.pool, attempt.number);
    let endpoint = Value(attempt.endpoint.as_bytes());
    let mut line = format!("event={event} pool={pool} attempt={number} endpoint={endpoint}");
    if let Some(request) = request.filter(|request| !request.method().is_empty()) {
        let method = Value(request.method());
        let path = request.path().split(|byte| b"?#".contains(byte)).next();
        let path = Value(path.unwrap_or_default());
        // OK to ignore because writing to a string does not fail.
        let _ = write!(line, " method={method} path={path}");
    }
    line
}

/// An outcome as a line shows it: the status of an answer, or the name of another end.
struct Shown<'a>(&'a Outcome);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Outcome::Answered(status) => return write!(f, "status={status}"),
            Outcome::Grpc(status) => return write!(f, "grpc_status={}", status.0),
            Outcome::Neutral(Neutral::Unknown) => "unknown",
            Outcome::Neutral(Neutral::NotRouted) => "not_routed",
            Outcome::Neutral(Neutral::Overtaken) => "overtaken",
            Outcome::Neutral(Neutral::ClientGone) => "client_gone",
            Outcome::Neutral(Neutral::WriteTimeout) => "write_timeout",
            Outcome::Neutral(Neutral::TooLarge) => "too_large",
            Outcome::Neutral(Neutral::Overflow) => "overflow",
            Outcome::ConnectFailure => "connect_failure",
            Outcome::Reset => "reset",
            Outcome::Timeout => "timeout",
            Outcome::Event => "event",
        };
        write!(f, "outcome={name}")
    }
}

/// A value as a line shows it: unchanged if it is plain, else quoted and escaped; cut after
/// [`LONGEST`] bytes.
struct Value<'a>(&'a [u8]);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, cut) = match self.0.split_at_checked(LONGEST) {
            Some((shown, rest)) if !rest.is_empty() => (shown, "..."),
            _ => (self.0, ""),
        };
        let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\=".contains(byte);
        let escaped = shown.escape_ascii();
        if !shown.is_empty() && shown.iter().all(plain) {
            write!(f, "{escaped}{cut}")
        } else {
            write!(f, "\"{escaped}{cut}\"")
        }
    }
}

/// Most bytes of a value that a line shows.
const LONGEST: usize = 256;
