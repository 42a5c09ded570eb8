//! HTTP/1 servers that behave as a test tells them to, and remember what they were asked.
//!
//! The behaviour is a closure that is handed the request and its number and answers with a
//! [`Reply`]. It may be changed while the server runs, so one test can make an upstream fall
//! ill and recover. Sockets are real: a reset is a TCP reset, a refused connection is refused
//! by the kernel, a stopped server keeps its port for itself.
//!
//! ```no_run
//! # use steerage_harness::{Reply, Upstream};
//! # async fn example() -> Result<(), steerage_harness::HarnessError> {
//! let upstream = Upstream::start(|_, n| if n < 2 { Reply::status(503) } else { Reply::ok() }).await?;
//! // … two requests fail, those after them succeed …
//! assert_eq!(upstream.count(), 3);
//! upstream.set(|_, _| Reply::hang());
//! # Ok(()) }
//! ```

use std::fmt;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::{self, OutBody};
use crate::error::HarnessError;
use crate::received::Received;
use crate::reply::{Ending, Reply};
use crate::wait::{POLL, eventually};

/// A server on a loopback port of its own. It ends when it is dropped.
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    state: tokio::sync::Mutex<State>,
}

impl Upstream {
    /// Starts a server that reads each request whole and then does what `behaviour` says.
    /// The second argument is the request's number, counted from 0.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(
        behaviour: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static,
    ) -> Result<Self, HarnessError> {
        let socket = bind_any()?;
        let addr = local_address(&socket)?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour {
                early: false,
                reply: Arc::new(behaviour),
            }),
            received: Mutex::new(Vec::new()),
            arrivals: AtomicUsize::new(0),
            connections: AtomicU64::new(0),
        });
        let state = tokio::sync::Mutex::new(State::Running(Running::start(socket, &shared)?));
        Ok(Self {
            addr,
            shared,
            state,
        })
    }

    /// A server that answers 200 with its name as the body and as the header `x-upstream`.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn named(name: &'static str) -> Result<Self, HarnessError> {
        Self::start(move |_, _| Reply::ok().header("x-upstream", name).body(name)).await
    }

    /// An address where every connection is refused, for as long as the value lives.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub fn refusing() -> Result<Refusing, HarnessError> {
        let socket = bind_any()?;
        Ok(Refusing {
            addr: local_address(&socket)?,
            _socket: socket,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes the behaviour from the next request on.
    pub fn set(&self, behaviour: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) {
        *locked(&self.shared.behaviour) = Behaviour {
            early: false,
            reply: Arc::new(behaviour),
        };
    }

    /// Changes the behaviour, and answers without reading the request's body: the closure
    /// sees an empty one, and a body in flight makes the server close the connection.
    pub fn set_early(&self, behaviour: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) {
        *locked(&self.shared.behaviour) = Behaviour {
            early: true,
            reply: Arc::new(behaviour),
        };
    }

    /// The requests so far, in the order in which they had arrived completely.
    pub fn received(&self) -> Vec<Received> {
        locked(&self.shared.received).clone()
    }

    /// How many requests [`Upstream::received`] holds.
    pub fn count(&self) -> usize {
        locked(&self.shared.received).len()
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Forgets the requests so far and numbers the next one 0.
    pub fn clear(&self) {
        locked(&self.shared.received).clear();
        self.shared.arrivals.store(0, Ordering::Relaxed);
    }

    /// Stops as a crash would: open connections end at once, new ones are refused. The port
    /// stays taken, so that [`Upstream::restart`] finds it.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn stop(&self) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        if let State::Running(running) = &mut *state {
            running.end().await;
            let socket = eventually(
                "keep the port of a stopped server",
                Duration::from_secs(5),
                async || bind_again(self.addr).ok(),
            )
            .await?;
            *state = State::Stopped(socket);
        }
        Ok(())
    }

    /// Listens again on the same port after [`Upstream::stop`].
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub async fn restart(&self) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        if let State::Stopped(socket) = &*state {
            let socket = socket
                .try_clone()
                .map_err(HarnessError::io("restart a server"))?;
            *state = State::Running(Running::start(socket, &self.shared)?);
        }
        Ok(())
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("addr", &self.addr)
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// A loopback address that refuses connections: its port is bound but nobody listens, and
/// nobody else can get it.
#[derive(Debug)]
pub struct Refusing {
    addr: SocketAddr,
    _socket: Socket,
}

impl Refusing {
    /// The address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    received: Mutex<Vec<Received>>,
    arrivals: AtomicUsize,
    connections: AtomicU64,
}

#[derive(Clone)]
struct Behaviour {
    early: bool,
    reply: Arc<Decide>,
}

type Decide = dyn Fn(&Received, usize) -> Reply + Send + Sync;

enum State {
    Running(Running),
    Stopped(Socket),
}

/// The accepting task. It owns the connections' tasks, so that they end with it.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(socket: Socket, shared: &Arc<Shared>) -> Result<Self, HarnessError> {
        let listener = listen(socket).map_err(HarnessError::io("listen on a port"))?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(shared), stopped));
        Ok(Self {
            stop: Some(stop),
            task,
        })
    }

    async fn end(&mut self) {
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
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .max_headers(1024)
            .serve_connection(TokioIo::new(stream), service)
    );
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
    request: Request<Incoming>,
    connection: u64,
    cut: Arc<Notify>,
) -> io::Result<Response<OutBody>> {
    let at = Instant::now();
    let number = shared.arrivals.fetch_add(1, Ordering::Relaxed);
    let Behaviour { early, reply } = locked(&shared.behaviour).clone();
    let (parts, mut body) = request.into_parts();
    let mut received = Received::head(parts, connection, at);
    if !early {
        received.read(&mut body).await;
        if !received.complete {
            locked(&shared.received).push(received);
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let reply = reply(&received, number);
    locked(&shared.received).push(received);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let body = match reply.ending {
        Ending::Body(bytes) => body::whole(bytes),
        Ending::Hang => pending().await,
        Ending::Large(bytes) => body::large(bytes),
        Ending::Reset => {
            cut.notify_one();
            pending().await
        }
        Ending::ResetAfterHeaders => body::broken(cut),
        Ending::Stream { chunks, every } => body::paced(chunks, every),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

/// Binds a port that nobody else has, and whose owner may bind it again later.
fn bind_any() -> Result<Socket, HarnessError> {
    let bind = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // With SO_REUSEADDR set already, the kernel might choose a port that somebody else
        // holds without listening, such as a `Refusing`.
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.set_reuse_address(true)?;
        Ok(socket)
    };
    bind().map_err(HarnessError::io("bind a port"))
}

/// Binds a port whose earlier connections may linger in TIME_WAIT: that is permitted when
/// both they (who have it from their listener) and the new socket have SO_REUSEADDR.
fn bind_again(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn local_address(socket: &Socket) -> Result<SocketAddr, HarnessError> {
    let addr = socket
        .local_addr()
        .map_err(HarnessError::io("ask for a bound port"))?;
    addr.as_socket().ok_or_else(|| HarnessError::Unexpected {
        doing: "ask for a bound port".to_owned(),
        found: format!("{addr:?}"),
    })
}

/// A behaviour that panics fails its own test; the server's records stay readable.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
