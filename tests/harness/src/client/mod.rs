//! The downstream side: one request, or raw bytes, and what came back.
//!
//! It is built on hyper's bare connections and not on a ready-made client, because a
//! test must know what was sent: here nothing is sent twice, followed, decompressed or added,
//! except `host`. [`get`] and [`request`] open a connection for each call, so that Envoy's
//! kernel spreads them over its workers; a [`Client`] keeps connections, and with them stays
//! on the worker that accepted them. Dropping a call's future closes its connection, which is
//! how a test plays a client that loses patience.

mod answer;
mod connection;
mod raw;
mod sending;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue};

pub use self::answer::{Answer, Opened};
use self::connection::{Connection, Version};
pub use self::raw::raw;
pub use self::sending::{Outgoing, SentBody};
use crate::body::{self, OutBody};
use crate::error::HarnessError;

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
    version: Version,
    /// Idle connections; `None` for a client that closes each after its answer.
    idle: Option<Arc<Mutex<Idle>>>,
}

type Idle = HashMap<SocketAddr, Vec<Connection>>;

impl Client {
    /// A client with no connections yet, which waits up to 30 s for an answer.
    pub fn new() -> Self {
        Self {
            patience: PATIENCE,
            version: Version::Http1,
            idle: Some(Arc::default()),
        }
    }

    /// A client that opens a new connection for every request.
    pub fn one_shot() -> Self {
        Self {
            patience: PATIENCE,
            version: Version::Http1,
            idle: None,
        }
    }

    /// Speaks HTTP/2, with all requests to an address on one connection, if it keeps any.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.version = Version::Http2;
        self
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

    /// Sends `request` and waits for the head of its answer only.
    ///
    /// # Errors
    /// When the connection is refused or breaks before that, or when patience ends.
    pub async fn open(
        &self,
        addr: SocketAddr,
        request: Request<impl Into<SentBody>>,
    ) -> Result<Opened, HarnessError> {
        let exchange = self.exchange(addr, request.map(|body| body.into().0));
        let doing = || format!("the head of an answer of {addr}");
        let (opened, _closes_with_its_answer) = self.patiently(doing, exchange).await?;
        Ok(opened)
    }

    async fn send(
        &self,
        addr: SocketAddr,
        request: Request<OutBody>,
    ) -> Result<Answer, HarnessError> {
        let doing = format!("{} http://{addr}{}", request.method(), request.uri());
        let exchange = async {
            let (opened, connection) = self.exchange(addr, request).await?;
            let answer = opened.rest().await?;
            if let Some(connection) = connection {
                self.keep(addr, connection);
            }
            Ok(answer)
        };
        self.patiently(|| doing.clone(), exchange).await
    }

    async fn patiently<T>(
        &self,
        doing: impl FnOnce() -> String,
        exchange: impl Future<Output = Result<T, HarnessError>>,
    ) -> Result<T, HarnessError> {
        tokio::time::timeout(self.patience, exchange)
            .await
            .map_err(|_| HarnessError::Timeout {
                doing: doing(),
                after: self.patience,
            })?
    }

    /// Sends a request; with the head of the answer comes the connection, if it may be kept after
    /// the answer's end.
    async fn exchange(
        &self,
        addr: SocketAddr,
        mut request: Request<OutBody>,
    ) -> Result<(Opened, Option<Connection>), HarnessError> {
        let doing = format!("{} http://{addr}{}", request.method(), request.uri());
        if !request.headers().contains_key(HOST) {
            let host =
                HeaderValue::try_from(addr.to_string()).expect("an address is a header value");
            request.headers_mut().insert(HOST, host);
        }
        let start = Instant::now();
        loop {
            let kept = self.idle_connection(addr).await;
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => Connection::open(addr, self.version, &doing).await?,
            };
            let shared = connection.shared();
            let is_shared = shared.is_some();
            if let Some(shared) = shared {
                self.keep(addr, shared);
            }
            match connection.send(request).await {
                Ok(response) => {
                    let opened = Opened::new(response, start, doing);
                    return Ok((opened, Some(connection).filter(|_| !is_shared)));
                }
                // A server may close a kept connection just when it is taken up again. hyper
                // hands the request back only if none of it was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => {
                        return Err(HarnessError::Http {
                            doing,
                            source: error.into_error(),
                        });
                    }
                },
            }
        }
    }

    /// Keeps a connection for another request, unless this client keeps none.
    fn keep(&self, addr: SocketAddr, connection: Connection) {
        if let Some(idle) = &self.idle {
            locked(idle).entry(addr).or_default().push(connection);
        }
    }

    /// A kept connection that can take a request; those that cannot any more are dropped.
    async fn idle_connection(&self, addr: SocketAddr) -> Option<Connection> {
        let idle = self.idle.as_ref()?;
        loop {
            let mut connection = locked(idle).get_mut(&addr)?.pop()?;
            // A connection is ready at once, or soon after its last answer, or is no use:
            // closed by the server, or still sending a body that nobody reads.
            if let Ok(Ok(())) =
                tokio::time::timeout(Duration::from_millis(20), connection.ready()).await
            {
                return Some(connection);
            }
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

fn locked(idle: &Mutex<Idle>) -> std::sync::MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far longer than a test's request takes, so that it is reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(30);
