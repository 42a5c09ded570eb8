//! What the engine asks of its shell.
//!
//! An action owns what it needs, so the shell performs it when the engine has long returned.
//! Actions are performed in order. The queue is the caller's and is used again for every event: a
//! healthy request allocates nothing for it.
//!
//! Example: a GET that is answered well is two actions, [`Action::Route`] when it arrives and
//! [`Action::Pass`] when its answer does.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::reason::Denial;
use steerage_shared::agreement::Lost;

use crate::answer::Answer;
use crate::figures::PoolFigures;
use crate::kept_bytes::Share;
use crate::names::{AttemptId, StreamId};
use crate::request::Request;
use crate::settings::PoolIndex;
use crate::trail::Trail;

/// Actions in the order in which they are to be performed.
pub type Actions = VecDeque<Action>;

/// What becomes of the headers at hand, as the answer to the event that brought them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// They go on.
    Continue,
    /// They are held until an action says what becomes of the stream.
    Pause,
}

/// One thing to be done by the shell.
#[derive(Debug)]
pub enum Action {
    /// The router sends the first attempt of the request at hand.
    Route(Route),
    /// An attempt is made as a call. If the host refuses it, the shell says so with
    /// [`crate::Worker::call_refused`].
    Call(Box<Call>),
    /// The router makes another attempt.
    Retry(Retry),
    /// An attempt that the router has begun is about to be sent: its request gets what differs from
    /// the attempt before.
    Send(Route),
    /// The next attempt of the router goes there, if there is one: said with the request of the one
    /// that is about to be sent, because the route reads it there.
    Plan(PoolIndex, EndpointIndex),
    /// The request of an attempt, which was held, goes on.
    Release(AttemptId),
    /// The answer of an attempt, which was held, goes on.
    ReleaseAnswer(AttemptId),
    /// A health check is made as a call, under the same rule.
    Check(Check),
    /// The answer at hand goes on to the client.
    Pass(Account),
    /// The answer that is held goes on to the client.
    Resume(Account),
    /// The client gets this in place of the answer that is held or awaited.
    Give(Box<Given>),
    /// The filter itself answers.
    Refuse(Refusal),
    /// The host's timer is to fire once after this long, in place of what it was set to.
    SetTimer(Duration),
    /// A round is over: metrics are brought up to these figures, one entry for each pool that has
    /// metrics.
    Publish(Vec<PoolFigures>),
    /// Response times in milliseconds that would be too many to wait for the round.
    Durations(PoolIndex, EndpointIndex, Vec<u32>),
    /// An attempt has ended, of a pool that logs its attempts.
    AttemptEnded(Box<AttemptEnded>),
    /// A line for the debug log.
    Debug(String),
    /// Part of our own machinery has failed, and the worker went on without it.
    Trouble(Trouble),
}

/// An attempt that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The stream that it is for.
    pub stream: StreamId,
    /// Its pool.
    pub pool: PoolIndex,
    /// Where it goes.
    pub endpoint: EndpointIndex,
    /// Its number in the exchange, from 1.
    pub number: u8,
    /// How long the endpoint may take to begin its answer.
    pub timeout: Duration,
    /// Whether it holds a permit to try an endpoint whose breaker is half open.
    pub is_trial: bool,
}

/// An attempt of the router's.
#[derive(Debug)]
pub struct Route {
    /// Which attempt it is.
    pub sending: Sending,
    /// The request, if more of it is needed than the host has at hand: its path has to be changed,
    /// a client's control headers to be removed, or it is logged. Always there for a retry.
    pub request: Option<Arc<Request>>,
    /// Which failures the router repeats; `None`: none, because calls do, or nothing may.
    pub retries: Option<RouterRetries>,
}

/// What the router is told of the retries that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterRetries {
    /// Whether nothing else may be repeated than a connection that was not made.
    pub only_connecting: bool,
    /// Whether connections that were not made are repeated.
    pub connecting: bool,
    /// Whether connections that broke, and attempts that took too long, are repeated. The host has
    /// one word for both.
    pub resets: bool,
    /// Most retries: one less than the attempts of an exchange.
    pub most: u8,
}

/// Another attempt of the router's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which attempt it is.
    pub sending: Sending,
    /// How the router is asked for it.
    pub mark: Mark,
}

/// How the router is asked for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not at all: it repeats what broke by itself.
    None,
    /// The answer at hand gets the mark.
    AtHand,
    /// The answer of this attempt, which is held, gets the mark and goes on.
    Held(AttemptId),
}

/// An attempt that is a call.
#[derive(Debug)]
pub struct Call {
    /// Names the call in the events that follow.
    pub id: CallId,
    /// Which attempt it is.
    pub sending: Sending,
    /// What is sent.
    pub request: Arc<Request>,
    /// When the host gives up. The engine's own timer is earlier.
    pub patience: Duration,
}

/// A health check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Names the call in the events that follow.
    pub id: CallId,
    /// Its pool.
    pub pool: PoolIndex,
    /// What is checked.
    pub endpoint: EndpointIndex,
}

/// Names a call from its action until it is answered or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub(crate) usize);

/// What is told with an answer to a client: in headers, in the access log, to interceptors.
#[derive(Clone, Debug)]
pub struct Account {
    /// The stream that is answered.
    pub stream: StreamId,
    /// Its pool.
    pub pool: PoolIndex,
    /// How many attempts there were.
    pub attempts: u8,
    /// The endpoint that was chosen last; `None` if there was no attempt.
    pub endpoint: Option<EndpointIndex>,
    /// The attempt that ended last or is under way, and how long it has taken; `None` if there was
    /// none.
    pub last: Option<(EndpointIndex, Duration)>,
    /// Why the client gets no better answer, where the filter or the router made it.
    pub reason: Option<Reason>,
    /// Why no other attempt was made, if one was wanted.
    pub denial: Option<Denial>,
    /// What a client that speaks gRPC is told as `grpc-status`, where the host's own choice would
    /// be another.
    pub grpc_status: Option<u8>,
    /// What has come of the attempts.
    pub trail: Trail,
}

/// An answer of a call, for the client.
#[derive(Debug)]
pub struct Given {
    /// What is told with it.
    pub account: Account,
    /// The answer.
    pub answer: Answer,
    /// Whether the client has asked for the head only.
    pub is_head: bool,
    /// Whether an answer is held that this replaces; otherwise none has come.
    pub is_held: bool,
    /// The answer's part of the worker's budget, until it is given.
    #[expect(dead_code, reason = "it ends with the answer")]
    pub(crate) share: Option<Share>,
}

/// An answer that the filter itself makes.
#[derive(Debug)]
pub struct Refusal {
    /// What is told with it; its `reason` is given.
    pub account: Account,
    /// Why.
    pub reason: Reason,
    /// How long the client had better wait before it asks again, if that is known.
    pub retry_after: Option<Duration>,
}

/// Why the filter answered by itself, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No endpoint may be selected.
    NoEndpointAvailable,
    /// Those that might be are at their limits.
    Overloaded,
    /// No upstream answered in time.
    DeadlineExceeded,
    /// The client did not finish its request in time.
    WriteTimeout,
}

impl Reason {
    /// The value of `x-steerage-reason`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEndpointAvailable => "no_endpoint_available",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::WriteTimeout => "write_timeout",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoEndpointAvailable | Self::Overloaded => 503,
            Self::DeadlineExceeded => 504,
            Self::WriteTimeout => 408,
        }
    }

    /// The status of the answer to a client that speaks gRPC.
    /// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
    #[must_use]
    pub const fn grpc_status(self) -> u8 {
        match self {
            Self::NoEndpointAvailable | Self::Overloaded => GRPC_UNAVAILABLE,
            Self::DeadlineExceeded | Self::WriteTimeout => GRPC_DEADLINE_EXCEEDED,
        }
    }

    /// What the access log says.
    #[must_use]
    pub const fn details(self) -> &'static str {
        match self {
            Self::NoEndpointAvailable => "steerage_no_endpoint_available",
            Self::Overloaded => "steerage_overloaded",
            Self::DeadlineExceeded => "steerage_deadline_exceeded",
            Self::WriteTimeout => "steerage_write_timeout",
        }
    }

    /// The body of the answer.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoEndpointAvailable => "no endpoint is available",
            Self::Overloaded => "every endpoint is at its limit",
            Self::DeadlineExceeded => "no upstream answered in time",
            Self::WriteTimeout => "the request was not finished in time",
        }
    }
}

/// gRPC's status for a server that cannot take the call now.
const GRPC_UNAVAILABLE: u8 = 14;

/// gRPC's status for a call that was not finished in time.
pub(crate) const GRPC_DEADLINE_EXCEEDED: u8 = 4;

/// An attempt that has ended, for the log.
#[derive(Debug)]
pub struct AttemptEnded {
    /// Its pool.
    pub pool: PoolIndex,
    /// Where it went.
    pub endpoint: EndpointIndex,
    /// Its number in the exchange, from 1.
    pub number: u8,
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// Its request, unless the client has left or has its answer.
    pub request: Option<Arc<Request>>,
}

/// What of our own machinery has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Shared bytes were no record of ours.
    UnreadableRecord,
    /// A change to what the workers agree on was lost to contention.
    Contention,
    /// The shared store refused to be written.
    SharedData,
    /// All slots are taken: this worker counts for itself only.
    NoSlot,
    /// The host sends retries of the router elsewhere than they are to go.
    RetryElsewhere,
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Contention => Self::Contention,
            Lost::Refused => Self::SharedData,
        }
    }
}
