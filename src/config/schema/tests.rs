//! The table is complete and without contradictions.

use super::*;
use std::collections::HashSet;
use steerage_policy::retry::Statuses;

fn each(
    section: &'static Section,
    seen: &mut HashSet<*const Section>,
    visit: &mut dyn FnMut(&Field),
) {
    if !seen.insert(section) {
        return;
    }
    let mut names = HashSet::new();
    for field in section.all() {
        assert!(
            names.insert(field.name),
            "{} is described twice",
            field.name
        );
        visit(field);
        inner(&field.kind, seen, visit);
    }
    for name in section.exactly_one {
        assert!(section.field(name).is_some(), "{name} is not described");
    }
}

fn inner(kind: &Kind, seen: &mut HashSet<*const Section>, visit: &mut dyn FnMut(&Field)) {
    match kind {
        Kind::List { of, .. } | Kind::Headers(of) => inner(of, seen, visit),
        Kind::Object(section) => each(section, seen, visit),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| inner(kind, seen, visit)),
        _ => {}
    }
}

#[test]
fn every_field_is_described_once_and_in_words() {
    let mut count = 0;
    each(&ROOT, &mut HashSet::new(), &mut |field| {
        count += 1;
        assert!(
            !field.meaning.is_empty() && !field.meaning.ends_with('.'),
            "{}",
            field.name
        );
        assert!(!field.default.is_empty(), "{}", field.name);
    });
    assert!(count > 100, "{count}");
}

/// What a document comes to, in a form that can be compared.
fn outcome(fields: &str) -> String {
    let document = format!(r#"{{"endpoints": ["a"], "enable_health_checks": true, {fields}}}"#);
    let mut config = crate::parse(document.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    let [pool] = &mut config.pools[..] else {
        panic!("{fields}")
    };
    let statuses: Vec<_> = (0..1_000)
        .filter(|status| pool.pool.retry.statuses.contains(*status))
        .collect();
    // The same statuses may be written as other ranges.
    pool.pool.retry.statuses = Statuses::new(Vec::new());
    format!("{statuses:?} {config:?}")
}

/// Every default is given in a pool whose endpoints are checked, because to say anything of checks
/// is to ask for them.
#[test]
fn a_default_that_is_given_changes_nothing() {
    let mut count = 0;
    let default = outcome("\"match\": {}");
    let built = |field: &&Field| serde_json::from_str::<Json>(field.default).is_ok();
    for field in ROOT.all().filter(built) {
        count += 1;
        let given = format!("{:?}: {}", field.name, field.default);
        assert_eq!(outcome(&given), default, "{given}");
    }
    for outer in POOL.all() {
        let Kind::Object(section) = outer.kind else {
            continue;
        };
        for field in section.all().filter(built) {
            count += 1;
            let given = format!("{:?}: {{{:?}: {}}}", outer.name, field.name, field.default);
            assert_eq!(outcome(&given), default, "{given}");
        }
    }
    assert!(count > 50, "{count}");
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
