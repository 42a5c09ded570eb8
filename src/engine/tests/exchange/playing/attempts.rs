//! Requests, and what becomes of their attempts: read from the engine's actions, and written down.

use steerage_engine::End;
use steerage_engine::action::{Account, CallId, Reason, Sending};
use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_engine::settings::PoolIndex;
use steerage_engine::{Action, Actions, StreamId};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::Decision;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::looking::Before;
use super::{Event, UnderWay, World};
use crate::cases;
use crate::records::{Beginning, Record, Refusal};

impl World<'_> {
    pub(super) fn arrive(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let before = self.before(number, now);
        let arriving = &self.case.requests[id];
        let request = request(arriving);
        let is_complete = request.is_complete();
        let (key, actions) = self.event(number, now, |worker, turn| {
            let pool = PoolIndex::new(0).unwrap();
            worker.request_head(StreamId(id as u64), pool, request, None, turn)
        });
        self.clients[id].key = key;
        self.begin(id, actions, &before, now);
        let obstacle = arriving.repeatability.obstacle;
        if let Some(key) = key.filter(|_| !is_complete)
            && obstacle != Some(Denial::IncompleteRequest)
        {
            self.event(number, now, |worker, turn| {
                if obstacle == Some(Denial::Trailers) {
                    worker.request_trailers(key);
                }
                worker.request_completed(key, turn);
            });
        }
    }

    pub(super) fn retry(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let before = self.before(number, now);
        let ((), actions) = self.event(number, now, |worker, turn| worker.tick(turn));
        self.begin(id, actions, &before, now);
    }

    /// The next attempt of a request has begun, or there is none.
    fn begin(&mut self, id: usize, actions: Actions, before: &Before, now: Instant) {
        let refuse = |account: &Account| match account.reason {
            Some(Reason::DeadlineExceeded) => Denial::Deadline,
            Some(Reason::Overloaded) => Denial::Overloaded,
            Some(Reason::NoEndpointAvailable) => Denial::NoEndpointAvailable,
            _ => account.denial.unwrap(),
        };
        for action in actions {
            match action {
                Action::Route(route) => self.begun(id, route.sending, None, before, now),
                Action::Call(call) => self.begun(id, call.sending, Some(call.id), before, now),
                Action::Refuse(refusal) => self.refused(id, refuse(&refusal.account), now),
                Action::Resume(account) => self.refused(id, refuse(&account), now),
                Action::Give(given) => self.refused(id, refuse(&given.account), now),
                _ => {}
            }
        }
    }

    fn begun(
        &mut self,
        id: usize,
        sending: Sending,
        call: Option<CallId>,
        before: &Before,
        now: Instant,
    ) {
        assert_eq!(
            sending.stream,
            StreamId(id as u64),
            "one exchange at a time"
        );
        let number = id % self.members.len();
        let endpoint = sending.endpoint;
        let tried = &self.clients[id].tried;
        // This attempt counts as available now, and may have taken the last trial of its endpoint.
        let all = self
            .available(number, now)
            .filter(|index| *index != endpoint);
        let all: Vec<_> = all.chain([endpoint]).collect();
        let untried = self.untried(&all, tried);
        let begun = Beginning {
            at: now,
            synced: self.members[number].synced,
            known: before.known[endpoint.position()],
            agreed: before.agreed[endpoint.position()],
            is_trial: sending.is_trial,
            untried,
        };
        let fates = &self.case.requests[id].fates;
        let mut fate = *fates.get(tried.len()).or_else(|| fates.last()).unwrap();
        if fate.took >= sending.timeout {
            fate.took = sending.timeout;
            fate.outcome = Outcome::Timeout;
        }
        let generation = self.agreed(endpoint).breaker.generation();
        let client = &mut self.clients[id];
        client.tried.push(endpoint);
        client.under_way = Some(UnderWay {
            sending,
            call,
            fate,
            begun,
            trial_of: begun.is_trial.then_some(generation),
        });
        self.events.insert((now + fate.took, Event::Ended(id)), ());
    }

    /// The untried ones of these; drained ones only if all of these are drained.
    fn untried(&self, all: &[EndpointIndex], tried: &[EndpointIndex]) -> usize {
        let endpoints = &self.case.pool.endpoints;
        let drained = |index: &EndpointIndex| endpoints[index.position()].weight.is_drained();
        let only_drained = all.iter().all(drained);
        all.iter()
            .filter(|index| only_drained || !drained(index))
            .filter(|index| !tried.contains(index))
            .count()
    }

    fn refused(&mut self, id: usize, reason: Denial, now: Instant) {
        let number = id % self.members.len();
        self.records.refusals.push(Refusal {
            at: now,
            deadline: self.deadline(id),
            reason,
            available: self.available(number, now).count(),
        });
        self.close(id, now);
    }

    /// The stream is over: the client has its answer.
    fn close(&mut self, id: usize, now: Instant) {
        let number = id % self.members.len();
        if let Some(key) = self.clients[id].key.take() {
            self.event(number, now, |worker, turn| {
                worker.stream_over(key, End::default(), turn);
            });
        }
    }

    /// An attempt ends.
    pub(super) fn finish(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let client = &mut self.clients[id];
        let under_way = client.under_way.take().unwrap();
        let key = client.key.unwrap();
        let (fate, call) = (under_way.fate, under_way.call);
        let answer = Answer {
            headers: Some(HeaderMap::default()),
            ..Answer::head(fate.outcome)
        };
        let ((), actions) = self.event(number, now, |worker, turn| match call {
            Some(call) => worker.call_answered(call, answer, turn),
            None => {
                worker.response_head(key, answer, turn);
            }
        });
        let exchange = self.members[number].worker.exchange(key).unwrap();
        let mut decision = Decision::Stop(None);
        let mut is_over = false;
        for action in actions {
            match action {
                Action::Debug(line) if line.starts_with("event=retry ") => {
                    decision = Decision::Again(exchange.waited());
                }
                Action::Debug(line) if line.starts_with("event=stop ") => {
                    decision = Decision::Stop(exchange.denial());
                }
                Action::Pass(_) | Action::Resume(_) | Action::Give(_) | Action::Refuse(_) => {
                    is_over = true;
                }
                _ => {}
            }
        }
        let sending = under_way.sending;
        let tried = &self.clients[id].tried;
        let untried = self.untried(&self.available(number, now).collect::<Vec<_>>(), tried);
        self.records.attempts.push(Record {
            request: id,
            number: sending.number,
            endpoint: sending.endpoint,
            deadline: self.deadline(id),
            begun: under_way.begun,
            ended: now,
            outcome: fate.outcome,
            repeatability: self.case.requests[id].repeatability,
            untried,
            decision,
        });
        match decision {
            Decision::Again(delay) => {
                assert!(!is_over, "a retry follows");
                self.events.insert((now + delay, Event::Due(id)), ());
            }
            Decision::Stop(_) => {
                assert!(is_over, "the client is answered");
                self.close(id, now);
            }
        }
    }

    fn deadline(&self, id: usize) -> Instant {
        Instant::ORIGIN + self.case.requests[id].arrives + self.pool.timeouts.total()
    }
}

/// A request as it arrives, of which this is known.
pub(crate) fn request(request: &cases::Request) -> Request {
    let Repeatability { allowed, obstacle } = request.repeatability;
    let path = request
        .key
        .map_or_else(|| "/".to_owned(), |key| format!("/{key}"));
    let mut head = vec![
        (":method", if allowed { "GET" } else { "POST" }),
        (":path", path.as_str()),
        (":authority", "shop"),
    ];
    head.extend(match obstacle {
        Some(Denial::Grpc) => Some(("content-type", "application/grpc")),
        Some(Denial::Upgrade) => Some(("upgrade", "websocket")),
        Some(Denial::BodyTooLarge) => Some(("content-length", "1000000")),
        _ => None,
    });
    let is_complete = matches!(obstacle, None | Some(Denial::Grpc | Denial::Upgrade));
    Request::arrived(HeaderMap::of(&head), "x-steerage-cluster", is_complete)
}
