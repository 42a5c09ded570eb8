//! Walks a document along the schema and reports what single values do wrong.
//!
//! Errors come in the order of the document; the required fields that an object lacks come after
//! those that it has.
//!
//! Example: `{"timeout": {"raed": 1, "read": "soon"}}` reports `timeout.raed` (unknown) and
//! `timeout.read` (no duration).

use core::ptr;

use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::json::{Json, Object, excerpt};
pub(crate) use crate::place::{item, member};
use crate::schema::{Kind, MOST, Section, TextRule};
use crate::text;

/// Checks an object at `path` (empty for the document itself).
pub(crate) fn object(
    section: &'static Section,
    object: &Object,
    path: &str,
    errors: &mut Vec<ConfigError>,
) {
    for (key, json) in &object.0 {
        let path = member(path, key);
        let Some(field) = section.field(key) else {
            errors.push(error(
                path,
                Problem::UnknownField {
                    nearest: nearest(section, key),
                },
            ));
            continue;
        };
        if object.get(key).is_some_and(|first| !ptr::eq(first, json)) {
            errors.push(error(path, Problem::Repeated));
            continue;
        }
        value(&field.kind, json, &path, errors);
    }
    // Only the section's own: a document may give `pools` instead of the fields of one pool.
    for field in section.fields {
        if field.required && object.get(field.name).is_none() {
            errors.push(error(member(path, field.name), Problem::Required));
        }
    }
    let given = |name: &&&str| object.get(name).is_some();
    if !section.exactly_one.is_empty() && section.exactly_one.iter().filter(given).count() != 1 {
        errors.push(error(
            path.to_owned(),
            Problem::ExactlyOne(section.exactly_one),
        ));
    }
}

/// Whether `json` is what `kind` says, all the way down.
pub(crate) fn holds(kind: &Kind, json: &Json) -> bool {
    let mut errors = Vec::new();
    value(kind, json, "", &mut errors);
    errors.is_empty()
}

fn value(kind: &Kind, json: &Json, path: &str, errors: &mut Vec<ConfigError>) {
    match (kind, json) {
        (Kind::List { of, min, max }, Json::List(list)) => {
            if !(*min..=*max).contains(&list.len()) {
                let (min, max) = (*min, *max);
                errors.push(error_at(path.into(), json, Problem::Length { min, max }));
            }
            for (index, json) in list.iter().enumerate() {
                value(of, json, &item(path, index), errors);
            }
        }
        (Kind::Object(section), Json::Object(json)) => object(section, json, path, errors),
        (Kind::Headers(of), Json::Object(json)) => headers(of, json, path, errors),
        (Kind::Either(kinds), _) => either(kind, kinds, json, path, errors),
        _ => {
            if let Err(problem) = scalar(kind, json) {
                errors.push(match kind {
                    Kind::Text(TextRule::Secret) => error(path.into(), problem),
                    _ => error_at(path.into(), json, problem),
                });
            }
        }
    }
}

fn headers(of: &Kind, object: &Object, path: &str, errors: &mut Vec<ConfigError>) {
    // Every name is compared with every other: not with endless lists.
    if object.0.len() > MOST {
        return errors.push(error(path.into(), Problem::Length { min: 0, max: MOST }));
    }
    for (position, (name, json)) in object.0.iter().enumerate() {
        let path = member(path, name);
        let mut earlier = object.0.iter().take(position);
        if let Err(problem) = text::check(TextRule::HeaderName, name) {
            errors.push(ConfigError {
                value: Some(excerpt(name)),
                ..error(path, problem)
            });
        } else if earlier.any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            errors.push(error(path, Problem::Repeated));
        } else {
            value(of, json, &path, errors);
        }
    }
}

/// The first alternative that fits. If none does, what is wrong with the last one of the right type;
/// and if the type of all is wrong, or there is no more to say than that, the rule of them all.
fn either(
    whole: &Kind,
    kinds: &'static [Kind],
    json: &Json,
    path: &str,
    errors: &mut Vec<ConfigError>,
) {
    let mut found = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.is_type_of(json)) {
        found.clear();
        value(kind, json, path, &mut found);
        if found.is_empty() {
            return;
        }
    }
    if found.is_empty() {
        found.push(error_at(path.into(), json, Problem::MustBe(*whole)));
    }
    for mut error in found {
        if *error.path == *path && matches!(error.problem, Problem::MustBe(_)) {
            error.problem = Problem::MustBe(*whole);
        }
        errors.push(error);
    }
}

/// Whether `json` is the scalar that `kind` says. Lists and objects arrive here when the kind and
/// the value are not both one.
fn scalar(kind: &Kind, json: &Json) -> Result<(), Problem> {
    let holds = match (kind, json) {
        (Kind::Flag, Json::Flag(_)) | (Kind::Off, Json::Flag(false)) | (Kind::Null, Json::Null) => {
            true
        }
        (Kind::Number { zero, max }, Json::Number(number)) => number
            .as_f64()
            .is_some_and(|number| (0.0..=*max).contains(&number) && (*zero || number > 0.0)),
        (Kind::Whole { min, max }, Json::Number(_)) => json
            .whole()
            .is_some_and(|number| (*min..=*max).contains(&number)),
        (Kind::Span { zero }, _) => {
            duration::read(json).is_some_and(|duration| *zero || !duration.is_zero())
        }
        (Kind::SpanWithin { min, max }, _) => {
            duration::read(json).is_some_and(|duration| (*min..=*max).contains(&duration))
        }
        (Kind::Choice(names), Json::Text(text)) => names.contains(&&**text),
        (Kind::Text(rule), Json::Text(text)) => return text::check(*rule, text),
        _ => false,
    };
    if holds {
        Ok(())
    } else {
        Err(Problem::MustBe(*kind))
    }
}

/// An error that shows the value.
pub(crate) fn error_at(path: String, json: &Json, problem: Problem) -> ConfigError {
    ConfigError {
        path: path.into(),
        value: Some(json.excerpt()),
        problem,
    }
}

/// An error where the value does not matter.
pub(crate) fn error(path: String, problem: Problem) -> ConfigError {
    ConfigError {
        path: path.into(),
        value: None,
        problem,
    }
}

/// The field whose name is most like `key`, if any is like it.
fn nearest(section: &'static Section, key: &str) -> Option<&'static str> {
    section
        .all()
        .map(|field| (distance(field.name, key), field.name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
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
                "retries": 3,
                "retry_policy": {"max_atempts": 3, "": 1, "a\nb": 2},
                "match": {"headers": {"x-a": {"perfix": "b"}}},
                "load_balancer": {"hash_on": {"heder": "x"}}
            }"#,
            &[
                "endpoint: unknown field, did you mean `endpoints`?",
                "endpoints[1].wieght: unknown field, did you mean `weight`?",
                "retries: unknown field",
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
