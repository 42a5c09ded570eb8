//! Walks a document along its section, reads each value, and reports what is wrong with it.
//!
//! Errors come in the order of the document; the required fields that an object lacks come after
//! those that it has.
//!
//! Example: `{"timeout": {"raed": 1, "read": "soon"}}` reports `timeout.raed` (unknown) and
//! `timeout.read` (no duration).

use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::json::{Json, Object, excerpt};
use crate::kind::{Kind, MOST, Section};
use crate::place::{item, member};
use crate::report::Errors;
use crate::text;
use crate::text_rule::TextRule;
use crate::value::{Checked, Entry, Header, Members, Value};

/// Checks an object at `path` (empty for the document itself).
#[inline(never)]
pub(crate) fn object<'a>(
    section: &'static Section,
    object: &'a Object,
    path: &str,
    errors: &mut Errors,
) -> Members<'a> {
    let mut members = Members::none();
    for (key, json) in &object.0 {
        let path = member(path, key);
        let Some(field) = section.field(key) else {
            let nearest = nearest(section, key);
            let error = ConfigError::new(path, Problem::UnknownField { nearest });
            members.refuse(Some(errors.report(error)));
            continue;
        };
        if members.find(field.name).is_some() {
            let error = ConfigError::new(path, Problem::Repeated);
            members.refuse(Some(errors.report(error)));
            continue;
        }
        members.add(Entry {
            name: field.name,
            json: Some(json),
            checked: value(&field.kind, json, &path, errors),
        });
    }
    // Only the section's own: a document may give `pools` instead of the fields of one pool.
    for field in section.fields {
        if field.required && members.find(field.name).is_none() {
            let error = ConfigError::new(member(path, field.name), Problem::Required);
            members.add(Entry {
                name: field.name,
                json: None,
                checked: Checked::unusable(errors.report(error)),
            });
        }
    }
    let given = |name: &&&str| members.json(name).is_some();
    if !section.exactly_one.is_empty() && section.exactly_one.iter().filter(given).count() != 1 {
        let problem = Problem::ExactlyOne(section.exactly_one);
        members.refuse(Some(
            errors.report(ConfigError::new(path.to_owned(), problem)),
        ));
    }
    members
}

/// Checks a value at `path`.
#[inline(never)]
pub(crate) fn value<'a>(
    kind: &'static Kind,
    json: &'a Json,
    path: &str,
    errors: &mut Errors,
) -> Checked<'a> {
    match (kind, json) {
        (Kind::List { of, min, max }, Json::List(entries)) => {
            let mut reported = None;
            if !(*min..=*max).contains(&entries.len()) {
                let (min, max) = (*min, *max);
                let problem = Problem::Length { min, max };
                reported = Some(errors.report(ConfigError::at(path.into(), json, problem)));
            }
            let mut list = Vec::with_capacity(entries.len());
            for (index, json) in entries.iter().enumerate() {
                let checked = value(of, json, &item(path, index), errors);
                reported = reported.or(checked.reported);
                list.push(checked);
            }
            Checked {
                value: Value::List(list),
                reported,
            }
        }
        (Kind::Object(section), Json::Object(json)) => {
            let members = object(section, json, path, errors);
            Checked {
                reported: members.reported(),
                value: Value::Object(members),
            }
        }
        (Kind::Headers(of), Json::Object(json)) => headers(of, json, path, errors),
        (Kind::Either(kinds), _) => either(kind, kinds, json, path, errors),
        _ => match scalar(kind, json) {
            Ok(value) => Checked {
                value,
                reported: None,
            },
            Err(problem) => Checked::unusable(errors.report(match kind {
                Kind::Text(TextRule::Secret) => ConfigError::new(path.into(), problem),
                _ => ConfigError::at(path.into(), json, problem),
            })),
        },
    }
}

fn headers<'a>(
    of: &'static Kind,
    object: &'a Object,
    path: &str,
    errors: &mut Errors,
) -> Checked<'a> {
    // Every name is compared with every other, so there must not be too many.
    if object.0.len() > MOST {
        let problem = Problem::Length { min: 0, max: MOST };
        return Checked::unusable(errors.report(ConfigError::new(path.into(), problem)));
    }
    let mut reported = None;
    let mut headers: Vec<Header<'_>> = Vec::new();
    for (name, json) in &object.0 {
        let path = member(path, name);
        let mut earlier = headers.iter();
        let checked = if let Err(problem) = text::read(TextRule::HeaderName, name) {
            Checked::unusable(errors.report(ConfigError {
                value: Some(excerpt(name)),
                ..ConfigError::new(path, problem)
            }))
        } else if earlier.any(|header| header.name.eq_ignore_ascii_case(name)) {
            Checked::unusable(errors.report(ConfigError::new(path, Problem::Repeated)))
        } else {
            value(of, json, &path, errors)
        };
        reported = reported.or(checked.reported);
        headers.push(Header {
            name,
            json,
            checked,
        });
    }
    Checked {
        value: Value::Headers(headers),
        reported,
    }
}

/// A value that may be of several kinds: the first that fits. If none fits, the errors are those of
/// the last kind that takes this JSON type. An error that only states that kind's rule states the
/// rule of all kinds instead, and so does the error if no kind takes the type.
fn either<'a>(
    whole: &Kind,
    kinds: &'static [Kind],
    json: &'a Json,
    path: &str,
    errors: &mut Errors,
) -> Checked<'a> {
    let mut last = None;
    for kind in kinds.iter().filter(|kind| is_type_of(kind, json)) {
        let mut found = Errors::default();
        let checked = value(kind, json, path, &mut found);
        if checked.reported.is_none() {
            return checked;
        }
        last = Some((found, checked));
    }
    let Some((found, checked)) = last else {
        let error = ConfigError::at(path.into(), json, Problem::MustBe(*whole));
        return Checked::unusable(errors.report(error));
    };
    errors.append(found, |error| {
        if *error.path == *path && matches!(error.problem, Problem::MustBe(_)) {
            error.problem = Problem::MustBe(*whole);
        }
    });
    checked
}

/// Whether the JSON type of `json` is one that this kind takes.
fn is_type_of(kind: &Kind, json: &Json) -> bool {
    match kind {
        Kind::Flag | Kind::Off => matches!(json, Json::Flag(_)),
        Kind::Null => matches!(json, Json::Null),
        Kind::Number { .. } | Kind::Whole { .. } => matches!(json, Json::Number(_)),
        Kind::Span { .. } | Kind::SpanWithin { .. } => {
            matches!(json, Json::Number(_) | Json::Text(_))
        }
        Kind::Choice(_) | Kind::Text(_) => matches!(json, Json::Text(_)),
        Kind::List { .. } => matches!(json, Json::List(_)),
        Kind::Object(_) | Kind::Headers(_) | Kind::Anything => matches!(json, Json::Object(_)),
        Kind::Either(kinds) => kinds.iter().any(|kind| is_type_of(kind, json)),
    }
}

/// The value of `json`, if it is a scalar of this kind. A list or an object arrives here if the
/// kind is another one.
fn scalar<'a>(kind: &Kind, json: &'a Json) -> Result<Value<'a>, Problem> {
    let value = match (kind, json) {
        (Kind::Flag, Json::Flag(flag)) => Some(Value::Flag(*flag)),
        (Kind::Off, Json::Flag(false)) => Some(Value::Flag(false)),
        (Kind::Null, Json::Null) => Some(Value::Nothing),
        (Kind::Number { zero, max }, Json::Number(number)) => number
            .as_f64()
            .filter(|number| (0.0..=*max).contains(number) && (*zero || *number > 0.0))
            .map(Value::Number),
        (Kind::Whole { min, max }, Json::Number(_)) => json
            .whole()
            .filter(|number| (*min..=*max).contains(number))
            .map(Value::Whole),
        (Kind::Span { zero }, _) => duration::read(json)
            .filter(|duration| *zero || !duration.is_zero())
            .map(Value::Span),
        (Kind::SpanWithin { min, max }, _) => duration::read(json)
            .filter(|duration| (*min..=*max).contains(duration))
            .map(Value::Span),
        (Kind::Choice(names), Json::Text(text)) => names
            .iter()
            .position(|name| *name == &**text)
            .map(Value::Choice),
        (Kind::Text(rule), Json::Text(text)) => return text::read(*rule, text),
        (Kind::Anything, Json::Object(_)) => Some(Value::Anything(json)),
        _ => None,
    };
    value.ok_or(Problem::MustBe(*kind))
}

/// The field whose name is most like `key`, if any is like it.
fn nearest(section: &'static Section, key: &str) -> Option<&'static str> {
    let most = |name: &str| 1 + name.len() / 4;
    section
        .all()
        // The lengths differ by at most the distance, so few names need be compared.
        .filter(|field| field.name.len().abs_diff(key.len()) <= most(field.name))
        .map(|field| (distance(field.name, key), field.name))
        .filter(|(distance, name)| *distance <= most(name))
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be inserted, removed or replaced to make one of the other
/// (Levenshtein 1966); keys too long to be a slip are infinitely far.
fn distance(name: &str, key: &str) -> usize {
    if key.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=key.len()).collect();
    for (deleted, wanted) in name.bytes().enumerate() {
        let mut diagonal = deleted;
        let mut left = deleted + 1;
        for (cell, given) in row.iter_mut().skip(1).zip(key.bytes()) {
            let replaced = diagonal + usize::from(wanted != given);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = deleted + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn distances() {
        for (name, key, expected) in [
            ("read", "read", 0),
            ("read", "raed", 2),
            ("read", "", 4),
            ("", "read", 4),
            ("kitten", "sitting", 3),
            ("decay", "decays", 1),
        ] {
            assert_eq!(distance(name, key), expected, "{name} {key}");
        }
    }

    #[test]
    fn unknown_fields_suggest_the_nearest() {
        check(
            r#"{
                "endpoint": ["a"],
                "endpoints": ["a", {"cluster": "b", "wieght": 1}],
                "surprise": 3,
                "retry_policy": {"max_atempts": 3, "": 1, "a\nb": 2},
                "match": {"headers": {"x-a": {"perfix": "b"}}},
                "load_balancer": {"hash_on": {"heder": "x"}}
            }"#,
            &[
                "endpoint: unknown field, did you mean `endpoints`?",
                "endpoints[1].wieght: unknown field, did you mean `weight`?",
                "surprise: unknown field",
                "retry_policy.max_atempts: unknown field, did you mean `max_attempts`?",
                "retry_policy[\"\"]: unknown field",
                "retry_policy[\"a\\nb\"]: unknown field",
                "match.headers.x-a.perfix: unknown field, did you mean `prefix`?",
                "match.headers.x-a: must have exactly one of present, prefix",
                "load_balancer.hash_on.heder: unknown field, did you mean `header`?",
                "load_balancer.hash_on: must have exactly one of header, cookie, query",
            ],
        );
        check(
            &format!(r#"{{"endpoints": ["a"], "{}": 1}}"#, "x".repeat(99)),
            &[&format!("[\"{}…\"]: unknown field", "x".repeat(60))],
        );
    }

    #[test]
    fn a_type_that_fits_no_alternative_names_them_all() {
        check(
            r#"{"endpoints": [1], "retry_policy": {"jitter": 0.1}}"#,
            &[
                "endpoints[0]: must be a name without control characters and spaces around it, or \
                 an object, got 1",
                "retry_policy.jitter: must be true or false, or one of none, full, equal, \
                 decorrelated, got 0.1",
            ],
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        check(
            r#"{"admin": {"token": 123456, "path": 7}}"#,
            &[
                "admin.token: must be text that is not empty",
                "admin.path: must be a path below `/`, without query, got 7",
            ],
        );
    }
}
