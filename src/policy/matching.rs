//! Which pool a request belongs to.
//!
//! A [`Matcher`] holds the conditions of one pool; all that are given must hold. The first pool
//! that matches, in the order of the configuration, gets the request. Paths are compared without
//! their query, and case matters. Hosts are compared without case, and without the port unless the
//! pattern has one. A regular expression must match the whole path, as in Envoy's `safe_regex`.
//!
//! Example: `{"prefix": "/api", "hosts": ["*.example.com"], "methods": ["GET"]}` matches `GET
//! /api/users?page=2` at `eu.example.com:8080`. It matches `/apis` too, because a prefix is one of
//! characters, as in Envoy; `"/api/"` matches a segment.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use regex_lite::Regex;

use crate::retry::idempotency::Methods;

/// The head of a request, as matching and hashing read it. Values are bytes, because clients need
/// not send UTF-8.
pub trait RequestHead {
    /// `:method`.
    fn method(&self) -> &[u8];
    /// `:path`, with the query.
    fn path(&self) -> &[u8];
    /// `:authority`; empty if there is none.
    fn authority(&self) -> &[u8];
    /// The first value of the header `name`, which is in lower case.
    fn header(&self, name: &str) -> Option<&[u8]>;
    /// All values of the header `name`, which is in lower case, in their order. A head that never
    /// repeats a header need not say more than the first.
    fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>
    where
        Self: Sized,
    {
        self.header(name).into_iter()
    }
}

/// The conditions of one pool; the default matches every request.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// The path begins with this.
    pub prefix: Option<Box<str>>,
    /// The path is this.
    pub path: Option<Box<str>>,
    /// The whole path matches this.
    pub regex: Option<PathRegex>,
    /// The host matches one of these; no condition when empty.
    pub hosts: Vec<HostPattern>,
    /// The method is one of these.
    pub methods: Option<Methods>,
    /// All rules hold for the headers. Names are in lower case.
    pub headers: Vec<(Box<str>, HeaderRule)>,
}

impl Matcher {
    /// Whether the request meets every condition.
    pub fn matches(&self, head: &impl RequestHead) -> bool {
        self.matches_path(head)
            && self
                .methods
                .as_ref()
                .is_none_or(|methods| methods.contains(head.method()))
            && (self.hosts.is_empty()
                || self.hosts.iter().any(|host| host.matches(head.authority())))
            && self
                .headers
                .iter()
                .all(|(name, rule)| rule.matches(head.header(name)))
    }

    fn matches_path(&self, head: &impl RequestHead) -> bool {
        if self.prefix.is_none() && self.path.is_none() && self.regex.is_none() {
            return true;
        }
        let path = path_without_query(head.path());
        self.prefix
            .as_deref()
            .is_none_or(|prefix| path.starts_with(prefix.as_bytes()))
            && self
                .path
                .as_deref()
                .is_none_or(|exact| path == exact.as_bytes())
            && self.regex.as_ref().is_none_or(|regex| regex.matches(path))
    }
}

/// The part of `:path` before the query.
#[must_use]
pub fn path_without_query(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// A regular expression of a whole path.
#[derive(Clone, Debug)]
pub struct PathRegex(Regex);

impl PathRegex {
    /// Compiles `pattern`. Matching takes time linear in the path for every pattern.
    ///
    /// # Errors
    /// [`InvalidRegex`] says what is wrong with the pattern.
    pub fn new(pattern: &str) -> Result<Self, InvalidRegex> {
        // Compiled alone first, so that an error is about the pattern as the user wrote it.
        Regex::new(pattern).map_err(InvalidRegex)?;
        Regex::new(&alloc::format!("^(?:{pattern})$"))
            .map(Self)
            .map_err(InvalidRegex)
    }

    #[inline(never)]
    fn matches(&self, path: &[u8]) -> bool {
        core::str::from_utf8(path).is_ok_and(|path| self.0.is_match(path))
    }
}

/// A pattern that does not compile.
#[derive(Clone, Debug)]
pub struct InvalidRegex(regex_lite::Error);

impl fmt::Display for InvalidRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for InvalidRegex {}

/// `example.com`, `*.example.com` or `example.com:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case. A suffix pattern is without its `*`, so that it begins with a dot.
    pattern: Box<str>,
    suffix: bool,
    with_port: bool,
}

impl HostPattern {
    /// `None` if `pattern` is empty or has a `*` other than in a leading `*.`.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        let (rest, suffix) = match pattern.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let well_formed = !rest.contains('*')
            && if suffix {
                rest.len() > 1 && rest.starts_with('.')
            } else {
                !rest.is_empty()
            };
        well_formed.then(|| Self {
            pattern: rest.to_ascii_lowercase().into(),
            suffix,
            with_port: without_port(rest.as_bytes()).len() != rest.len(),
        })
    }

    fn matches(&self, authority: &[u8]) -> bool {
        let host = if self.with_port {
            authority
        } else {
            without_port(authority)
        };
        let pattern = self.pattern.as_bytes();
        if self.suffix {
            // Longer than the suffix: `*.example.com` is not `.example.com`.
            host.len() > pattern.len()
                && host
                    .get(host.len() - pattern.len()..)
                    .is_some_and(|tail| tail.eq_ignore_ascii_case(pattern))
        } else {
            host.eq_ignore_ascii_case(pattern)
        }
    }
}

/// `authority` without a trailing `:port`; an IPv6 address keeps its brackets and colons.
fn without_port(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    match colon.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) if port.iter().skip(1).all(u8::is_ascii_digit) => host,
        _ => authority,
    }
}

/// A rule for the value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderRule {
    /// It is this.
    Exact(Box<str>),
    /// It begins with this.
    Prefix(Box<str>),
    /// The header is present (`true`) or absent (`false`), with any value.
    Present(bool),
}

impl HeaderRule {
    /// Whether a header with this value, or an absent one, follows the rule.
    #[must_use]
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Exact(exact) => value == Some(exact.as_bytes()),
            Self::Prefix(prefix) => value.is_some_and(|value| value.starts_with(prefix.as_bytes())),
            Self::Present(present) => value.is_some() == *present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    struct Head(&'static str, &'static [u8], &'static str);

    impl RequestHead for Head {
        fn method(&self) -> &[u8] {
            self.0.as_bytes()
        }
        fn path(&self) -> &[u8] {
            self.1
        }
        fn authority(&self) -> &[u8] {
            self.2.as_bytes()
        }
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "x-tenant").then_some(b"gold-7")
        }
    }

    #[track_caller]
    fn check(matcher: &Matcher, path: &'static str, expected: bool) {
        let head = Head("GET", path.as_bytes(), "EU.example.com:8080");
        assert_eq!(matcher.matches(&head), expected, "{path}");
    }

    #[test]
    fn no_condition_matches_everything() {
        assert!(Matcher::default().matches(&Head("", b"\xff", "")));
    }

    #[test]
    fn paths_are_compared_without_the_query() {
        let prefix = Matcher {
            prefix: Some("/api".into()),
            ..Matcher::default()
        };
        check(&prefix, "/api/users", true);
        check(&prefix, "/apis", true);
        check(&prefix, "/?/api", false);
        let exact = Matcher {
            path: Some("/api".into()),
            ..Matcher::default()
        };
        check(&exact, "/api?x=1", true);
        check(&exact, "/api/", false);
        let regex = Matcher {
            regex: PathRegex::new("/v[0-9]+|/beta").ok(),
            ..Matcher::default()
        };
        check(&regex, "/v12?x", true);
        check(&regex, "/beta", true);
        check(&regex, "/v12/users", false);
        assert!(!regex.matches(&Head("GET", b"/v1\xff", "")), "not UTF-8");
    }

    #[test]
    fn a_bad_regex_is_refused_with_its_reason() {
        let reason = PathRegex::new("/(").map(|_| ()).unwrap_err();
        assert!(!alloc::string::ToString::to_string(&reason).is_empty());
        assert!(PathRegex::new("a)(b").is_err(), "must not escape its group");
    }

    #[test]
    fn hosts_match_exactly_by_suffix_and_with_a_port_if_given() {
        for (pattern, expected) in [
            ("eu.example.com", true),
            ("*.example.com", true),
            ("*.COM", true),
            ("eu.example.com:8080", true),
            ("eu.example.com:80", false),
            ("example.com", false),
            ("*.eu.example.com", false),
        ] {
            let matcher = Matcher {
                hosts: vec![HostPattern::new(pattern).unwrap()],
                ..Matcher::default()
            };
            let head = Head("GET", b"/", "EU.example.com:8080");
            assert_eq!(matcher.matches(&head), expected, "{pattern}");
        }
        for bad in ["", "*", "*.", "a.*", "*example.com", "*.*.com"] {
            assert_eq!(HostPattern::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn ports_are_told_from_ipv6_addresses() {
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(without_port(b"[::1]"), b"[::1]");
        assert_eq!(without_port(b"host"), b"host");
    }

    #[test]
    fn header_rules() {
        let rules = [
            (HeaderRule::Exact("gold-7".into()), true),
            (HeaderRule::Exact("gold".into()), false),
            (HeaderRule::Prefix("gold".into()), true),
            (HeaderRule::Present(true), true),
            (HeaderRule::Present(false), false),
        ];
        for (rule, expected) in rules {
            let matcher = Matcher {
                headers: vec![("x-tenant".into(), rule)],
                ..Matcher::default()
            };
            check(&matcher, "/", expected);
        }
    }
}
