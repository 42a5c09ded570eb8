//! `retry_policy.retry_when`: further conditions for repeating a failed attempt.
//!
//! Every object of the list becomes one [`Condition`]. An object without any field would always
//! hold and is more likely a mistake, so it is refused. Header rules are those of `match.headers`.
//!
//! Example: `[{"response_header": {"x-should-retry": "true"}}, {"faster_than": 2.0}]` makes two
//! conditions; `[{}]` is the error that `retry_policy.retry_when[0]` must have a field.

use core::time::Duration;

use steerage_policy::outcome;
use steerage_policy::retry::Statuses;
use steerage_policy::retry::condition::{Condition, Conditions};
use steerage_policy::retry::idempotency::Methods;

use super::matching::{HEADER_RULES, HeaderRules};
use crate::error::{ConfigError, Problem};
use crate::fields::Fields;
use crate::key::Key;
use crate::kind::{Kind, METHOD, STATUS, some};
use crate::place::item;
use crate::report::{Errors, Reported};
use crate::value::{Checked, Choice, Value};
use crate::{choice, section};

section! {
    /// An entry of `retry_policy.retry_when`. At least one field must be given.
    pub static CONDITION: RetryWhen;
    STATUSES: Statuses = Key::new(
        "status",
        some(&STATUS),
        "–",
        "the failed answer's status is one of these, as retry_on_status_codes",
    );
    RESPONSE_HEADER: HeaderRules = Key::new(
        "response_header",
        HEADER_RULES,
        "–",
        "the headers of the failed answer, as match.headers",
    );
    REQUEST_HEADER: HeaderRules = Key::new(
        "request_header",
        HEADER_RULES,
        "–",
        "the headers of the client's request, as match.headers",
    );
    METHODS: Methods = Key::new(
        "method",
        Kind::Either(&[METHOD, some(&METHOD)]),
        "–",
        "the request's method is this, or one of these",
    );
    FASTER_THAN: Duration = Key::span("faster_than", "–", "the failed attempt took less");
    OUTCOME: Vec<Failure> = Key::new(
        "outcome",
        Kind::Either(&[FAILURE, some(&FAILURE)]),
        "–",
        "the attempt failed in this way, or in one of these",
    );
}

/// How an attempt can fail.
const FAILURE: Kind = Kind::Choice(Failure::NAMES);

/// A way to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure(outcome::Kind);

impl Failure {
    const ALL: [Self; 5] = [
        Self(outcome::Kind::Status),
        Self(outcome::Kind::ConnectFailure),
        Self(outcome::Kind::Reset),
        Self(outcome::Kind::Timeout),
        Self(outcome::Kind::Event),
    ];

    const fn name(self) -> &'static str {
        self.0.name()
    }
}

choice!(Failure);

/// The conditions of a list at `path`.
#[inline(never)]
pub(super) fn conditions(
    list: &[Checked<'_>],
    path: &str,
    errors: &mut Errors,
) -> Result<Conditions, Reported> {
    let conditions: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(index, checked)| condition(checked, item(path, index), errors))
        .collect();
    conditions
        .into_iter()
        .collect::<Result<_, _>>()
        .map(Conditions::new)
}

fn condition(
    checked: &Checked<'_>,
    path: String,
    errors: &mut Errors,
) -> Result<Condition, Reported> {
    if let (Value::Nothing, Some(reported)) = (&checked.value, checked.reported) {
        return Err(reported);
    }
    let fields = &Fields::<RetryWhen>::of(checked, path);
    if !fields.any_given::<RetryWhen>() {
        let problem = Problem::AtLeastOne(CONDITION.fields);
        return Err(errors.report(ConfigError::new(fields.place().to_owned(), problem)));
    }
    Ok(Condition {
        statuses: fields.get(&STATUSES)?,
        response_headers: fields.get(&RESPONSE_HEADER)?.map(|rules| rules.0),
        request_headers: fields
            .get(&REQUEST_HEADER)?
            .map_or_else(Vec::new, |rules| rules.0),
        methods: fields.get(&METHODS)?,
        faster_than: fields.get(&FASTER_THAN)?,
        outcomes: fields.get(&OUTCOME)?.map(|kinds| {
            let kinds = kinds.into_iter();
            kinds.map(|failure: Failure| failure.0).collect()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::any_number_of;
    use steerage_policy::matching::HeaderRule;

    const OBJECT: Kind = Kind::Object(&CONDITION);
    const LIST: Kind = any_number_of(&OBJECT);

    /// The conditions of `retry_when`, or the errors of making them.
    fn resolved(list: &str) -> Result<Conditions, String> {
        let json = serde_json::from_str(list).unwrap();
        let checked = crate::check::value(&LIST, &json, "", &mut Errors::default());
        let Value::List(list) = &checked.value else {
            panic!("{list}");
        };
        let mut errors = Errors::default();
        let conditions = conditions(list, "retry_policy.retry_when", &mut errors);
        errors
            .finish(conditions)
            .map_err(|errors| errors.to_string())
    }

    #[track_caller]
    fn check(list: &str, expected: Vec<Condition>) {
        assert_eq!(resolved(list), Ok(Conditions::new(expected)), "{list}");
    }

    #[test]
    fn each_field_arrives() {
        let none = Condition::default;
        let x_a = || vec![("x-a".into(), HeaderRule::Exact("1".into()))];
        let methods = Some(Methods::new(["GET"]));
        let reset = Some(outcome::Kind::Reset);
        for (object, expected) in [
            (
                r#"{"status": [429, "500-504", "5xx"]}"#,
                Condition {
                    statuses: Some(Statuses::new(vec![429..=429, 500..=504, 500..=599])),
                    ..none()
                },
            ),
            (
                r#"{"response_header": {"X-A": "1"}}"#,
                Condition {
                    response_headers: Some(x_a()),
                    ..none()
                },
            ),
            (
                r#"{"response_header": {}}"#,
                Condition {
                    response_headers: Some(Vec::new()),
                    ..none()
                },
            ),
            (
                r#"{"request_header": {"x-a": "1"}, "faster_than": "2s"}"#,
                Condition {
                    request_headers: x_a(),
                    faster_than: Some(Duration::from_secs(2)),
                    ..none()
                },
            ),
            (
                r#"{"method": ["GET"]}"#,
                Condition {
                    methods: methods.clone(),
                    ..none()
                },
            ),
            (r#"{"method": "GET"}"#, Condition { methods, ..none() }),
            (
                r#"{"outcome": ["status", "reset"]}"#,
                Condition {
                    outcomes: Some(
                        [Some(outcome::Kind::Status), reset]
                            .into_iter()
                            .flatten()
                            .collect(),
                    ),
                    ..none()
                },
            ),
            (
                r#"{"outcome": "reset"}"#,
                Condition {
                    outcomes: reset.map(|kind| vec![kind]),
                    ..none()
                },
            ),
        ] {
            check(&format!("[{object}]"), vec![expected]);
        }
    }

    #[test]
    fn all_conditions_arrive_in_their_order() {
        check("[]", Vec::new());
        let faster_than = |seconds| Condition {
            faster_than: Some(Duration::from_secs(seconds)),
            ..Condition::default()
        };
        check(
            r#"[{"faster_than": 2.0}, {"faster_than": 1}]"#,
            vec![faster_than(2), faster_than(1)],
        );
    }

    #[test]
    fn a_condition_without_a_field_is_refused() {
        let error = resolved(r#"[{"faster_than": 2}, {}, {"after": 1}]"#);
        let rule = "must have at least one of status, response_header, request_header, method, \
                    faster_than, outcome";
        let lines = [1, 2].map(|at| format!("retry_policy.retry_when[{at}]: {rule}"));
        assert_eq!(error, Err(lines.join("\n")));
    }

    #[test]
    fn each_field_has_its_rule() {
        crate::testing::check(
            r#"{"endpoints": ["a"], "retry_policy": {"retry_when": [1,
                {"status": []}, {"status": ["6xx"]}, {"response_header": {":status": "1"}},
                {"request_header": {"x-a": {}}}, {"method": "get"}, {"method": []},
                {"method": ["GET", "put"]}, {"faster_than": 0}, {"outcome": "refused"},
                {"outcome": ["status", "refused"]}, {"metod": "GET", "outcome": "status"}]}}"#,
            &[
                "retry_policy.retry_when[0]: must be an object, got 1",
                "retry_policy.retry_when[1].status: must have 1 to 1000 entries, got []",
                "retry_policy.retry_when[2].status[0]: must be a whole number from 100 to 599, or \
                 statuses such as \"500-504\" or \"5xx\", got \"6xx\"",
                "retry_policy.retry_when[3].response_header[\":status\"]: must be the name of a \
                 header, got \":status\"",
                "retry_policy.retry_when[4].request_header.x-a: must have exactly one of present, \
                 prefix",
                "retry_policy.retry_when[5].method: must be an HTTP method in upper case, or a \
                 list, got \"get\"",
                "retry_policy.retry_when[6].method: must have 1 to 1000 entries, got []",
                "retry_policy.retry_when[7].method[1]: must be an HTTP method in upper case, got \
                 \"put\"",
                "retry_policy.retry_when[8].faster_than: must be a duration above 0 and at most \
                 24 h: seconds (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
                "retry_policy.retry_when[9].outcome: must be one of status, connect_failure, \
                 reset, timeout, event, or a list, got \"refused\"",
                "retry_policy.retry_when[10].outcome[1]: must be one of status, connect_failure, \
                 reset, timeout, event, got \"refused\"",
                "retry_policy.retry_when[11].metod: unknown field, did you mean `method`?",
            ],
        );
    }
}
