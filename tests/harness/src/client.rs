//! The downstream side: one request, or raw bytes, and what came back.
//!
//! It is built on hyper's bare HTTP/1 connection and not on a ready-made client, because a
//! test must know what was sent: here nothing is sent twice, followed, decompressed or added,
//! except `host`. [`get`] and [`request`] open a connection for each call, so that Envoy's
//! kernel spreads them over its workers; a [`Client`] keeps connections, and with them stays
//! on the worker that accepted them. Dropping a call's future closes its connection, which is
//! how a test plays a client that loses patience.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::body::{self, OutBody};
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

/// GET `path` at `addr` on a connection of its own.
///
/// # Errors
/// As [`request`].
pub async fn get(addr: SocketAddr, path: &str) -> Result<Answer, HarnessError> {
    Client::one_shot().get(addr, path).await
}

/// Sends `request` to `addr` on a connection of its own and reads the answer whole.
///
/// # Errors
/// When the connection is refused or breaks before the answer's end, or after 30 s.
pub async fn request(addr: SocketAddr, request: Request<Bytes>) -> Result<Answer, HarnessError> {
    Client::one_shot().request(addr, request).await
}

/// A client that keeps its connections and uses them again. Clones share them.
#[derive(Clone, Debug)]
pub struct Client {
    patience: Duration,
    /// Idle connections; `None` for a client that closes each after its answer.
    idle: Option<Arc<Mutex<Idle>>>,
}

type Idle = HashMap<SocketAddr, Vec<SendRequest<OutBody>>>;

impl Client {
    /// A client with no connections yet, which waits up to 30 s for an answer.
    pub fn new() -> Self {
        Self {
            patience: PATIENCE,
            idle: Some(Arc::default()),
        }
    }

    /// A client that opens a new connection for every request.
    pub fn one_shot() -> Self {
        Self {
            patience: PATIENCE,
            idle: None,
        }
    }

    /// Waits this long for a complete answer instead.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// GET `path` at `addr`.
    ///
    /// # Errors
    /// As [`Client::request`].
    ///
    /// # Panics
    /// When `path` is not a request target.
    pub async fn get(&self, addr: SocketAddr, path: &str) -> Result<Answer, HarnessError> {
        let request = Request::get(path)
            .body(Bytes::new())
            .expect("the path is a request target");
        self.request(addr, request).await
    }

    /// Sends `request`, target as given, and reads the answer whole.
    ///
    /// # Errors
    /// When the connection is refused or breaks before the answer's end, or when patience ends.
    pub async fn request(
        &self,
        addr: SocketAddr,
        request: Request<Bytes>,
    ) -> Result<Answer, HarnessError> {
        self.send(addr, request.map(body::whole)).await
    }

    /// Sends `head` with a chunked body of `chunks`, pausing `every` between two.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn request_streaming(
        &self,
        addr: SocketAddr,
        head: Request<()>,
        chunks: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>,
        every: Duration,
    ) -> Result<Answer, HarnessError> {
        self.send(addr, head.map(|()| body::paced(chunks, every)))
            .await
    }

    async fn send(
        &self,
        addr: SocketAddr,
        mut request: Request<OutBody>,
    ) -> Result<Answer, HarnessError> {
        let doing = format!("{} http://{addr}{}", request.method(), request.uri());
        if !request.headers().contains_key(HOST) {
            let host =
                HeaderValue::try_from(addr.to_string()).expect("an address is a header value");
            request.headers_mut().insert(HOST, host);
        }
        tokio::time::timeout(self.patience, self.exchange(addr, request, &doing))
            .await
            .map_err(|_| HarnessError::Timeout {
                doing: doing.clone(),
                after: self.patience,
            })?
    }

    async fn exchange(
        &self,
        addr: SocketAddr,
        mut request: Request<OutBody>,
        doing: &str,
    ) -> Result<Answer, HarnessError> {
        let http = |source| HarnessError::Http {
            doing: doing.to_owned(),
            source,
        };
        let start = Instant::now();
        let (sender, response) = loop {
            let kept = self.idle_connection(addr).await;
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => connect(addr, doing).await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => break (sender, response),
                // A server may close a kept connection just when it is taken up again. hyper
                // hands the request back only if none of it was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(http(error.into_error())),
                },
            }
        };
        let (head, body) = response.into_parts();
        let begun = start.elapsed();
        let body = body.collect().await.map_err(http)?.to_bytes();
        let elapsed = start.elapsed();
        if let Some(idle) = &self.idle {
            locked(idle).entry(addr).or_default().push(sender);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            begun,
            elapsed,
        })
    }

    /// A kept connection that can take a request; those that cannot any more are dropped.
    async fn idle_connection(&self, addr: SocketAddr) -> Option<SendRequest<OutBody>> {
        let idle = self.idle.as_ref()?;
        loop {
            let mut sender = locked(idle).get_mut(&addr)?.pop()?;
            // A connection is ready at once, or soon after its last answer, or is no use:
            // closed by the server, or still sending a body that nobody reads.
            if let Ok(Ok(())) =
                tokio::time::timeout(Duration::from_millis(20), sender.ready()).await
            {
                return Some(sender);
            }
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends `bytes` as they are over a new connection and reads what comes back: to the end of
/// the first complete response, or until the connection closes. A reset counts as a close.
///
/// # Errors
/// When the connection is refused, or when neither has happened after 10 s.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>, HarnessError> {
    let doing = || format!("raw exchange with {addr}");
    tokio::time::timeout(RAW_PATIENCE, async {
        let mut stream = TcpStream::connect(addr)
            .await
            .map_err(HarnessError::io(doing()))?;
        // A server may answer and close before it has read all; its answer still counts.
        let _cut_short = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        while !is_complete(&answer) {
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(answer)
    })
    .await
    .map_err(|_| HarnessError::Timeout {
        doing: doing(),
        after: RAW_PATIENCE,
    })?
}

/// Opens a connection and leaves a task behind that drives it.
async fn connect(addr: SocketAddr, doing: &str) -> Result<SendRequest<OutBody>, HarnessError> {
    let stream = TcpStream::connect(addr)
        .await
        .map_err(HarnessError::io(doing))?;
    stream.set_nodelay(true).map_err(HarnessError::io(doing))?;
    let (sender, connection) = http1::Builder::new()
        .max_headers(1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|source| HarnessError::Http {
            doing: doing.to_owned(),
            source,
        })?;
    // A broken connection is reported to whoever waits for an answer on it.
    tokio::spawn(connection);
    Ok(sender)
}

/// Whether `bytes` hold a whole final response. One without a length ends with its connection.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head_length = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(0, |at| at + 4);
    let rest = bytes.get(head_length..).unwrap_or_default();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    if status.starts_with('1') {
        return is_complete(rest);
    }
    let value = |wanted: &str| {
        lines
            .clone()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(name, value)| {
                name.eq_ignore_ascii_case(wanted)
                    .then(|| value.trim().to_ascii_lowercase())
            })
    };
    if status == "204" || status == "304" {
        return true;
    }
    if value("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
        return rest == b"0\r\n\r\n" || rest.ends_with(b"\r\n0\r\n\r\n");
    }
    value("content-length")
        .and_then(|length| length.parse().ok())
        .is_some_and(|length| rest.len() >= length)
}

fn locked(idle: &Mutex<Idle>) -> std::sync::MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far longer than a test's request takes, so that it is reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for raw exchanges, where a server that waits for more is a likely mistake.
const RAW_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_answer_is_complete_at_the_end_of_its_body() {
        for (bytes, complete) in [
            ("", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\nuntil close", false),
            ("HTTP/1.1 100 Continue\r\n\r\n", false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                true,
            ),
        ] {
            assert_eq!(is_complete(bytes.as_bytes()), complete, "{bytes:?}");
        }
    }
}
