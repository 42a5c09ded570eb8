//! Whether a request may be sent a second time.
//!
//! Two different things can forbid it. The request may not *allow* it: repeating a POST may buy
//! twice, unless its sender says with an `Idempotency-Key` that the server can tell
//! (draft-ietf-httpapi-idempotency-key-header), or unless nothing was sent in the first place. Or
//! the proxy may not be *able* to: a retry is a call with the whole request in hand, which a
//! request that is still arriving, too large, or a two-way stream does not give.

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

    /// Whether `method` is among them.
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

/// What can be said of repeating one request. The exchange updates it while the request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatability {
    /// Its method is repeatable, or it carries an `Idempotency-Key`.
    pub allowed: bool,
    /// Why it cannot be repeated even where that is allowed; `None` when it can.
    pub obstacle: Option<Denial>,
}

impl Repeatability {
    /// Whether the request may be sent again after `outcome`; the reason when not.
    ///
    /// # Errors
    /// The [`Denial`] of a repeat.
    pub const fn after(self, outcome: Outcome) -> Result<(), Denial> {
        let nothing_was_sent = matches!(outcome, Outcome::ConnectFailure);
        if !self.allowed && !nothing_was_sent {
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
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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
