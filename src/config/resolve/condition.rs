//! What must hold besides for a failed attempt to be tried again.
//!
//! Every object of `retry_when` becomes one [`Condition`]. An object without any field would hold
//! always and is more likely a mistake, so it is refused. Header rules are written and read as those
//! of `match.headers`.
//!
//! Example: `[{"response_header": {"x-should-retry": "true"}}, {"faster_than": 2.0}]` makes two
//! conditions; `[{}]` is the error that `retry_policy.retry_when[0]` must have a field.

use steerage_policy::matching::HeaderRule;
use steerage_policy::outcome::Kind;
use steerage_policy::retry::Statuses;
use steerage_policy::retry::condition::{Condition, Conditions};
use steerage_policy::retry::idempotency::Methods;

use super::matching;
use crate::check;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};
use crate::schema::CONDITION;
use crate::status;

/// `retry_when` of a retry policy's fields.
pub(super) fn conditions(
    fields: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<Conditions, Reported> {
    let list = match fields.get(FIELD) {
        None => return Ok(Conditions::default()),
        Some(Json::List(list)) => list,
        Some(_) => return Err(Reported),
    };
    let mut conditions = Vec::new();
    for (index, json) in list.iter().enumerate() {
        let Json::Object(object) = json else {
            conditions.push(Err(Reported));
            continue;
        };
        let path = check::item(&fields.path(FIELD), index);
        conditions.push(condition(object, path, errors));
    }
    conditions
        .into_iter()
        .collect::<Result<_, _>>()
        .map(Conditions::new)
}

fn condition(
    object: &Object,
    path: String,
    errors: &mut Vec<ConfigError>,
) -> Result<Condition, Reported> {
    let known = CONDITION.fields;
    if known.iter().all(|field| object.get(field.name).is_none()) {
        errors.push(check::error(path, Problem::AtLeastOne(known)));
        return Err(Reported);
    }
    let fields = &Fields::new(object, &CONDITION, path);
    Ok(Condition {
        statuses: fields.list("status", status::read)?.map(Statuses::new),
        response_headers: headers(fields, "response_header")?,
        request_headers: headers(fields, "request_header")?.unwrap_or_default(),
        methods: fields
            .read("method", |json| one_or_more(json, Json::text))?
            .map(Methods::new),
        faster_than: fields.span("faster_than")?,
        outcomes: fields.read("outcome", |json| {
            one_or_more(json, |json| Kind::named(json.text()?, &Kind::FAILURES))
        })?,
    })
}

type HeaderRules = Vec<(Box<str>, HeaderRule)>;

/// The header rules of this field, read as `match.headers`.
fn headers(fields: &Fields<'_>, name: &str) -> Result<Option<HeaderRules>, Reported> {
    fields.read(name, |json| match json {
        Json::Object(object) => matching::headers(object),
        _ => None,
    })
}

/// Every entry of a list, converted, or the only one without a list around it.
pub(super) fn one_or_more<'a, T>(
    json: &'a Json,
    convert: impl Fn(&'a Json) -> Option<T>,
) -> Option<Vec<T>> {
    match json {
        Json::List(list) => list.iter().map(convert).collect(),
        only => convert(only).map(|value| vec![value]),
    }
}

const FIELD: &str = "retry_when";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::schema::RETRY_POLICY;
    use core::time::Duration;

    /// The conditions of `retry_when`, or the errors of resolving it.
    fn resolved(list: &str) -> Result<Conditions, String> {
        let document = json::read(format!(r#"{{"retry_when": {list}}}"#).as_bytes());
        let document = document.map_err(|error| error.to_string())?;
        let mut errors = Vec::new();
        let fields = Fields::new(&document, &RETRY_POLICY, "retry_policy".into());
        conditions(&fields, &mut errors).map_err(|Reported| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
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
        let reset = Some(Kind::Reset);
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
                    outcomes: Some([Some(Kind::Status), reset].into_iter().flatten().collect()),
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
                 reset, timeout, or a list, got \"refused\"",
                "retry_policy.retry_when[10].outcome[1]: must be one of status, connect_failure, \
                 reset, timeout, got \"refused\"",
                "retry_policy.retry_when[11].metod: unknown field, did you mean `method`?",
            ],
        );
    }
}
