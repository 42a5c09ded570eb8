//! The streams and calls that events apply to, and what must hold after each event.

use std::time::Duration;

use proptest::prelude::{prop_assert, prop_assert_eq};
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::{Change, Event, Failure};
use crate::fake_host::{Call, Host, Outcome, Stream};
use crate::scene::{OK, ROUND, TOTAL, assert_idle, head, start, text};

/// `max_attempts` of the configurations.
const ATTEMPTS: usize = 3;

/// A stream, and how far its client and its router have come.
struct Exchange {
    stream: Stream,
    /// In the request's `x-id`, which identifies its calls.
    id: String,
    may_be_repeated: bool,
    arrived: Duration,
    sent: bool,
    answered: bool,
    answer_ended: bool,
    /// The most calls allowed: 0 if the request cannot be sent again. Else it is the number of
    /// calls when the request may first have had an effect, or its client was gone or answered.
    last_call: Option<usize>,
}

pub(super) struct World {
    host: Host,
    /// How many calls of a stream may be under way at a time.
    at_a_time: usize,
    exchanges: Vec<Exchange>,
}

impl World {
    pub(super) fn new(configuration: &str, at_a_time: usize) -> Self {
        let host = start(configuration);
        // A reply goes out and its stream lives on for a while: later events must change nothing.
        host.finish_replied(false);
        Self {
            host,
            at_a_time,
            exchanges: Vec::new(),
        }
    }

    /// One of the exchanges still under way between client and router that fits.
    fn pick(&mut self, index: &Index, fits: impl Fn(&Exchange) -> bool) -> Option<&mut Exchange> {
        self.pick_open(index, |exchange| {
            exchange.stream.sent().is_none() && fits(exchange)
        })
    }

    /// One of the exchanges that are not over and that fits.
    fn pick_open(
        &mut self,
        index: &Index,
        fits: impl Fn(&Exchange) -> bool,
    ) -> Option<&mut Exchange> {
        let mut fitting: Vec<_> = self
            .exchanges
            .iter_mut()
            .filter(|exchange| !exchange.stream.has_ended() && fits(exchange))
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let position = index.index(fitting.len());
        Some(fitting.swap_remove(position))
    }

    fn pick_call(&self, index: &Index) -> Option<Call> {
        let pending = self.host.pending_calls();
        (!pending.is_empty()).then(|| index.get(&pending).clone())
    }

    fn calls_of(&self, exchange: &Exchange) -> Vec<Call> {
        let mut calls = self.host.calls();
        calls.retain(|call| call.header("x-id") == Some(exchange.id.as_bytes()));
        calls
    }

    pub(super) fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrives {
                method,
                more,
                complete,
            } => self.arrives(method, *more, *complete),
            Event::SendsBody(index, size, end) => {
                if let Some(exchange) = self.pick(index, |exchange| !exchange.sent) {
                    exchange.sent = *end;
                    exchange.stream.request_body(&vec![7; *size], *end);
                }
            }
            Event::SendsTrailers(index) => {
                if let Some(exchange) = self.pick(index, |exchange| !exchange.sent) {
                    exchange.sent = true;
                    exchange.last_call = Some(0);
                    exchange.stream.request_trailers(&[("t", "1")]);
                }
            }
            Event::Answers(index, status, end) => {
                if let Some(exchange) = self.pick(index, |exchange| !exchange.answered) {
                    exchange.answered = true;
                    exchange.answer_ended = *end;
                    exchange.stream.response(&[(":status", status)], *end);
                    let id = exchange.id.clone();
                    self.done_something(&id);
                }
            }
            Event::RouterFails(index, details) => {
                if let Some(exchange) = self.pick(index, |exchange| !exchange.answered) {
                    exchange.answered = true;
                    exchange.answer_ended = true;
                    exchange.stream.router_failed(503, details, b"x");
                    let id = exchange.id.clone();
                    if *details != "no_healthy_upstream" {
                        self.done_something(&id);
                    }
                }
            }
            Event::AnswersBody(index, end) => {
                let open = |exchange: &Exchange| exchange.answered && !exchange.answer_ended;
                if let Some(exchange) = self.pick(index, open) {
                    exchange.answer_ended = *end;
                    exchange.stream.response_body(b"x", *end);
                }
            }
            Event::Finishes(index) => {
                let free = |exchange: &Exchange| {
                    let answered = exchange.answered || exchange.stream.sent().is_some();
                    answered && !exchange.stream.is_paused()
                };
                if let Some(exchange) = self.pick_open(index, free) {
                    exchange.stream.finish();
                }
            }
            Event::Leaves(index) => {
                if let Some(exchange) = self.pick_open(index, |_| true) {
                    exchange.stream.client_gone();
                }
            }
            Event::IsTimedOut(index) => {
                if let Some(exchange) = self.pick(index, |exchange| exchange.stream.is_paused()) {
                    exchange.stream.timed_out();
                }
            }
            Event::CallAnswers(index, status) => {
                if let Some(call) = self.pick_call(index) {
                    self.host.answer(call.token, &[(":status", status)], b"x");
                    self.done_something_by(&call);
                }
            }
            Event::CallFails(index, failure) => {
                if let Some(call) = self.pick_call(index) {
                    match failure {
                        Failure::Connect => self.host.answer_connect_failure(call.token),
                        Failure::Timeout => self.host.answer_timeout(call.token),
                        Failure::Reset => self.host.answer_reset(call.token),
                    }
                    if !matches!(failure, Failure::Connect) {
                        self.done_something_by(&call);
                    }
                }
            }
            Event::Passes(milliseconds) => self.host.advance(Duration::from_millis(*milliseconds)),
            Event::Stalls(milliseconds) => self.host.stall(Duration::from_millis(*milliseconds)),
            Event::Cluster(name, change) => match change {
                Change::Serves => self.host.add_cluster(name),
                Change::HasNoHosts => self.host.drain_cluster(name),
                Change::IsGone => self.host.remove_cluster(name),
            },
        }
        for position in 0..self.exchanges.len() {
            let calls = self.calls_of(&self.exchanges[position]).len();
            let exchange = &mut self.exchanges[position];
            if exchange.stream.has_ended() || exchange.stream.sent().is_some() {
                exchange.last_call.get_or_insert(calls);
            }
        }
    }

    fn arrives(
        &mut self,
        method: &'static str,
        more: Option<(&'static str, &'static str)>,
        complete: bool,
    ) {
        let id = self.exchanges.len().to_string();
        let mut headers = head(method, &[("x-id", &id)]);
        headers.extend(more);
        let stream = self.host.request(&headers, complete);
        let has = |header| more.is_some_and(|(name, _)| name == header);
        let two_way = method == "CONNECT" || has("content-type") || has("upgrade");
        let never_again = two_way || has("content-length");
        self.exchanges.push(Exchange {
            stream,
            may_be_repeated: has("idempotency-key") || ["GET", "HEAD"].contains(&method),
            arrived: self.host.now(),
            sent: complete,
            answered: false,
            answer_ended: false,
            last_call: never_again.then_some(0),
            id,
        });
    }

    fn done_something_by(&mut self, call: &Call) {
        self.done_something(&text(call.header("x-id").unwrap()));
    }

    /// From now on the request may have had its effect.
    fn done_something(&mut self, id: &str) {
        let position: usize = id.parse().unwrap();
        let calls = self.calls_of(&self.exchanges[position]).len();
        let exchange = &mut self.exchanges[position];
        if !exchange.may_be_repeated {
            exchange.last_call.get_or_insert(calls);
        }
    }

    pub(super) fn check(&self) -> Result<(), TestCaseError> {
        let violations = self.host.violations();
        prop_assert!(violations.is_empty(), "{:?}", violations);
        for exchange in &self.exchanges {
            let calls = self.calls_of(exchange);
            prop_assert!(calls.len() < ATTEMPTS, "too many attempts: {:?}", calls);
            for call in &calls {
                prop_assert!(call.at < exchange.arrived + TOTAL, "too late: {:?}", call);
            }
            let pending = calls
                .iter()
                .filter(|call| call.outcome == Outcome::Pending)
                .count();
            prop_assert!(pending <= self.at_a_time, "too many at a time: {:?}", calls);
            if let Some(most) = exchange.last_call {
                prop_assert!(
                    calls.len() <= most,
                    "repeated or without a client: {:?}",
                    calls
                );
            }
            if exchange.stream.is_paused() {
                let timer = self.host.tick_in().is_some();
                prop_assert!(pending > 0 || timer, "{} is stuck", exchange.id);
            }
        }
        Ok(())
    }

    /// Time ends every exchange, and after the last nothing is left.
    pub(super) fn end(&self) -> Result<(), TestCaseError> {
        self.host.advance(TOTAL + Duration::from_millis(1));
        self.check()?;
        for exchange in &self.exchanges {
            let stream = exchange.stream;
            let replied = stream.has_ended() || stream.sent().is_some();
            let has_answer = replied || (exchange.answered && !stream.is_paused());
            prop_assert!(has_answer, "{} has no answer", exchange.id);
            if !stream.has_ended() {
                stream.client_gone();
            }
        }
        for call in self.host.pending_calls() {
            self.host.answer(call.token, OK, b"");
        }
        for name in ["a", "b", "c"] {
            self.host.add_cluster(name);
        }
        assert_idle(&self.host);
        self.every_attempt_is_counted_once()?;
        self.check()
    }

    /// Every attempt was counted when it began and when it ended, and every request once.
    fn every_attempt_is_counted_once(&self) -> Result<(), TestCaseError> {
        // The next round publishes the counts.
        self.host.advance(ROUND);
        let metrics = self.host.metrics();
        let sum = |parts: &[&str]| {
            let of_these = |name: &&String| parts.iter().all(|part| name.contains(part));
            let names = metrics.keys().filter(of_these);
            names.map(|name| metrics[name]).sum::<u64>()
        };
        for endpoint in [";endpoint=a", ";endpoint=b", ";endpoint=c"] {
            let ended = sum(&["steerage_attempts_total", endpoint]);
            prop_assert_eq!(ended, sum(&["steerage_selections_total", endpoint]));
        }
        let attempts = sum(&["steerage_attempts_total"]);
        let requests = sum(&["steerage_requests_total"]);
        let retries = sum(&["steerage_retries_total"]);
        // A request that finds no endpoint has no attempt.
        prop_assert!(attempts - retries <= requests, "{metrics:?}");
        prop_assert!(sum(&["steerage_answers_total"]) <= requests, "{metrics:?}");
        Ok(())
    }
}
