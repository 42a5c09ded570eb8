//! Some clients that ask for something else than the others, for a while.
//!
//! What becomes of the others because of them is what a run with them is about.

use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_policy::time::Instant;

use crate::at;

/// Clients, and what is odd about their requests.
#[derive(Clone, Debug)]
pub(crate) struct Minority {
    request: Request,
    /// The status that every endpoint answers them with; `None`: as it answers anybody.
    pub(crate) status: Option<u16>,
    /// Seconds that the endpoints then ask to be left alone for.
    pub(crate) retry_after: Option<u32>,
    /// Their share of all requests.
    pub(crate) share: f64,
    from: Instant,
    until: Instant,
}

impl Minority {
    /// This share of the requests is for something that every endpoint answers with this status.
    pub(crate) fn answered(status: u16, share: f64) -> Self {
        Self {
            status: Some(status),
            ..Self::with(&[(":method", "GET"), (":path", "/odd")], share)
        }
    }

    /// This share of the requests has this header as well.
    pub(crate) fn sending(headers: &[(&str, &str)], share: f64) -> Self {
        let head = [(":method", "GET"), (":path", "/")];
        Self::with(&[&head, headers].concat(), share)
    }

    fn with(head: &[(&str, &str)], share: f64) -> Self {
        let head = [head, &[(":authority", "shop")]].concat();
        Self {
            request: Request::arrived(HeaderMap::of(&head), "x-steerage-cluster", true),
            status: None,
            retry_after: None,
            share,
            from: Instant::ORIGIN,
            until: at(1e6),
        }
    }

    /// This share of the requests has this header as well, and is answered by every endpoint with
    /// 429 and a request to be left alone for so many seconds.
    pub(crate) fn throttled(header: (&str, &str), seconds: u32, share: f64) -> Self {
        Self {
            status: Some(429),
            retry_after: Some(seconds),
            ..Self::sending(&[header], share)
        }
    }

    /// The same in this stretch of the run only, in seconds since the beginning.
    pub(crate) fn within(self, from: f64, until: f64) -> Self {
        let (from, until) = (at(from), at(until));
        Self {
            from,
            until,
            ..self
        }
    }

    /// Whether they are there.
    pub(crate) fn is_there(&self, now: Instant) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// What they ask for.
    pub(crate) fn request(&self) -> Request {
        self.request.clone()
    }
}
