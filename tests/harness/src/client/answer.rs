//! What comes back: an answer that is still coming, or all of it.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Response, StatusCode};

use crate::error::HarnessError;

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, duplicates kept.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
    /// What followed the body.
    pub trailers: HeaderMap,
    /// From the first byte sent (or the connection attempt) to the last header received.
    pub begun: Duration,
    /// From the same moment to the last byte of the body.
    pub elapsed: Duration,
}

impl Answer {
    /// The body as text; bytes that are not UTF-8 appear as `U+FFFD`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// One header's first value as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

/// An answer whose head is here and whose body comes. Whoever drops it leaves: the connection is
/// closed, in HTTP/2 the stream is reset.
#[derive(Debug)]
pub struct Opened {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, duplicates kept.
    pub headers: HeaderMap,
    /// From the first byte sent (or the connection attempt) to the last header received.
    pub begun: Duration,
    /// What came after the body; empty before its end.
    pub trailers: HeaderMap,
    start: Instant,
    doing: String,
    body: Incoming,
}

impl Opened {
    pub(super) fn new(response: Response<Incoming>, start: Instant, doing: String) -> Self {
        let begun = start.elapsed();
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            begun,
            trailers: HeaderMap::new(),
            start,
            doing,
            body,
        }
    }

    /// The next piece of the body, as it came; `None` at its end.
    ///
    /// # Errors
    /// When the answer breaks off, or when nothing comes for 30 s.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HarnessError> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .map_err(|_| HarnessError::Timeout {
                    doing: self.doing.clone(),
                    after: PATIENCE,
                })?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| HarnessError::Http {
                doing: self.doing.clone(),
                source,
            })?;
            match frame.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(frame) => self.trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
    }

    /// Reads on to the end. What [`Opened::chunk`] gave is not part of the body.
    ///
    /// # Errors
    /// As [`Opened::chunk`].
    pub async fn rest(mut self) -> Result<Answer, HarnessError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: body.into(),
            trailers: self.trailers,
            begun: self.begun,
            elapsed: self.start.elapsed(),
        })
    }
}

/// Far longer than the pauses of a test's answer, so that it is reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);
