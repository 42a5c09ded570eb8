//! `match`: which requests belong to a pool.

use steerage_policy::matching::{HeaderRule, HostPattern, Matcher, PathRegex};
use steerage_policy::retry::idempotency::Methods;

use crate::fields::Fields;
use crate::from_value::Headers;
use crate::key::Key;
use crate::kind::{Kind, METHOD, some};
use crate::report::Reported;
use crate::section;
use crate::text_rule::TextRule;
use crate::value::{Checked, FromValue, Value};

section! {
    /// `match`.
    pub static MATCH: Match;
    PREFIX: Box<str> = Key::text("prefix", TextRule::Path, "–", "the path begins with this");
    PATH: Box<str> = Key::text("path", TextRule::Path, "–", "the path is this");
    REGEX: PathRegex = Key::new(
        "regex",
        Kind::Text(TextRule::Regex),
        "–",
        "the whole path without its query matches this",
    );
    HOSTS: Vec<HostPattern> = Key::new(
        "hosts",
        some(&Kind::Text(TextRule::Host)),
        "–",
        "the host is one of these, or ends as a `*.suffix` says",
    );
    METHODS: Methods = Key::new("methods", some(&METHOD), "–", "the method is one of these");
    HEADERS: HeaderRules = Key::new(
        "headers",
        HEADER_RULES,
        "{}",
        "for each header its exact value, or {\"present\": true}, or {\"prefix\": …}",
    );
}

#[inline(never)]
pub(super) fn matcher(fields: &Fields<'_, Match>) -> Result<Matcher, Reported> {
    Ok(Matcher {
        prefix: fields.get(&PREFIX)?,
        path: fields.get(&PATH)?,
        regex: fields.get(&REGEX)?,
        hosts: fields.get(&HOSTS)?.unwrap_or_default(),
        methods: fields.get(&METHODS)?,
        headers: fields.get(&HEADERS)?.map_or_else(Vec::new, |rules| rules.0),
    })
}

section! {
    /// What a header must be, where it is not simply its value.
    pub static HEADER_RULE: Rule, exactly one of RULE_PRESENT, RULE_PREFIX;
    RULE_PRESENT: bool = Key::flag("present", "–", "it is there, or it is not there");
    RULE_PREFIX: Box<str> = Key::text(
        "prefix",
        TextRule::HeaderValue,
        "–",
        "its value begins with this",
    );
}

/// Headers with the rule for each.
pub(super) type HeaderRules = Headers<HeaderRule>;

/// The kind of [`HeaderRules`].
pub(super) const HEADER_RULES: Kind = Kind::Headers(&Kind::Either(&[
    Kind::Text(TextRule::HeaderValue),
    Kind::Object(&HEADER_RULE),
]));

impl FromValue for HeaderRule {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        if let Value::Text(exact) = checked.value {
            return Some(Self::Exact(exact.into()));
        }
        let fields = Fields::of(checked, String::new());
        match (
            fields.get(&RULE_PRESENT).ok()?,
            fields.get(&RULE_PREFIX).ok()?,
        ) {
            (Some(present), None) => Some(Self::Present(present)),
            (None, Some(prefix)) => Some(Self::Prefix(prefix)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, pool};
    use steerage_policy::matching::RequestHead;

    struct Head(&'static str, &'static str, &'static str);

    impl RequestHead for Head {
        fn method(&self) -> &[u8] {
            self.0.as_bytes()
        }
        fn path(&self) -> &[u8] {
            self.1.as_bytes()
        }
        fn authority(&self) -> &[u8] {
            self.2.as_bytes()
        }
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "x-tenant").then_some(b"gold-7")
        }
    }

    #[test]
    fn each_condition_arrives() {
        for (conditions, expected) in [
            (r#"{}"#, true),
            (r#"{"prefix": "/api"}"#, true),
            (r#"{"prefix": "/web"}"#, false),
            (r#"{"path": "/api/users"}"#, true),
            (r#"{"path": "/api"}"#, false),
            (r#"{"regex": "/api/[a-z]+"}"#, true),
            (r#"{"regex": "/api"}"#, false),
            (r#"{"hosts": ["a.org", "*.Example.com"]}"#, true),
            (r#"{"hosts": ["example.com"]}"#, false),
            (r#"{"methods": ["GET", "POST"]}"#, true),
            (r#"{"methods": ["PUT"]}"#, false),
            (r#"{"headers": {"X-Tenant": "gold-7"}}"#, true),
            (r#"{"headers": {"x-tenant": "gold"}}"#, false),
            (r#"{"headers": {"x-tenant": {"prefix": "gold"}}}"#, true),
            (r#"{"headers": {"x-tenant": {"present": true}}}"#, true),
            (r#"{"headers": {"x-other": {"present": false}}}"#, true),
            (r#"{"headers": {"x-other": {"present": true}}}"#, false),
            (r#"{"prefix": "/api", "methods": ["PUT"]}"#, false),
        ] {
            let matcher = pool(&format!(r#""match": {conditions}"#)).matcher;
            let head = Head("POST", "/api/users?page=2", "eu.example.com:8080");
            assert_eq!(matcher.matches(&head), expected, "{conditions}");
        }
    }

    #[test]
    fn each_condition_has_its_rule() {
        check(
            r#"{"endpoints": ["a"], "match": {"prefix": "", "path": "/a?b=c", "regex": "/(",
                "hosts": ["*"], "methods": ["get"], "headers": {":path": "/", "x-a": 1,
                    "x-b": {}, "x-c": {"present": 1}, "x-d": "1", "X-D": "2", "x-e": "\u0000"}}}"#,
            &[
                "match.prefix: must be a path that begins with `/`, without query, got \"\"",
                "match.path: must be a path that begins with `/`, without query, got \"/a?b=c\"",
                "match.regex: must be a regular expression: found open group without closing ')', \
                 got \"/(\"",
                "match.hosts[0]: must be a host such as `example.com`, `*.example.com` or \
                 `example.com:8080`, got \"*\"",
                "match.methods[0]: must be an HTTP method in upper case, got \"get\"",
                "match.headers[\":path\"]: must be the name of a header, got \":path\"",
                "match.headers.x-a: must be text without control characters, or an object, got 1",
                "match.headers.x-b: must have exactly one of present, prefix",
                "match.headers.x-c.present: must be true or false, got 1",
                "match.headers.X-D: must be given only once",
                "match.headers.x-e: must be text without control characters, or an object, got \
                 \"\\u0000\"",
            ],
        );
        check(
            r#"{"endpoints": ["a"], "match": {"hosts": [], "methods": []}}"#,
            &[
                "match.hosts: must have 1 to 1000 entries, got []",
                "match.methods: must have 1 to 1000 entries, got []",
            ],
        );
        let many: Vec<_> = (0..=1_000).map(|n| format!("\"x-{n}\": \"\"")).collect();
        check(
            &format!(
                r#"{{"endpoints": ["a"], "match": {{"headers": {{{}}}}}}}"#,
                many.join(",")
            ),
            &["match.headers: must have 0 to 1000 entries"],
        );
    }
}
