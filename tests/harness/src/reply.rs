//! What an upstream does with a request: answer it, well or badly.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

/// One answer of an [`Upstream`](crate::Upstream), or its refusal to give one.
///
/// ```
/// # use std::time::Duration;
/// # use steerage_harness::Reply;
/// let slow_failure = Reply::status(503).header("retry-after", "2").delay(Duration::from_millis(80));
/// let crash = Reply::reset();
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
}

/// What follows the delay.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Body(Bytes),
    Hang,
    Large(u64),
    Reset,
    ResetAfterHeaders,
    Stream { chunks: Vec<Bytes>, every: Duration },
}

impl Reply {
    /// 200 without a body.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// An answer with this status and no body.
    ///
    /// # Panics
    /// When `status` is not 100..=999.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status is a number from 100 to 999");
        Self {
            status,
            ..Self::ending(Ending::Body(Bytes::new()))
        }
    }

    /// Closes the connection with a TCP reset (RST) instead of an answer.
    pub fn reset() -> Self {
        Self::ending(Ending::Reset)
    }

    /// Never answers; ends when the other side goes away.
    pub fn hang() -> Self {
        Self::ending(Ending::Hang)
    }

    /// Appends a header; a name given twice is sent twice. The value may hold any bytes that
    /// a header may hold, UTF-8 or not.
    ///
    /// # Panics
    /// When the name or the value cannot be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name is a token");
        let value =
            HeaderValue::from_bytes(value.as_ref()).expect("a header's value holds no line breaks");
        self.headers.append(name, value);
        self
    }

    /// Sends this body, whole and with its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.ending = Ending::Body(body.into());
        self
    }

    /// Waits this long before the headers, or before whatever else is done.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends a chunked body, one chunk `every` so long; the first goes out at once.
    #[must_use]
    pub fn stream<C: Into<Bytes>>(
        mut self,
        chunks: impl IntoIterator<Item = C>,
        every: Duration,
    ) -> Self {
        let chunks = chunks.into_iter().map(Into::into).collect();
        self.ending = Ending::Stream { chunks, every };
        self
    }

    /// Sends a body of `bytes` letters `x`, made on the fly.
    #[must_use]
    pub fn large(mut self, bytes: u64) -> Self {
        self.ending = Ending::Large(bytes);
        self
    }

    /// Sends the headers and a content-length, then resets the connection before the body.
    #[must_use]
    pub fn reset_after_headers(mut self) -> Self {
        self.ending = Ending::ResetAfterHeaders;
        self
    }

    fn ending(ending: Ending) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            delay: Duration::ZERO,
            ending,
        }
    }
}
