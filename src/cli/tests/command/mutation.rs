//! Configurations, most of them wrong in one or two places.
//!
//! Each begins as a sample of the documents or as one with every field, made of the table of
//! fields. Then values are replaced by others of all kinds, keys are renamed, removed and doubled.

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::{Map, Value, json};
use steerage_config::schema::{Field, Kind, POOL, ROOT, Section, TextRule};

/// So many different documents.
pub(crate) fn documents(samples: &[String], count: usize) -> Vec<Value> {
    let mut rng = SmallRng::seed_from_u64(1);
    let mut bases: Vec<Value> = samples
        .iter()
        .map(|sample| serde_json::from_str(sample).expect("JSON"))
        .collect();
    let mut alone = complete();
    alone["retries"] = json!("router");
    bases.push(alone);
    bases.push(json!({
        "pools": [complete()], "retries": "router", "admin": {"path": "/a", "token": "t"},
    }));
    bases.push(json!({"role": "attempts"}));
    (0..count)
        .map(|_| {
            let base = rng.random_range(0..bases.len());
            let mut document = bases[base].clone();
            for _ in 0..rng.random_range(0..3) {
                mutate(&mut document, &mut rng);
            }
            document
        })
        .collect()
}

#[test]
fn a_pool_with_every_field_is_good() {
    let complete = json!({"pools": [complete()], "retries": "router"}).to_string();
    if let Err(errors) = steerage_config::parse(complete.as_bytes()) {
        panic!("{complete}\n{errors}");
    }
}

/// A pool with every field that goes together with the others, if the router makes the retries.
fn complete() -> Value {
    let mut pool = sample_of(&POOL);
    let object = pool.as_object_mut().expect("an object");
    for field in POOL.all().filter(|field| field.same_as.is_some()) {
        object.remove(field.name);
    }
    if let Some(balancer) = object
        .get_mut("load_balancer")
        .and_then(Value::as_object_mut)
    {
        let twice = |name: &String| name.starts_with("health_check") || name.contains("threshold");
        balancer.retain(|name, _| !twice(name) && name != "circuit_breaker_timeout");
    }
    if let Some(retry) = object
        .get_mut("retry_policy")
        .and_then(Value::as_object_mut)
    {
        retry.remove("custom_retry_function");
        retry.insert("commit_on".into(), json!("first_message"));
    }
    // Conditions on answers are not for requests.
    if let Some(request) = pool.pointer_mut("/interceptors/request/0/when") {
        *request = json!({"attempt": [1, 2]});
    }
    let object = pool.as_object_mut().expect("an object");
    object.insert(
        "timeout".into(),
        json!({"connect": "1s", "read": 2, "total": "1m"}),
    );
    pool
}

fn sample_of(section: &'static Section) -> Value {
    let chosen = |field: &&Field| {
        let only = section.exactly_one;
        !only.contains(&field.name) || only.first() == Some(&field.name)
    };
    let fields = section.all().filter(chosen);
    let pairs = fields.map(|field| (field.name.to_owned(), sample(&field.kind)));
    Value::Object(pairs.collect())
}

/// A value of this kind.
fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::Flag => json!(true),
        Kind::Off => json!(false),
        Kind::Null => Value::Null,
        Kind::Number { max, .. } => json!(max / 2.0),
        Kind::Whole { min, .. } => json!(min),
        Kind::Span { .. } | Kind::SpanWithin { .. } => json!("1.5s"),
        Kind::Choice(names) => json!(names[0]),
        Kind::Text(rule) => json!(match rule {
            TextRule::Path
            | TextRule::PathBelow
            | TextRule::PathAndQuery
            | TextRule::PathPrefix => {
                "/a"
            }
            TextRule::Statuses => "5xx",
            TextRule::Method => "GET",
            TextRule::Expression => "attempt",
            _ => "x-a",
        }),
        Kind::List { of, .. } => json!([sample(of)]),
        Kind::Headers(of) => json!({"x-a": sample(of)}),
        Kind::Anything => json!({"a": [1, {"b": null}]}),
        Kind::Object(section) => sample_of(section),
        Kind::Either(kinds) => sample(kinds.last().expect("a kind")),
    }
}

/// Changes one value of the document.
fn mutate(document: &mut Value, rng: &mut SmallRng) {
    let nth = rng.random_range(0..count(document));
    let change = rng.random_range(0..10);
    let other = any_value(rng);
    let key = any_key(rng);
    let which = rng.random_range(0..20_usize);
    visit(document, &mut { nth }, &mut |value| {
        if let Value::Object(object) = value {
            let known = object.keys().nth(which % object.len().max(1)).cloned();
            return match (change, known) {
                (0..3, Some(known)) => drop(object.remove(&known)),
                (3..5, Some(known)) => {
                    let value = object.remove(&known).expect("it is known");
                    object.insert(key.clone(), value);
                }
                (5..9, _) => drop(object.insert(key.clone(), other.clone())),
                _ => *value = other.clone(),
            };
        }
        *value = other.clone();
    });
}

/// How many values there are.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
        _ => 0,
    }
}

/// Calls `change` with the `nth` value, counted from the outside in.
fn visit(value: &mut Value, nth: &mut usize, change: &mut dyn FnMut(&mut Value)) {
    if *nth == 0 {
        *nth = usize::MAX;
        return change(value);
    }
    *nth -= 1;
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| visit(value, nth, change)),
        Value::Object(object) => object
            .values_mut()
            .for_each(|value| visit(value, nth, change)),
        _ => {}
    }
}

/// The name of a field, or one that is none.
fn any_key(rng: &mut SmallRng) -> String {
    if rng.random_range(0..10) == 0 {
        return ["", "x", "a b", "Endpoints", ":path", "Host"][rng.random_range(0..6)].to_owned();
    }
    let mut names = Vec::new();
    names_of(&ROOT, &mut names);
    names[rng.random_range(0..names.len())].to_owned()
}

fn names_of(section: &'static Section, names: &mut Vec<&'static str>) {
    for field in section.all() {
        if !names.contains(&field.name) {
            names.push(field.name);
            inner_names(&field.kind, names);
        }
    }
}

fn inner_names(kind: &Kind, names: &mut Vec<&'static str>) {
    match kind {
        Kind::Object(section) => names_of(section, names),
        Kind::List { of, .. } | Kind::Headers(of) => inner_names(of, names),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner_names(kind, names)),
        _ => {}
    }
}

/// A value of any type, at the edges of what fields take.
fn any_value(rng: &mut SmallRng) -> Value {
    const TEXTS: [&str; 48] = [
        "",
        " a",
        "a ",
        "a",
        "A-1_b",
        "a.b",
        "ä",
        "\u{7f}",
        "\u{a0}a",
        "a\u{85}b",
        "x-a",
        "X-Steerage-A",
        "x-envoy-max-retries",
        "Host",
        "te",
        "GET",
        "get",
        "M-SEARCH",
        "/",
        "/a",
        "/a/",
        "//",
        "/a?b",
        "/a#b",
        "/a b",
        "*.a.org",
        "*",
        "a.*",
        "a:80",
        "[::1]:80",
        "a@b",
        "a&b",
        "5xx",
        "6xx",
        "500-504",
        "0500-504",
        "99-200",
        "0",
        "0s",
        "0.0ms",
        "30s",
        "1441m",
        "24h",
        "25h",
        "-1s",
        "1e3s",
        "{attempt}",
        "{a}",
    ];
    const NUMBERS: [f64; 14] = [
        -1.0, -0.0, 0.5, 1.0, 4.0, 9.5, 10.0, 100.0, 599.0, 600.0, 86_400.0, 86_401.0, 1e9, 1e300,
    ];
    match rng.random_range(0..12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(rng.random_range(0..12)),
        4 => json!(rng.random_range(90..610)),
        5 => json!(NUMBERS[rng.random_range(0..NUMBERS.len())]),
        6 => json!([]),
        7 => json!({}),
        8 => json!([any_value(rng)]),
        9 => Value::Object(Map::from_iter([(any_key(rng), any_value(rng))])),
        _ => json!(TEXTS[rng.random_range(0..TEXTS.len())]),
    }
}
