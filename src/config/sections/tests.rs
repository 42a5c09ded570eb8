//! The table is complete and without contradictions, and the defaults are those of the policy.

use std::collections::HashSet;

use serde_json::Value;
use steerage_policy::retry::Statuses;

use crate::schema::{Field, Kind, LOAD_BALANCER, POOL, ROOT, Section};

/// Makes a whole document of what stands between the braces of one object.
type Wrap<'a> = &'a dyn Fn(&str) -> String;

/// Visits every section once, each with a document for its fields.
fn each(
    section: &'static Section,
    wrap: Wrap<'_>,
    seen: &mut HashSet<*const Section>,
    visit: &mut dyn FnMut(&'static Section, Wrap<'_>),
) {
    if !seen.insert(section) {
        return;
    }
    visit(section, wrap);
    for field in section.all() {
        inner(
            &field.kind,
            &|value| wrap(&format!("{:?}: {value}", field.name)),
            seen,
            visit,
        );
    }
}

/// The same for the sections of a kind. `wrap` makes a document of a value of this kind.
fn inner(
    kind: &'static Kind,
    wrap: Wrap<'_>,
    seen: &mut HashSet<*const Section>,
    visit: &mut dyn FnMut(&'static Section, Wrap<'_>),
) {
    match kind {
        Kind::List { of, .. } => inner(of, &|value| wrap(&format!("[{value}]")), seen, visit),
        Kind::Headers(of) => {
            let wrap = |value: &str| wrap(&format!("{{\"x-a\": {value}}}"));
            inner(of, &wrap, seen, visit);
        }
        Kind::Object(section) => {
            let wrap = |fields: &str| wrap(&format!("{{{fields}}}"));
            each(section, &wrap, seen, visit);
        }
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, wrap, seen, visit)),
        _ => {}
    }
}

fn each_section(mut visit: impl FnMut(&'static Section, Wrap<'_>)) {
    // The sections of a pool are visited as those of the document; `pools` comes last.
    let seen = &mut HashSet::from([&raw const POOL]);
    each(&ROOT, &|fields| format!("{{{fields}}}"), seen, &mut visit);
}

#[test]
fn every_field_is_described_once_and_in_words() {
    let mut count = 0;
    each_section(|section, _| {
        let mut names = HashSet::new();
        for field in section.all() {
            count += 1;
            let name = field.name;
            assert!(names.insert(name), "{name} is described twice");
            assert!(
                !field.meaning.is_empty() && !field.meaning.ends_with('.'),
                "{name}"
            );
            assert!(!field.default.is_empty(), "{name}");
        }
        for name in section.exactly_one {
            assert!(section.field(name).is_some(), "{name} is not described");
        }
    });
    assert!(count > 100, "{count}");
}

/// What a document comes to, in a form that can be compared.
fn outcome(document: &str) -> String {
    let mut config =
        crate::parse(document.as_bytes()).unwrap_or_else(|errors| panic!("{document}\n{errors}"));
    let mut statuses = Vec::new();
    for configured in &mut config.pools {
        // The same statuses may be written as other ranges.
        let retry = &mut configured.pool.retry;
        let mut written = vec![&mut retry.statuses, &mut retry.retry_after_statuses];
        if let Some(checks) = &mut configured.pool.checks {
            written.push(&mut checks.healthy_statuses);
            written.push(&mut checks.degraded_statuses);
        }
        for written in written {
            let all: Vec<_> = (0..1_000)
                .filter(|status| written.contains(*status))
                .collect();
            statuses.push(all);
            *written = Statuses::new(Vec::new());
        }
    }
    format!("{statuses:?} {config:?}")
}

/// The fields without which one is of no consequence, so that a wrong default would not be seen.
fn companion(field: &Field) -> &'static str {
    match field.name {
        "slow_call_rate" => r#""slow_call_duration": 1, "#,
        "jitter_range" => r#""jitter": true, "#,
        _ => "",
    }
}

/// A default as it is documented, read as any other value, is what holds without the field.
#[test]
fn every_documented_default_is_what_holds_without_the_field() {
    let mut count = 0;
    let mut defaults = HashSet::new();
    each_section(|section, wrap| {
        let required = match section.field("cluster") {
            Some(_) => r#""cluster": "a", "#,
            None => "",
        };
        for field in section.all() {
            if serde_json::from_str::<Value>(field.default).is_err() {
                continue;
            }
            count += 1;
            defaults.insert(field.name);
            // A field about checks would turn them on.
            let document = |given: &str| {
                let fields = format!("{required}{}{given}", companion(field));
                let fields = fields.trim_end_matches(", ");
                let mut document: Value = serde_json::from_str(&wrap(fields)).unwrap();
                document["enable_health_checks"] = true.into();
                if document.get("endpoints").is_none() {
                    document["endpoints"] = ["a"].as_slice().into();
                }
                document.to_string()
            };
            let given = format!("{:?}: {}", field.name, field.default);
            let (given, absent) = (document(&given), document(""));
            assert_eq!(outcome(&given), outcome(&absent), "{given}");
        }
    });
    assert!(count > 60, "{count}");
    for name in ["weight", "ttl", "ratio", "max", "delay", "level"] {
        assert!(defaults.contains(name), "{name}");
    }
}

#[test]
fn every_other_spelling_exists() {
    for field in POOL.all().chain(LOAD_BALANCER.all()) {
        let Some(path) = field.same_as else { continue };
        let (section, name) = path.split_once('.').unwrap();
        let Some(Kind::Object(section)) = POOL.field(section).map(|field| field.kind) else {
            panic!("{path}");
        };
        assert!(section.field(name).is_some(), "{path}");
    }
}
