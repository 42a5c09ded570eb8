//! `schema`: JSON Schema (draft 2020-12) of configurations, from the parser's own table.
//!
//! The schema accepts what the parser accepts, and nothing else, except for rules that a schema
//! cannot express:
//! - rules between values, such as `total` ≥ `connect` + `read`, both spellings, duplicates, the
//!   strategy and its function; the order of the ends of `"500-504"`; names of headers that differ
//!   only in case; a host that health checks can ask for;
//! - repeated keys, which most readers of JSON drop before a schema sees them;
//! - whether `match.regex` is a regular expression, and `custom_retry_function` one in `attempt`;
//! - durations that differ from a limit by less than a nanosecond.
//!
//! Example: `read` becomes `{"$ref": "#/$defs/duration", "default": 30, "description": "…"}`.

mod duration;
mod part;
mod rule;

use std::ptr;

use serde_json::{Map, Value, json};
use steerage_config::schema::{
    ACTION, ADMIN, BUDGET, CIRCUIT_BREAKER, CONDITION, CONNECTION_POOL, COOL_DOWN, ENDPOINT,
    FIRST_EVENT, Field, HASH_ON, HEADER_RULE, HEALTH_CHECK, HEDGE, INTERCEPTORS, Kind,
    LOAD_BALANCER, LOGGING, MATCH, POOL, RETRY_AFTER_SCOPE, RETRY_POLICY, ROOT, Section, TIMEOUT,
    TextRule, WHEN,
};

use part::{insert, number};

/// The sections with names of their own, in the order of the documentation.
pub(crate) const SECTIONS: [(&str, &Section); 22] = [
    ("pool", &POOL),
    ("match", &MATCH),
    ("header_rule", &HEADER_RULE),
    ("endpoint", &ENDPOINT),
    ("load_balancer", &LOAD_BALANCER),
    ("hash_on", &HASH_ON),
    ("retry_policy", &RETRY_POLICY),
    ("retry_after_scope", &RETRY_AFTER_SCOPE),
    ("condition", &CONDITION),
    ("cool_down", &COOL_DOWN),
    ("first_event", &FIRST_EVENT),
    ("budget", &BUDGET),
    ("hedge", &HEDGE),
    ("timeout", &TIMEOUT),
    ("circuit_breaker", &CIRCUIT_BREAKER),
    ("health_check", &HEALTH_CHECK),
    ("connection_pool", &CONNECTION_POOL),
    ("interceptors", &INTERCEPTORS),
    ("action", &ACTION),
    ("when", &WHEN),
    ("logging", &LOGGING),
    ("admin", &ADMIN),
];

/// The name of a section, if it has one.
pub(crate) fn name(section: &Section) -> Option<&'static str> {
    let mut sections = SECTIONS.iter();
    sections
        .find(|(_, known)| ptr::eq(*known, section))
        .map(|(name, _)| *name)
}

/// The whole schema.
pub(crate) fn document() -> Value {
    let sections = SECTIONS.iter();
    let mut definitions: Map<String, Value> = sections
        .map(|(name, section)| ((*name).to_owned(), object(section)))
        .collect();
    definitions.insert("duration".into(), duration::up_to_a_day(false));
    definitions.insert("duration_or_zero".into(), duration::up_to_a_day(true));
    let mut root = object(&ROOT);
    insert(
        &mut root,
        "$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    insert(&mut root, "title", json!("Configuration of Steerage"));
    insert(&mut root, "$defs", Value::Object(definitions));
    root
}

/// What an object with these fields must be.
fn object(section: &'static Section) -> Value {
    let properties: Map<String, Value> = section
        .all()
        .map(|field| (field.name.to_owned(), property(section, field)))
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let required = section.fields.iter().filter(|field| field.required);
    let required: Vec<_> = required.map(|field| field.name).collect();
    if !required.is_empty() {
        insert(&mut schema, "required", json!(required));
    }
    if !section.exactly_one.is_empty() {
        let names = section.exactly_one.iter();
        let choices: Vec<_> = names.map(|name| json!({"required": [name]})).collect();
        insert(&mut schema, "oneOf", json!(choices));
    }
    if ptr::eq(section, &CONDITION) {
        insert(&mut schema, "minProperties", json!(1));
    }
    if ptr::eq(section, &ROOT) {
        insert(&mut schema, "oneOf", root_forms());
    }
    schema
}

/// What a document may consist of: several pools, one pool, no pool and the admin surface, or the
/// role alone.
fn root_forms() -> Value {
    let pool_fields: Vec<_> = POOL
        .fields
        .iter()
        .map(|field| json!({"required": [field.name]}))
        .collect();
    let no_pool = json!({"anyOf": pool_fields});
    let (pools, role) = (
        json!({"required": ["pools"]}),
        json!({"required": ["role"]}),
    );
    json!([
        {"required": ["pools"], "not": {"anyOf": [no_pool, role]}},
        {"required": ["endpoints"], "not": {"anyOf": [pools, role]}},
        {"required": ["admin"], "not": {"anyOf": [pools, no_pool, role]}},
        {"required": ["role"], "propertyNames": {"enum": ["role", "$schema"]}},
    ])
}

fn property(section: &'static Section, field: &Field) -> Value {
    let mut schema = value(&field.kind);
    // Only here does it matter for the kind which field it is of.
    if ptr::eq(section, &ACTION) && ["set_header", "add_header"].contains(&field.name) {
        insert(
            &mut schema,
            "propertyNames",
            rule::text(TextRule::ChangeableHeader),
        );
        insert(&mut schema, "minProperties", json!(1));
    }
    let mut description = field.meaning.to_owned();
    match serde_json::from_str::<Value>(field.default) {
        Ok(default) => insert(&mut schema, "default", default),
        Err(_) if field.default == "–" => {}
        Err(_) => description.push_str(&format!(
            " (default: {})",
            field.default.trim_start_matches("= ")
        )),
    }
    insert(&mut schema, "description", json!(description));
    schema
}

/// What a value of this kind must be.
fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Off => json!({"const": false}),
        Kind::Null => json!({"type": "null"}),
        Kind::Number { zero, max } => number(*zero, *max),
        Kind::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Span { zero: false } => json!({"$ref": "#/$defs/duration"}),
        Kind::Span { zero: true } => json!({"$ref": "#/$defs/duration_or_zero"}),
        Kind::SpanWithin { min, max } => duration::within(*min, *max),
        Kind::Choice(names) => json!({"enum": names}),
        Kind::Text(text) => rule::text(*text),
        Kind::List { of, min, max } => {
            let mut list = json!({"type": "array", "items": value(of), "maxItems": max});
            if *min > 0 {
                insert(&mut list, "minItems", json!(min));
            }
            list
        }
        Kind::Object(section) => match name(section) {
            Some(name) => json!({"$ref": format!("#/$defs/{name}")}),
            None => object(section),
        },
        Kind::Headers(of) => json!({
            "type": "object",
            "propertyNames": rule::text(TextRule::HeaderName),
            "additionalProperties": value(of),
            "maxProperties": MOST_HEADERS,
        }),
        Kind::Anything => json!({"type": "object"}),
        Kind::Either(kinds) => {
            json!({"anyOf": kinds.iter().map(value).collect::<Vec<_>>()})
        }
    }
}

/// Most headers of one object, as the parser has it.
const MOST_HEADERS: usize = 1_000;
