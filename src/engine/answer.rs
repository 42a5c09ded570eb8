//! What an attempt has come to, as the shell reports it.

use core::time::Duration;

use steerage_policy::outcome::Outcome;

use crate::headers::HeaderMap;

/// An answer, or the failure in its place.
#[derive(Debug)]
pub struct Answer {
    /// What it means, by the host's account of who made it.
    pub outcome: Outcome,
    /// Its headers. Of an answer that streams through the router the shell reads them only where
    /// something in them matters; a failure without an answer has none.
    pub headers: Option<HeaderMap>,
    /// The whole body of a call's answer; empty for one that streams through the router.
    pub body: Vec<u8>,
    /// When it arrived, since the Unix epoch; read only where headers may name a date.
    pub received: Duration,
}

impl Answer {
    /// An answer of which only this is known.
    #[must_use]
    pub const fn head(outcome: Outcome) -> Self {
        Self {
            outcome,
            headers: None,
            body: Vec::new(),
            received: Duration::ZERO,
        }
    }

    /// What the host would answer in place of a failure, in its own words.
    #[must_use]
    pub fn of_host(outcome: Outcome) -> Self {
        let (status, words) = match outcome {
            Outcome::Timeout => ("504", "upstream request timeout"),
            _ => (
                "503",
                "upstream connect error or disconnect/reset before headers",
            ),
        };
        let headers = [(":status", status), ("content-type", "text/plain")];
        Self {
            headers: Some(HeaderMap::of(&headers)),
            body: words.into(),
            ..Self::head(outcome)
        }
    }

    /// Whether an upstream has made it, and not the host.
    #[must_use]
    pub const fn is_upstreams(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(_))
    }

    /// The headers of an upstream's answer; `None` where the host made it, whose headers say
    /// nothing of an endpoint.
    #[must_use]
    pub fn upstream_headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref().filter(|_| self.is_upstreams())
    }
}
