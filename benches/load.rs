//! The client: a closed loop to find out how much goes through, an open one to find out how long it takes.
//!
//! **Closed**: each connection sends its next request when the last one is answered. That saturates the proxy,
//! and says nothing of latency: a proxy that stalls is simply asked less.
//!
//! **Open**: requests are due at fixed moments, whether or not earlier ones are answered, and each is measured
//! from the moment at which it was *due*. A proxy that stalls for 100 ms at 10,000 requests a second is charged
//! with a thousand slow answers and not with one ("coordinated omission").
//!
//! Timers of the operating system are too coarse for a request each 60 µs, so the client spins while it waits
//! for the next moment. Everything runs on one thread, so spinning never keeps the servers from running.
//!
//! HTTP is read by hand, so that the client stays cheap: a status, a content-length, a body.
//! Whatever does not look like that is an error, and no error is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steerage_harness::tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use steerage_harness::tokio::net::TcpStream;
use steerage_harness::tokio::sync::Notify;
use steerage_harness::tokio::task::{JoinSet, yield_now};
use steerage_harness::tokio::time;

use crate::upstream::end_of_head;

/// How a load fared.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many answers had which status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// How many requests got no complete answer.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
    /// Nanoseconds of each answer, in no order.
    pub(crate) latencies: Vec<u64>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Report {
    /// How many requests there were.
    pub(crate) fn total(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.errors
    }

    /// How many of them were answered with 200.
    pub(crate) fn good(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or_default()
    }

    /// Adds what another load came to.
    pub(crate) fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
    }

    fn note(&mut self, result: io::Result<u16>, since: Instant) {
        match result {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                let nanos = since.elapsed().as_nanos();
                self.latencies
                    .push(u64::try_from(nanos).unwrap_or(u64::MAX));
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// Keep-alive connections to one proxy.
#[derive(Debug)]
pub(crate) struct Client {
    addr: SocketAddr,
    connections: Vec<Connection>,
}

impl Client {
    /// Opens so many connections, and asks once on each, so that what is measured later is not connecting.
    pub(crate) async fn open(addr: SocketAddr, connections: usize) -> io::Result<Self> {
        let mut opened = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut connection = Connection::new(addr);
            connection.exchange().await?;
            opened.push(connection);
        }
        Ok(Self {
            addr,
            connections: opened,
        })
    }

    /// Has so many connections from now on; new ones are opened when they are used.
    pub(crate) fn widen(&mut self, connections: usize) {
        let addr = self.addr;
        self.connections
            .resize_with(connections, || Connection::new(addr));
    }

    /// Sends as much as is answered, for this time.
    pub(crate) async fn closed(&mut self, lasting: Duration) -> Report {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            tasks.spawn(async move {
                let mut report = Report::default();
                while start.elapsed() < lasting {
                    let sent = Instant::now();
                    let result = connection.exchange().await;
                    report.note(result, sent);
                }
                (connection, report)
            });
        }
        self.gather(tasks, start).await
    }

    /// Offers so many requests a second, evenly spaced, for this time.
    pub(crate) async fn open_loop(&mut self, per_second: f64, lasting: Duration) -> Report {
        let start = Instant::now();
        let queue = Arc::new(Queue::default());
        let mut tasks = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let queue = Arc::clone(&queue);
            tasks.spawn(async move {
                let mut report = Report::default();
                while let Some(due) = queue.next().await {
                    let result = connection.exchange().await;
                    report.note(result, due);
                }
                (connection, report)
            });
        }
        let between = 1.0 / per_second;
        let mut due = 0.0;
        while due < lasting.as_secs_f64() {
            let at = start + Duration::try_from_secs_f64(due).unwrap_or_default();
            until(at).await;
            queue.offer(at);
            due += between;
        }
        queue.close();
        self.gather(tasks, start).await
    }

    /// The connections come back, for the next load, and the reports become one.
    async fn gather(&mut self, mut tasks: JoinSet<(Connection, Report)>, start: Instant) -> Report {
        let mut all = Report::default();
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok((connection, report)) => {
                    self.connections.push(connection);
                    all.add(report);
                }
                Err(failed) => {
                    all.errors += 1;
                    all.first_error.get_or_insert_with(|| failed.to_string());
                    self.connections.push(Connection::new(self.addr));
                }
            }
        }
        all.elapsed = start.elapsed();
        all
    }
}

/// Waits for a moment to the microsecond.
async fn until(at: Instant) {
    const COARSE: Duration = Duration::from_millis(3);
    if let Some(long) = at.checked_duration_since(Instant::now() + COARSE) {
        time::sleep(long).await;
    }
    while Instant::now() < at {
        yield_now().await;
    }
}

/// What is due and not yet sent.
#[derive(Debug, Default)]
struct Queue {
    due: Mutex<(VecDeque<Instant>, Closed)>,
    wake: Notify,
}

/// Whether nothing more will come.
type Closed = bool;

impl Queue {
    fn offer(&self, due: Instant) {
        self.lock().0.push_back(due);
        self.wake.notify_one();
    }

    fn close(&self) {
        self.lock().1 = true;
        self.wake.notify_waiters();
    }

    async fn next(&self) -> Option<Instant> {
        loop {
            let woken = self.wake.notified();
            {
                let mut due = self.lock();
                if let Some(at) = due.0.pop_front() {
                    return Some(at);
                }
                if due.1 {
                    return None;
                }
            }
            woken.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (VecDeque<Instant>, Closed)> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, opened again when it is lost.
#[derive(Debug)]
pub(crate) struct Connection {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            stream: None,
            buffer: Vec::with_capacity(1024),
        }
    }

    /// One request and its answer's status.
    pub(crate) async fn exchange(&mut self) -> io::Result<u16> {
        let exchanged = time::timeout(PATIENCE, self.attempt()).await;
        let result = exchanged.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if result.is_err() {
            self.stream = None;
        }
        let (status, stays) = result?;
        if !stays {
            self.stream = None;
        }
        Ok(status)
    }

    async fn attempt(&mut self) -> io::Result<(u16, bool)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.addr).await?;
                stream.set_nodelay(true)?;
                // Ten thousand connections must not linger after their end.
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                none.insert(stream)
            }
        };
        stream.write_all(REQUEST).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = end_of_head(&self.buffer) else {
                continue;
            };
            let head = self.buffer.get(..end).and_then(Head::parse);
            let head = head.ok_or(io::ErrorKind::InvalidData)?;
            if self.buffer.len() >= end + head.length {
                return Ok((head.status, head.stays));
            }
        }
    }
}

/// What a client has to know of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    /// Whether the connection may be used again.
    stays: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let first = lines.next()?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        // Answers of HTTP/1.0 end their connection.
        let mut stays = first.starts_with("HTTP/1.1");
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                stays &= !value.trim().eq_ignore_ascii_case("close");
            }
        }
        if length.is_none() && !stays {
            // The end of the connection is the end of the body, which nobody needs.
            length = Some(0);
        }
        length.map(|length| Self {
            status,
            length,
            stays,
        })
    }
}

/// An ordinary small request.
const REQUEST: &[u8] = b"GET /api/items?page=2 HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: bench/1.0\r\n\
accept: application/json\r\naccept-encoding: gzip\r\nauthorization: Bearer 0123456789abcdef\r\n\r\n";

/// Longer than any answer should take.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u16, usize, bool)>) {
        let expected = expected.map(|(status, length, stays)| Head {
            status,
            length,
            stays,
        });
        assert_eq!(Head::parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn of_an_answer_the_status_the_length_and_the_connection_are_read() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            Some((200, 5, true)),
        );
        check(
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Some((503, 0, false)),
        );
        check("HTTP/1.0 503 No\r\n\r\n", Some((503, 0, false)));
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            None,
        );
        check("garbage\r\n\r\n", None);
    }

    #[test]
    fn what_was_offered_is_handed_out_once_and_then_nothing() {
        steerage_harness::run(async {
            let queue = Queue::default();
            let at = Instant::now();
            queue.offer(at);
            queue.close();
            assert_eq!(queue.next().await, Some(at));
            assert_eq!(queue.next().await, None);
        });
    }
}
