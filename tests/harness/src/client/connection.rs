//! One connection, of HTTP/1 or HTTP/2.

use std::net::SocketAddr;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::body::OutBody;
use crate::error::HarnessError;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// The sending side of a connection; a task that is left behind drives the connection.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(http1::SendRequest<OutBody>),
    Http2(http2::SendRequest<OutBody>),
}

impl Connection {
    /// Opens one.
    pub(super) async fn open(
        addr: SocketAddr,
        version: Version,
        doing: &str,
    ) -> Result<Self, HarnessError> {
        let http = |source| HarnessError::Http {
            doing: doing.to_owned(),
            source,
        };
        let stream = TcpStream::connect(addr)
            .await
            .map_err(HarnessError::io(doing))?;
        stream.set_nodelay(true).map_err(HarnessError::io(doing))?;
        let io = TokioIo::new(stream);
        // A broken connection is reported to whoever waits for an answer on it.
        Ok(match version {
            Version::Http1 => {
                let mut builder = http1::Builder::new();
                let (sender, connection) = builder
                    .max_headers(1024)
                    .handshake(io)
                    .await
                    .map_err(http)?;
                tokio::spawn(connection.with_upgrades());
                Self::Http1(sender)
            }
            Version::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(http)?;
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        })
    }

    /// Sends a request, whose target is a path, and waits for the head of its answer. What was not
    /// sent at all comes back with the error.
    pub(super) async fn send(
        &mut self,
        request: Request<OutBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<OutBody>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(absolute(request)).await,
        }
    }

    /// Waits until it can take a request.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    /// The same connection for another request beside this one, where that is possible.
    pub(super) fn shared(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

/// HTTP/2 has the host in its target.
fn absolute(mut request: Request<OutBody>) -> Request<OutBody> {
    let host = request.headers_mut().remove(HOST);
    let authority = host
        .as_ref()
        .map(HeaderValue::as_bytes)
        .and_then(|host| Authority::try_from(host).ok());
    let mut parts = request.uri().clone().into_parts();
    if let (None, Some(authority)) = (&parts.authority, authority) {
        parts.authority = Some(authority);
        parts.scheme = Some(Scheme::HTTP);
    }
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
