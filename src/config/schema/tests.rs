//! The table is complete and without contradictions, and what is planned is refused.

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

/// A value that is right for this kind and is not off.
fn sample(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "true".into(),
        Kind::Off => "false".into(),
        Kind::Null => "null".into(),
        Kind::Number { max, .. } => format!("{}", max / 2.0),
        Kind::Whole { max, .. } => format!("{max}"),
        Kind::Span { .. } | Kind::SpanWithin { .. } => "\"1.5s\"".into(),
        Kind::Choice(names) => format!("{:?}", names[0]),
        Kind::Text(TextRule::Path | TextRule::PathAndQuery) => "\"/a\"".into(),
        Kind::Text(TextRule::Statuses) => "\"5xx\"".into(),
        Kind::Text(TextRule::Method) => "\"GET\"".into(),
        Kind::Text(_) => "\"a\"".into(),
        Kind::List { of, .. } => format!("[{}]", sample(of)),
        Kind::Headers(of) => format!("{{\"a\": {}}}", sample(of)),
        Kind::Either(kinds) => kinds.last().map(sample).unwrap(),
        Kind::Object(section) => {
            let fields = section.exactly_one.iter().take(1).map(|name| {
                let field = section.field(name).unwrap();
                format!("{name:?}: {}", sample(&field.kind))
            });
            format!("{{{}}}", fields.collect::<String>())
        }
    }
}

/// Each field that is not built, with its path.
fn all_planned() -> Vec<(String, &'static Field)> {
    let planned = |field: &&Field| field.planned.is_some();
    let mut all: Vec<_> = ROOT
        .all()
        .filter(planned)
        .map(|field| (field.name.to_owned(), field))
        .collect();
    for outer in ROOT.all().filter(|field| field.planned.is_none()) {
        if let Kind::Object(section) = outer.kind {
            let inner = section.all().filter(planned);
            all.extend(inner.map(|field| (format!("{}.{}", outer.name, field.name), field)));
        }
    }
    all
}

/// The errors of a document that gives the field at `path` this value.
fn errors(path: &str, value: &str) -> String {
    let field = match path.split_once('.') {
        Some((outer, inner)) => format!("{outer:?}: {{{inner:?}: {value}}}"),
        None => format!("{path:?}: {value}"),
    };
    let document = format!("{{\"endpoints\": [\"a\"], {field}}}");
    match crate::parse(document.as_bytes()) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn what_is_not_built_is_refused_only_if_it_is_right_and_asked_for() {
    let planned = all_planned();
    for (path, field) in &planned {
        let right = errors(path, &sample(&field.kind));
        assert!(
            right.starts_with(&format!("{path}: not supported yet, got ")),
            "{right}"
        );
        let wrong = errors(path, "\"\\u000b\"");
        assert!(wrong.starts_with(&format!("{path}: must be ")), "{wrong}");
        assert_eq!(
            (right.lines().count(), wrong.lines().count()),
            (1, 1),
            "{path}"
        );
        for off in ["0", "1.0", "false", "[]", "{}", "null"] {
            let json = serde_json::from_str(off).unwrap();
            let expected = field.planned.is_some_and(|planned| planned.is(&json))
                && crate::check::holds(&field.kind, &json);
            assert_eq!(errors(path, off).is_empty(), expected, "{path} = {off}");
        }
    }
    assert!(!planned.is_empty());
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
    let built = |field: &&Field| {
        let json = serde_json::from_str::<Json>(field.default);
        field.planned.is_none() && json.is_ok()
    };
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
