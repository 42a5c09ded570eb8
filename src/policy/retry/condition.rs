//! Further conditions for trying a failed attempt again.
//!
//! The policy's statuses and transport failures say which outcomes are worth another attempt. Some
//! services know better: they mark the answers that may be repeated, or fail slowly when a repeat
//! would only add to their load. [`Conditions`] are the operator's rules for that. All conditions
//! must hold, and all fields of a [`Condition`] must match. Conditions only ever prevent retries.
//!
//! A transport failure has no answer. A condition on the status or the headers of the answer does
//! not hold after one, not even if it wants a header to be absent.
//!
//! Limits: conditions cannot be combined by "or"; only the values of one field can. If a header
//! occurs several times, only its first value counts, as in [`crate::matching`]. Judging an attempt
//! allocates nothing.
//!
//! Example: `[{"response_header": {"x-should-retry": "true"}}, {"faster_than": 2.0}]`. A 503 with
//! `x-should-retry: true` after 0.3 s is tried again. The same after 2 s is not. Neither is a
//! connection that was refused at once, because it brought no header.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::matching::{HeaderRule, RequestHead};
use crate::outcome::{Kind, Outcome};
use crate::retry::idempotency::Methods;
use crate::retry::statuses::Statuses;

/// The head of an upstream's answer, as conditions read it.
pub trait AnswerHead {
    /// The first value of the header `name`, which is in lower case.
    fn header(&self, name: &str) -> Option<&[u8]>;
}

/// A failed attempt, as [`Conditions::hold`] needs to know it.
#[derive(Clone, Copy)]
pub struct Failed<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// The client's request.
    pub request: &'a dyn RequestHead,
    /// The answer; `None` if no upstream answered.
    pub answer: Option<&'a dyn AnswerHead>,
}

impl fmt::Debug for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("outcome", &self.outcome)
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}

/// One condition. Every field that is given must match; the default matches always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The attempt was answered with one of these.
    pub statuses: Option<Statuses>,
    /// There is an answer, and all rules hold for its headers. Names are in lower case.
    pub response_headers: Option<Vec<(Box<str>, HeaderRule)>>,
    /// All rules hold for the headers of the request. Names are in lower case.
    pub request_headers: Vec<(Box<str>, HeaderRule)>,
    /// The request's method is one of these.
    pub methods: Option<Methods>,
    /// The attempt took less time than this.
    pub faster_than: Option<Duration>,
    /// The attempt failed in one of these ways, which are of [`Kind::FAILURES`].
    pub outcomes: Option<Vec<Kind>>,
}

impl Condition {
    /// Whether it holds. Cheap checks come first, headers last.
    fn holds(&self, failed: &Failed<'_>) -> bool {
        self.faster_than.is_none_or(|limit| failed.took < limit)
            && self.outcomes.as_ref().is_none_or(|kinds| {
                let failure = failed.outcome.failure();
                failure.is_some_and(|failure| kinds.contains(&failure))
            })
            && self.statuses.as_ref().is_none_or(|statuses| {
                matches!(failed.outcome, Outcome::Answered(status) if statuses.contains(status))
            })
            && self
                .methods
                .as_ref()
                .is_none_or(|methods| methods.contains(failed.request.method()))
            && self
                .request_headers
                .iter()
                .all(|(name, rule)| rule.matches(failed.request.header(name)))
            && self.response_headers.as_ref().is_none_or(|rules| {
                failed.answer.is_some_and(|answer| {
                    rules
                        .iter()
                        .all(|(name, rule)| rule.matches(answer.header(name)))
                })
            })
    }
}

/// The conditions of one retry policy; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// These conditions, all of which must hold.
    #[must_use]
    pub const fn new(conditions: Vec<Condition>) -> Self {
        Self(conditions)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them needs the headers of the answer.
    #[must_use]
    pub fn reads_answer(&self) -> bool {
        self.0
            .iter()
            .any(|condition| condition.response_headers.is_some())
    }

    /// Whether all of them hold for a failed attempt.
    #[must_use]
    pub fn hold(&self, failed: &Failed<'_>) -> bool {
        self.0.iter().all(|condition| condition.holds(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Neutral;
    use alloc::vec;

    struct Request;

    impl RequestHead for Request {
        fn method(&self) -> &[u8] {
            b"GET"
        }
        fn path(&self) -> &[u8] {
            b"/"
        }
        fn authority(&self) -> &[u8] {
            b""
        }
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "x-tenant").then_some(b"gold-7")
        }
    }

    struct Answer;

    impl AnswerHead for Answer {
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "x-should-retry").then_some(b"true")
        }
    }

    fn rules(name: &str, rule: HeaderRule) -> Vec<(Box<str>, HeaderRule)> {
        vec![(name.into(), rule)]
    }

    /// The condition on the answer's header, as in the example.
    fn marked() -> Condition {
        Condition {
            response_headers: Some(rules("x-should-retry", HeaderRule::Exact("true".into()))),
            ..Condition::default()
        }
    }

    fn within(limit: Duration) -> Condition {
        Condition {
            faster_than: Some(limit),
            ..Condition::default()
        }
    }

    /// Asserts what the conditions say of a GET that failed so after 300 ms.
    #[track_caller]
    fn check(conditions: &[Condition], outcome: Outcome, expected: bool) {
        let answered = matches!(outcome, Outcome::Answered(_));
        let failed = Failed {
            outcome,
            took: Duration::from_millis(300),
            request: &Request,
            answer: answered.then_some(&Answer as &dyn AnswerHead),
        };
        let conditions = Conditions::new(conditions.to_vec());
        assert_eq!(conditions.hold(&failed), expected, "{conditions:?}");
    }

    const FAILURES: [Outcome; 5] = [
        Outcome::Answered(503),
        Outcome::ConnectFailure,
        Outcome::Reset,
        Outcome::Timeout,
        Outcome::Event,
    ];

    #[test]
    fn nothing_is_asked_by_default() {
        assert!(Conditions::default().is_empty());
        for outcome in FAILURES {
            check(&[], outcome, true);
            check(&[Condition::default()], outcome, true);
        }
    }

    #[test]
    fn statuses_and_response_headers_need_an_answer() {
        let statuses = Condition {
            statuses: Some(Statuses::new(vec![500..=504])),
            ..Condition::default()
        };
        let absent = Condition {
            response_headers: Some(rules("x-no-retry", HeaderRule::Present(false))),
            ..Condition::default()
        };
        let any_answer = Condition {
            response_headers: Some(Vec::new()),
            ..Condition::default()
        };
        for condition in [statuses.clone(), marked(), absent, any_answer] {
            for outcome in FAILURES {
                let answered = outcome == Outcome::Answered(503);
                check(core::slice::from_ref(&condition), outcome, answered);
            }
        }
        check(&[statuses], Outcome::Answered(429), false);
    }

    #[test]
    fn header_rules_are_those_of_matching() {
        for (name, rule, expected) in [
            ("x-tenant", HeaderRule::Exact("gold-7".into()), true),
            ("x-tenant", HeaderRule::Exact("gold".into()), false),
            ("x-tenant", HeaderRule::Prefix("gold".into()), true),
            ("x-tenant", HeaderRule::Present(false), false),
            ("x-other", HeaderRule::Present(false), true),
            ("x-other", HeaderRule::Prefix("".into()), false),
        ] {
            let condition = Condition {
                request_headers: rules(name, rule),
                ..Condition::default()
            };
            check(&[condition], Outcome::Reset, expected);
        }
    }

    #[test]
    fn methods_are_those_of_the_request() {
        for (method, expected) in [("GET", true), ("PUT", false)] {
            let condition = Condition {
                methods: Some(Methods::new([method])),
                ..Condition::default()
            };
            check(&[condition], Outcome::Timeout, expected);
        }
    }

    #[test]
    fn an_attempt_that_took_as_long_was_not_faster() {
        for (limit, expected) in [(299, false), (300, false), (301, true)] {
            let condition = within(Duration::from_millis(limit));
            check(&[condition], Outcome::Reset, expected);
        }
    }

    #[test]
    fn each_way_to_fail_has_its_name() {
        let names = ["status", "connect_failure", "reset", "timeout", "event"];
        for (name, failure) in names.into_iter().zip(FAILURES) {
            let kind = Kind::named(name, &Kind::FAILURES);
            assert_eq!(kind.map(Kind::name), Some(name));
            let condition = Condition {
                outcomes: Some(kind.into_iter().collect()),
                ..Condition::default()
            };
            for outcome in FAILURES {
                check(
                    core::slice::from_ref(&condition),
                    outcome,
                    outcome == failure,
                );
            }
            check(&[condition], Outcome::Neutral(Neutral::Unknown), false);
        }
        assert_eq!(Kind::named("refused", &Kind::FAILURES), None);
    }

    #[test]
    fn everything_must_hold() {
        let (fast, slow) = (Duration::from_secs(2), Duration::from_millis(100));
        let answered = Outcome::Answered(503);
        check(&[marked(), within(fast)], answered, true);
        check(&[marked(), within(slow)], answered, false);
        check(&[within(fast), marked()], Outcome::ConnectFailure, false);
        let both = |limit| Condition {
            faster_than: Some(limit),
            ..marked()
        };
        check(&[both(fast)], answered, true);
        check(&[both(slow)], answered, false);
        check(&[both(fast)], Outcome::Reset, false);
    }

    #[test]
    fn only_response_headers_need_the_answer_at_hand() {
        assert!(!Conditions::default().reads_answer());
        let fast = within(Duration::from_secs(2));
        assert!(!Conditions::new(vec![fast.clone()]).reads_answer());
        assert!(Conditions::new(vec![fast, marked()]).reads_answer());
    }
}
