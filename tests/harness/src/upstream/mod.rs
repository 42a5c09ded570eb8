//! Servers of HTTP/1 and HTTP/2, as clients begin, that behave as a test tells them to, and remember what they were asked.
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

mod serving;
mod shared;
mod sockets;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::Socket;

use self::serving::Running;
use self::shared::{Behaviour, Shared, locked};
use self::sockets::{bind_again, bind_any, local_address};
use crate::error::HarnessError;
use crate::received::Received;
use crate::reply::Reply;
use crate::wait::eventually;

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
            open: Arc::default(),
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
    /// sees an empty one, and a body in flight makes the server close the connection (unless
    /// the reply is an [echo](Reply::echo)). In HTTP/1 a large body hides that the other side has
    /// gone, until something is sent: its request stays [open](Upstream::open).
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

    /// How many requests are neither answered to the end nor given up by the other side.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
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

enum State {
    Running(Running),
    Stopped(Socket),
}
