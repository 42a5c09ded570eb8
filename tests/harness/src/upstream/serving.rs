//! Connections: HTTP/1 or HTTP/2, as the other side begins, each a task.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use socket2::{SockRef, Socket};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::shared::{Behaviour, Shared, locked};
use super::sockets::listen;
use crate::body::{self, OutBody};
use crate::error::HarnessError;
use crate::received::Received;
use crate::reply::{Ending, Reply};
use crate::script::{Breaking, scripted};
use crate::wait::POLL;

/// The accepting task. It owns the connections' tasks, so that they end with it.
pub(super) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(socket: Socket, shared: &Arc<Shared>) -> Result<Self, HarnessError> {
        let listener = listen(socket).map_err(HarnessError::io("listen on a port"))?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(shared), stopped));
        Ok(Self {
            stop: Some(stop),
            task,
        })
    }

    pub(super) async fn end(&mut self) {
        drop(self.stop.take());
        // The task can only have ended already; either way it is gone afterwards.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
                    conversations.spawn(converse(Arc::clone(&shared), stream, number));
                }
                // The peer left already, or descriptors ran out: both pass.
                Err(_) => tokio::time::sleep(POLL).await,
            },
            // Finished conversations are collected, lest they pile up over a long run.
            Some(_) = conversations.join_next() => {}
        }
    }
    drop(listener);
    conversations.shutdown().await;
}

/// Serves one connection until either side has had enough of it.
async fn converse(shared: Arc<Shared>, stream: TcpStream, number: u64) {
    // Small answers must not wait for acknowledgements of earlier ones.
    let _unimportant = stream.set_nodelay(true);
    // hyper owns the stream; a second handle to the same socket lets a reset be prepared.
    let Ok(socket) = SockRef::from(&stream).try_clone() else {
        return;
    };
    let cut = Arc::new(Notify::new());
    let service =
        service_fn(|request| answer(Arc::clone(&shared), request, number, Arc::clone(&cut)));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_headers(1024);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => {}
        () = cut.notified() => {
            // With a linger time of 0, closing sends RST instead of FIN.
            let _unimportant = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    mut request: Request<Incoming>,
    connection: u64,
    cut: Arc<Notify>,
) -> io::Result<Response<OutBody>> {
    let at = Instant::now();
    let open = Open::new(&shared.open);
    let number = shared.arrivals.fetch_add(1, Ordering::Relaxed);
    let Behaviour { early, reply } = locked(&shared.behaviour).clone();
    let breaking = if request.version() == Version::HTTP_2 {
        Breaking::Stream
    } else {
        Breaking::Connection(cut)
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, mut body) = request.into_parts();
    let protocol = parts.headers.get(UPGRADE).cloned();
    let mut received = Received::head(parts, connection, at);
    if !early {
        received.read(&mut body).await;
        if !received.complete {
            locked(&shared.received).push(received);
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut reply = reply(&received, number);
    locked(&shared.received).push(received);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let body = match std::mem::replace(&mut reply.ending, Ending::Hang) {
        Ending::Body(bytes) => body::whole(bytes),
        Ending::Hang => pending().await,
        Ending::Large(bytes) => body::large(bytes),
        Ending::Reset => match breaking {
            Breaking::Stream => return Err(io::ErrorKind::ConnectionReset.into()),
            Breaking::Connection(cut) => {
                cut.notify_one();
                pending().await
            }
        },
        Ending::Script { pieces, length } => scripted(pieces, length, None, breaking),
        Ending::Echo(pieces) => scripted(pieces, None, Some(body), breaking),
        Ending::Upgrade => {
            reply = switch(reply, protocol);
            tokio::spawn(echo(upgrade));
            body::whole(Bytes::new())
        }
    };
    let mut response = Response::new(Counted { body, _open: open }.boxed_unsync());
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

/// The head of a switch to this protocol.
fn switch(mut reply: Reply, protocol: Option<HeaderValue>) -> Reply {
    let headers = &mut reply.headers;
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.extend(protocol.map(|protocol| (UPGRADE, protocol)));
    reply
}

/// Sends back what comes, until either side has had enough.
async fn echo(upgrade: hyper::upgrade::OnUpgrade) {
    if let Ok(upgraded) = upgrade.await {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
        let _ended = tokio::io::copy(&mut from, &mut to).await;
    }
}

/// Counts a request as open for as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body whose request is open until hyper drops it: at its end, or when it is wanted no more.
struct Counted {
    body: OutBody,
    _open: Open,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
