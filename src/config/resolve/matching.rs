//! Which requests belong to a pool.

use steerage_policy::matching::{HeaderRule, HostPattern, Matcher, PathRegex};
use steerage_policy::retry::idempotency::Methods;

use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};

pub(super) fn matcher(fields: &Fields<'_>) -> Result<Matcher, Reported> {
    Ok(Matcher {
        prefix: fields.text("prefix")?.map(Into::into),
        path: fields.text("path")?.map(Into::into),
        regex: fields.read("regex", |json| PathRegex::new(json.text()?).ok())?,
        hosts: fields
            .list("hosts", |json| HostPattern::new(json.text()?))?
            .unwrap_or_default(),
        methods: fields.list("methods", Json::text)?.map(Methods::new),
        headers: fields
            .read("headers", |json| match json {
                Json::Object(object) => headers(object),
                _ => None,
            })?
            .unwrap_or_default(),
    })
}

/// The rules of an object of headers.
pub(super) fn headers(object: &Object) -> Option<Vec<(Box<str>, HeaderRule)>> {
    object
        .0
        .iter()
        .map(|(name, json)| Some((name.to_ascii_lowercase().into(), header(json)?)))
        .collect()
}

fn header(json: &Json) -> Option<HeaderRule> {
    match json {
        Json::Text(exact) => Some(HeaderRule::Exact(exact.clone())),
        Json::Object(object) => match (object.get("present"), object.get("prefix")) {
            (Some(Json::Flag(present)), None) => Some(HeaderRule::Present(*present)),
            (None, Some(Json::Text(prefix))) => Some(HeaderRule::Prefix(prefix.clone())),
            _ => None,
        },
        _ => None,
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
