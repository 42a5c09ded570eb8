//! What the router, upstreams and clients do.

use std::time::Duration;

use rand::RngExt as _;
use steerage_engine::request::Request;
use steerage_engine::settings::PoolIndex;
use steerage_engine::{AttemptId, Destination, End, Flow, OpeningBody, StreamId};
use steerage_policy::outcome::{GrpcStatus, Neutral, Outcome};
use steerage_policy::retry::first_message::{Body, CommitOn};
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::{EACH, Event, Host, Live, answer};
use crate::playing;

/// The router's word for what it was to repeat and does not.
const NOT_REPEATED: Outcome = Outcome::Neutral(Neutral::Overflow);

impl Host<'_> {
    pub(super) fn happens(&mut self, event: Event, now: Instant) {
        match event {
            Event::Arrives(id) => self.arrives(id, now),
            Event::Completes(id) => self.completes(id, now),
            Event::Leaves(id) => {
                let client = &mut self.clients[id];
                if !client.is_over {
                    client.has_left = client.answered.is_empty();
                    // The host ends the stream first, and then its attempt.
                    client.live = None;
                    self.over(id, now);
                }
            }
            Event::Over(id) => self.over(id, now),
            Event::Begins(id) => self.begins(id, now),
            Event::Ends(id, attempt) => self.ends(id, attempt, now),
            Event::TimesOut(id, attempt) => {
                let live = self.clients[id].live.as_ref();
                if live.is_some_and(|live| live.id == attempt) {
                    let was_sent = live.is_some_and(|live| live.is_sent);
                    let was_connected = was_sent || self.one_in(2);
                    self.broke(id, was_connected, Outcome::Timeout, now);
                }
            }
            Event::Follows(id, attempt) => self.follows(id, attempt, now),
            Event::Answers(id, outcome) => self.answers(id, outcome, now),
            Event::Called(call) => {
                let (_, outcome) = self.calls.remove(&call).unwrap();
                self.event(now, |worker, turn| {
                    worker.call_answered(call, answer(outcome), turn);
                });
            }
            Event::NotCalled(call) => {
                let (_, outcome) = self.calls.remove(&call).unwrap();
                self.event(now, |worker, turn| worker.call_refused(call, outcome, turn));
            }
            Event::Ticks => {
                self.event(now, |worker, turn| worker.tick(turn));
            }
        }
    }

    fn arrives(&mut self, id: usize, now: Instant) {
        let request: Request = playing::request(&self.case.requests[id]);
        self.clients[id].is_complete = request.is_complete();
        let (key, _) = self.event(now, |worker, turn| {
            let pool = PoolIndex::new(0).unwrap();
            worker.request_head(StreamId(id as u64), pool, request, None, turn)
        });
        self.clients[id].key = key;
        if key.is_none() {
            self.clients[id].is_over = true;
            return;
        }
        let obstacle = self.case.requests[id].repeatability.obstacle;
        if !self.clients[id].is_complete && obstacle != Some(Denial::IncompleteRequest) {
            let after = self.soon();
            self.at(now + after, Event::Completes(id));
        }
        if self.one_in(6) {
            let after = self.soon();
            self.at(now + after, Event::Leaves(id));
        }
    }

    fn completes(&mut self, id: usize, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        self.clients[id].is_complete = true;
        self.event(now, |worker, turn| worker.request_completed(key, turn));
        self.time_out(id, now);
    }

    /// The stream ends, and its attempt before it.
    fn over(&mut self, id: usize, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        if let Some(live) = self.clients[id].live.take()
            && self.one_in(2)
            && self.worker.awaits_answer_of(key, live.id)
        {
            let connected = live.is_sent;
            self.event(now, |worker, turn| {
                worker.attempt_broke(key, live.id, connected, turn);
            });
        }
        if !self.worker.stream_closed(key) {
            self.event(now, |worker, turn| {
                worker.stream_over(key, End::default(), turn);
            });
        }
        self.clients[id].key = None;
        self.clients[id].is_over = true;
    }

    fn begins(&mut self, id: usize, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        let client = &mut self.clients[id];
        client.begun += 1;
        let attempt = AttemptId(id as u64 * EACH + client.begun);
        let is_retry = client.begun > 1;
        let destination = if is_retry && self.one_in(10) {
            Destination::Elsewhere
        } else {
            Destination::AsPlanned
        };
        let fate = self.case.requests[id].fates[0];
        self.clients[id].live = Some(Live {
            id: attempt,
            is_sent: false,
            is_answered: false,
            fate,
        });
        let (flow, _) = self.event(now, |worker, turn| {
            worker.attempt_begins(key, attempt, destination, turn)
        });
        match flow {
            Flow::Continue if self.clients[id].is_repeated_unasked => self.unasked(id, now),
            Flow::Continue => self.attempt_sent(id, now),
            Flow::Pause if self.one_in(6) => {
                // Its connection fails meanwhile.
                let after = self.soon();
                self.at(now + after, Event::Ends(id, attempt));
            }
            Flow::Pause => {}
        }
        self.time_out(id, now);
    }

    /// The router's timer for its attempt is set.
    fn time_out(&mut self, id: usize, now: Instant) {
        let client = &self.clients[id];
        if let (true, Some(live)) = (client.is_complete, &client.live) {
            let (event, after) = (Event::TimesOut(id, live.id), client.try_timeout);
            self.at(now + after, event);
        }
    }

    /// The request of the router's attempt goes on.
    pub(super) fn attempt_sent(&mut self, id: usize, now: Instant) {
        self.sends(id, now);
        let fate = self.fate(id);
        let live = self.clients[id].live.as_mut().unwrap();
        live.is_sent = true;
        live.fate = fate;
        let event = Event::Ends(id, live.id);
        self.at(now + fate.took, event);
    }

    /// An attempt goes on that nobody has decided on.
    fn unasked(&mut self, id: usize, now: Instant) {
        let fate = self.fate(id);
        let live = self.clients[id].live.as_mut().unwrap();
        live.is_sent = true;
        live.fate = fate;
        let event = Event::Ends(id, live.id);
        self.at(now + fate.took, event);
    }

    fn ends(&mut self, id: usize, attempt: AttemptId, now: Instant) {
        let live = self.clients[id].live.as_ref();
        let Some(live) = live.filter(|live| live.id == attempt && !live.is_answered) else {
            return;
        };
        let (is_sent, outcome) = (live.is_sent, live.fate.outcome);
        match outcome {
            _ if !is_sent => {
                let was_connected = self.one_in(2);
                self.broke(id, was_connected, Outcome::Reset, now);
            }
            Outcome::ConnectFailure => self.broke(id, false, outcome, now),
            Outcome::Reset => self.broke(id, true, outcome, now),
            Outcome::Timeout => {} // Its timer says so.
            Outcome::Answered(_) => self.head(id, outcome, now),
            _ => self.head(id, Outcome::Answered(500), now),
        }
    }

    /// The head of an attempt's answer comes.
    fn head(&mut self, id: usize, outcome: Outcome, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        let live = self.clients[id].live.as_mut().unwrap();
        live.is_answered = true;
        live.fate.outcome = outcome;
        let attempt = live.id;
        let waits = matches!(self.case.pool.retry.commit_on, CommitOn::FirstMessage(_));
        let body = (waits && !self.one_in(4)).then(|| OpeningBody {
            kind: Some(Body::Sse),
            is_seen: self.one_in(2),
        });
        let (flow, is_marked) = self.event(now, |worker, turn| {
            worker.attempt_answered(key, attempt, answer(outcome), body, turn)
        });
        if flow == Flow::Pause {
            let after = self.soon();
            self.at(now + after, Event::Follows(id, attempt));
        } else {
            self.goes_on(id, is_marked, now);
        }
    }

    /// Something follows a head that is held.
    fn follows(&mut self, id: usize, attempt: AttemptId, now: Instant) {
        let live = self.clients[id].live.as_ref();
        let (true, Some(key)) = (
            live.is_some_and(|live| live.id == attempt),
            self.clients[id].key,
        ) else {
            return;
        };
        let (bytes, end) = match self.luck.random_range(0..6) {
            0 => (": wait\n\n", false),
            1 => ("event: error\ndata: x\n\n", false),
            2 => ("", true),
            3 => return self.broke(id, true, Outcome::Reset, now),
            4 => {
                let status = Some(GrpcStatus::UNAVAILABLE);
                let ((), is_marked) = self.event(now, |worker, turn| {
                    worker.attempt_trailers(key, attempt, status, turn);
                });
                return self.goes_on(id, is_marked, now);
            }
            _ => ("data: x\n\n", false),
        };
        let (flow, is_marked) = self.event(now, |worker, turn| {
            worker.attempt_body(key, attempt, bytes.as_bytes(), end, turn)
        });
        if flow == Flow::Continue {
            self.goes_on(id, is_marked, now);
        } else if !self.one_in(3) {
            let after = self.soon();
            self.at(now + after, Event::Follows(id, attempt));
        }
    }

    /// The head of an answer goes on to the router.
    fn goes_on(&mut self, id: usize, is_marked: bool, now: Instant) {
        if is_marked {
            self.marked(id, now);
        } else {
            self.passes_on(id, now);
        }
    }

    /// The router passes an answer on to the client's side.
    pub(super) fn passes_on(&mut self, id: usize, now: Instant) {
        let Some(live) = self.clients[id].live.take() else {
            return;
        };
        if self.one_in(20) {
            // By a rule of the route's own, which nobody has told the filter.
            self.clients[id].is_repeated_unasked = true;
            self.repeats(id, true, live.fate.outcome, now);
        } else {
            self.at(now, Event::Answers(id, live.fate.outcome));
        }
    }

    /// The router has an answer that it is to repeat.
    pub(super) fn marked(&mut self, id: usize, now: Instant) {
        self.clients[id].live = None;
        self.repeats(id, true, NOT_REPEATED, now);
    }

    /// An attempt of the router's ends without an answer.
    fn broke(&mut self, id: usize, was_connected: bool, outcome: Outcome, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        let Some(live) = self.clients[id].live.take() else {
            return;
        };
        if self.worker.awaits_answer_of(key, live.id) {
            self.event(now, |worker, turn| {
                worker.attempt_broke(key, live.id, was_connected, turn);
            });
        }
        let retries = self.clients[id].retries;
        let may = retries.is_some_and(|retries| {
            if was_connected {
                retries.resets && !retries.only_connecting
            } else {
                retries.connecting
            }
        });
        let own = if was_connected {
            outcome
        } else {
            Outcome::ConnectFailure
        };
        self.repeats(id, may, own, now);
    }

    /// The router makes another attempt, or answers by itself.
    fn repeats(&mut self, id: usize, may: bool, own: Outcome, now: Instant) {
        let most = self.clients[id].retries.map_or(0, |retries| retries.most);
        if may && self.clients[id].made < most && !self.one_in(8) {
            self.clients[id].made += 1;
            self.at(now + Duration::from_millis(1), Event::Begins(id));
        } else {
            self.at(now, Event::Answers(id, own));
        }
    }

    /// An answer is on its way to the client.
    fn answers(&mut self, id: usize, outcome: Outcome, now: Instant) {
        let Some(key) = self.clients[id].key else {
            return;
        };
        if !self.clients[id].answered.is_empty() {
            return; // It has been replaced.
        }
        let (judged, _) = self.event(now, |worker, turn| worker.answer_arrives(key, turn));
        if judged.is_none() {
            self.event(now, |worker, turn| {
                worker.response_head(key, answer(outcome), turn)
            });
        }
    }
}
