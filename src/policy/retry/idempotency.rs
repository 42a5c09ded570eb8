//! Whether a request may be sent a second time.
//!
//! Two different things can forbid it.
//!
//! - The request may not *allow* it. Repeating a POST may buy twice, unless nothing was sent, or
//!   unless an `Idempotency-Key` lets the server recognise a repeat
//!   (draft-ietf-httpapi-idempotency-key-header).
//! - The proxy may not be *able* to. A retry is a call that needs the whole request, and a request
//!   that is still arriving, is too large, or is a two-way stream is not at hand as a whole.
//!
//! Example: a POST without a key may be repeated after a refused connection, and not after a 503.
//! With a key it may be repeated after both, but after neither while its body is still arriving.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::reason::Denial;
use crate::outcome::Outcome;

/// Methods whose requests may be repeated, e.g. `GET`; compared exactly, as RFC 9110 §9.1 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(Vec<Box<str>>);

impl Methods {
    /// The methods with these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(Box::from).collect())
    }

    /// Whether `method` is one of them.
    #[must_use]
    pub fn contains(&self, method: &[u8]) -> bool {
        self.0.iter().any(|name| name.as_bytes() == method)
    }
}

impl Default for Methods {
    /// The idempotent methods of RFC 9110 §9.2.2.
    fn default() -> Self {
        Self::new(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
    }
}

/// Whether one request may be repeated. The exchange updates it while the request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatability {
    /// Whether its method is repeatable, or it carries an `Idempotency-Key`.
    pub allowed: bool,
    /// Why the proxy cannot repeat it, even if that is allowed; `None` if it can.
    pub obstacle: Option<Denial>,
}

impl Repeatability {
    /// Whether the request may be sent again after `outcome`.
    ///
    /// # Errors
    /// The reason why not.
    pub const fn after(self, outcome: Outcome) -> Result<(), Denial> {
        if !self.allowed && !outcome.nothing_sent() {
            return Err(Denial::Method);
        }
        match self.obstacle {
            Some(obstacle) => Err(obstacle),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: Repeatability = Repeatability {
        allowed: false,
        obstacle: None,
    };

    #[test]
    fn a_post_is_repeated_only_when_nothing_was_sent() {
        assert_eq!(POST.after(Outcome::ConnectFailure), Ok(()));
        for outcome in [Outcome::Answered(503), Outcome::Reset, Outcome::Timeout] {
            assert_eq!(POST.after(outcome), Err(Denial::Method), "{outcome:?}");
        }
    }

    #[test]
    fn an_obstacle_holds_whatever_the_outcome() {
        let streaming = Repeatability {
            allowed: true,
            obstacle: Some(Denial::IncompleteRequest),
        };
        for outcome in [Outcome::ConnectFailure, Outcome::Answered(503)] {
            assert_eq!(streaming.after(outcome), Err(Denial::IncompleteRequest));
        }
    }

    #[test]
    fn methods_are_compared_exactly() {
        let methods = Methods::default();
        assert!(methods.contains(b"GET") && methods.contains(b"DELETE"));
        assert!(!methods.contains(b"get") && !methods.contains(b"POST") && !methods.contains(b""));
    }
}
