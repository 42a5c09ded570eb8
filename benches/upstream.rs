//! The servers behind the proxies: small, fast, and as ill as they are told to be.
//!
//! The harness's own [`Upstream`](steerage_harness::Upstream) remembers every request, which a bench of
//! millions cannot afford. This one looks for the end of a request's head, counts, and writes an answer that
//! was made once. It takes requests without bodies only.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steerage_harness::tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use steerage_harness::tokio::net::{TcpListener, TcpSocket, TcpStream};
use steerage_harness::tokio::sync::watch;
use steerage_harness::tokio::task::JoinHandle;
use steerage_harness::tokio::{spawn, time};

/// What a server does with its requests from now on. Health checks fare like all others, but nobody holds them.
#[derive(Clone, Debug)]
pub(crate) enum Conduct {
    /// Answers at once.
    Prompt,
    /// Answers after a time.
    Slow(Duration),
    /// Answers after a time, and of each ten answers so many are 503.
    Ill {
        /// The time.
        after: Duration,
        /// Of ten.
        failures: u64,
    },
    /// Answers when the gate is opened.
    Held(watch::Receiver<bool>),
}

/// A server on a port of its own.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    conduct: Mutex<Conduct>,
    requests: AtomicU64,
    checks: AtomicU64,
    waiting: AtomicU64,
}

impl Server {
    /// A prompt one.
    pub(crate) async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            conduct: Mutex::new(Conduct::Prompt),
            requests: AtomicU64::new(0),
            checks: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
        });
        let task = spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, task })
    }

    /// Four of them, as every contender has.
    pub(crate) async fn four() -> io::Result<[Self; 4]> {
        Ok([
            Self::start().await?,
            Self::start().await?,
            Self::start().await?,
            Self::start().await?,
        ])
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it does with requests that arrive from now on.
    pub(crate) fn set(&self, conduct: Conduct) {
        *self.lock() = conduct;
    }

    /// How many requests came, health checks not counted, since this was asked last.
    pub(crate) fn take_requests(&self) -> u64 {
        self.shared.requests.swap(0, Ordering::Relaxed)
    }

    /// How many requests wait for their answers.
    pub(crate) fn waiting(&self) -> u64 {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Conduct> {
        self.shared
            .conduct
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                // A conversation ends when the other side has had enough of it.
                spawn(async move { converse(stream, &shared).await });
            }
            // The peer left already, or descriptors ran out: both pass.
            Err(_) => time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let Some(end) = end_of_head(&buffer) else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let is_check = buffer.starts_with(b"GET /health");
        buffer.drain(..end);
        let counter = if is_check {
            &shared.checks
        } else {
            &shared.requests
        };
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let answer = shared.answer(number, is_check).await;
        stream.write_all(answer).await?;
    }
}

impl Shared {
    async fn answer(&self, number: u64, is_check: bool) -> &'static [u8] {
        let conduct = self
            .conduct
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match conduct {
            Conduct::Prompt => GOOD,
            Conduct::Held(_) if is_check => GOOD,
            Conduct::Slow(after) => {
                self.wait(time::sleep(after)).await;
                GOOD
            }
            Conduct::Ill { after, failures } => {
                self.wait(time::sleep(after)).await;
                // Spread over the ten: multiples of 7 meet every remainder of 10 once.
                if number.wrapping_mul(7) % 10 < failures {
                    BAD
                } else {
                    GOOD
                }
            }
            Conduct::Held(mut gate) => {
                // A gate that is gone is open.
                self.wait(async { drop(gate.wait_for(|open| *open).await) })
                    .await;
                GOOD
            }
        }
    }

    async fn wait(&self, what: impl Future<Output = ()>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        what.await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where the first head in `bytes` ends, its blank line included.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    const BLANK: &[u8] = b"\r\n\r\n";
    let at = bytes.windows(BLANK.len()).position(|four| four == BLANK)?;
    Some(at + BLANK.len())
}

/// Thousands of connections come at once, and one that finds no room is late by a second.
const BACKLOG: u32 = 4096;

const GOOD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
const BAD: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nsorry";
