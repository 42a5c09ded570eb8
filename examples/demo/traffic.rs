//! The client: steady traffic at a fixed rate, whatever becomes of earlier requests.
//!
//! A client that waited for an answer before it asks again would slow down with the proxy and so
//! hide what it wants to show. Nine of ten requests are GETs, the tenth is a PUT with a body that the
//! upstream sends back, so that a body that a retry lost or damaged counts as a failure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steerage_harness::tokio::{self, task::JoinSet};
use steerage_harness::{Answer, Bytes, Client, HarnessError, Method, Request, StatusCode};

use crate::tally::{Exchange, Recorder};

/// The traffic of one act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Envoy's listener.
    pub(crate) to: SocketAddr,
    /// What every path begins with.
    pub(crate) path: &'static str,
    /// Requests a second.
    pub(crate) rate: u32,
    /// How long.
    pub(crate) lasting: Duration,
}

/// How many clients share the requests evenly; each has a connection of its own, or more when its
/// requests overlap. Enough of them that the kernel gives both workers of Envoy their part.
pub(crate) const CLIENTS: usize = 32;

impl Traffic {
    /// Sends the requests and returns when the last one is answered.
    pub(crate) async fn offer(self, recorder: Arc<Recorder>) {
        let clients: Vec<Client> = (0..CLIENTS)
            .map(|_| Client::new().patience(PATIENCE))
            .collect();
        let start = Instant::now();
        let mut under_way = JoinSet::new();
        for (number, client) in (0_u32..).zip(clients.iter().cycle()) {
            let due = Duration::from_secs(1) * number / self.rate;
            if due >= self.lasting {
                break;
            }
            tokio::time::sleep_until((start + due).into()).await;
            // No request waits for another, so this is when it goes out; from when it was due, the
            // grain of the timer, 1 ms, would count as the proxy's.
            let out = Instant::now();
            let client = client.clone();
            let recorder = Arc::clone(&recorder);
            under_way.spawn(async move {
                let request = request(self.path, number);
                let sent = request.body().clone();
                let answer = client.request(self.to, request).await;
                recorder.exchange(Exchange {
                    retried: answer.as_ref().is_ok_and(was_retried),
                    failure: failure(&answer, &sent),
                    took: out.elapsed(),
                });
            });
            // Finished ones are collected, lest they pile up over a long run.
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }
}

/// Request `number`: every tenth is a PUT.
fn request(path: &str, number: u32) -> Request<Bytes> {
    let (method, body) = if number % 10 == 9 {
        (Method::PUT, format!("item {number}, ").repeat(50))
    } else {
        (Method::GET, String::new())
    };
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method;
    // A path that is not a request target would show at once: all answers would be failures.
    if let Ok(target) = format!("{path}{number}").parse() {
        *request.uri_mut() = target;
    }
    request
}

/// What is wrong with the answer to a request that had the body `sent`.
fn failure(answer: &Result<Answer, HarnessError>, sent: &Bytes) -> Option<String> {
    match answer {
        Err(error) => Some(error.to_string()),
        Ok(answer) if answer.status != StatusCode::OK => {
            Some(match answer.header("x-steerage-reason") {
                Some(reason) => format!("status {} ({reason})", answer.status.as_u16()),
                None => format!("status {}", answer.status.as_u16()),
            })
        }
        Ok(answer) if !sent.is_empty() && answer.body != sent => {
            Some("a body that is not the one that was sent".to_owned())
        }
        Ok(_) => None,
    }
}

fn was_retried(answer: &Answer) -> bool {
    answer
        .header("x-steerage-attempts")
        .is_some_and(|attempts| attempts != "1")
}

/// Far more than the slowest request takes; only one that hangs gets there.
const PATIENCE: Duration = Duration::from_secs(10);
