//! What is kept of an exchange whose retries the router makes.

use steerage_policy::outcome::Outcome;
use steerage_policy::retry::first_message::Scanner;
use steerage_policy::time::Instant;

use crate::answer::Answer;
use crate::names::AttemptId;

/// How the router stands with an exchange whose retries it makes.
#[derive(Debug)]
pub(super) struct ByRouter {
    /// Whether it may make the next attempt. Once it may not, calls go on to the end.
    pub(super) is_usable: bool,
    /// Whether it has to be told where an attempt goes before the one before is sent.
    pub(super) is_planned: bool,
    /// The attempt that it has begun and that has not been answered.
    pub(super) current: Option<AttemptId>,
    /// When the router began it, or had the whole request, if that is later: its own clock.
    pub(super) clock: Instant,
    /// Whether the request of that attempt is held until its delay is over.
    pub(super) is_holding: bool,
    /// The head of its answer, which is held until the first message is there.
    pub(super) opening: Option<Box<Opening>>,
    /// There is to be no other attempt after one that broke off, and the client has no answer.
    pub(super) veto: Option<Veto>,
    /// What becomes of an answer that is on its way to the client's side.
    pub(super) arriving: Option<Arriving>,
}

impl Default for ByRouter {
    /// It makes none.
    fn default() -> Self {
        Self {
            is_usable: false,
            is_planned: false,
            current: None,
            clock: Instant::ORIGIN,
            is_holding: false,
            opening: None,
            veto: None,
            arriving: None,
        }
    }
}

/// An attempt broke off and no other is to follow. Whether the router thinks so, too, is not known
/// yet: it answers the client by itself, or it begins another, which is held until the engine has
/// answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Veto {
    /// What the last attempt came to.
    pub(super) outcome: Outcome,
    /// Whether the time is up.
    pub(super) expired: bool,
}

/// What becomes of an answer when it comes to the client's side, where it was judged before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arriving {
    /// It is held: a retry or hedges follow.
    Held,
    /// The client is answered.
    Answer { expired: bool },
}

/// The head of a good answer, held until its first message is there.
#[derive(Debug)]
pub(super) struct Opening {
    /// The head, judged so far.
    pub(super) answer: Answer,
    /// What looks at its body; `None`: any byte will do.
    pub(super) scanner: Option<Scanner>,
    /// When it is not waited for any longer.
    pub(super) until: Instant,
    /// The same once its body has come by.
    pub(super) latest: Instant,
    /// Whether it has failed by then. Where it is not known yet that the body of an answer comes by
    /// while its head is held, it has not.
    pub(super) fails_late: bool,
}

/// An attempt begins: where the router has sent it, as the shell knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Where it was to go, or the shell has not asked.
    AsPlanned,
    /// Elsewhere: the host does not choose anew for a retry.
    Elsewhere,
}
