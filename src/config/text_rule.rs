//! The rules of values that are text: their names, and how errors put them. `text` checks them.
//!
//! Example: [`TextRule::Method`] says "an HTTP method in upper case".

use core::fmt;

/// What a text must be. `Display` completes the sentence "must be …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRule {
    /// Letters, digits, `_` and `-`.
    PoolName,
    /// The name of a cluster, or a label: no control characters, no spaces at the ends.
    Label,
    /// A token of RFC 9110 §5.6.2.
    HeaderName,
    /// A header that may carry a cluster's name: neither a pseudo-header nor one that the proxy
    /// needs for the connection.
    RoutingHeader,
    /// A header that an operator may change: [`is_changeable`], and not the routing header.
    ///
    /// [`is_changeable`]: steerage_policy::headers::is_changeable
    ChangeableHeader,
    /// Anything without control characters.
    HeaderValue,
    /// What an answer is searched for: 1 to 256 characters, none of them a control character.
    Words,
    /// A [`Template`](crate::interceptors::Template) without control characters.
    Template,
    /// A token without lower-case letters.
    Method,
    /// A path without query.
    Path,
    /// A path below `/`, without query.
    PathBelow,
    /// A path, with a query or without.
    PathAndQuery,
    /// A path without query that a path can follow.
    PathPrefix,
    /// A regular expression.
    Regex,
    /// A host, or `*.` and a suffix.
    Host,
    /// What `:authority` may be.
    Authority,
    /// The name of a query parameter as it is written in a path.
    QueryName,
    /// A range (`"500-504"`) or a class (`"5xx"`) of statuses.
    Statuses,
    /// An [`Expression`](crate::expression::Expression) that gives a delay for every retry.
    Expression,
    /// Not empty, and never shown.
    Secret,
}

impl fmt::Display for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PoolName => "a name of letters, digits, `_` and `-`",
            Self::Label => "a name without control characters and spaces around it",
            Self::HeaderName => "the name of a header",
            Self::RoutingHeader => {
                "the name of a header, neither a pseudo-header, nor `host` or `content-length`, nor \
                 hop-by-hop"
            }
            Self::ChangeableHeader => {
                "the name of a header that is free to change: neither a pseudo-header, nor `host`, \
                 nor of the connection or the body's length, nor the routing header, nor another \
                 that steers the filter or the router"
            }
            Self::HeaderValue | Self::Template => "text without control characters",
            Self::Words => "text of 1 to 256 characters without control characters",
            Self::Method => "an HTTP method in upper case",
            Self::Path => "a path that begins with `/`, without query",
            Self::PathBelow => "a path below `/`, without query",
            Self::PathAndQuery => "a path that begins with `/`",
            Self::PathPrefix => {
                "a path that begins with `/` and does not end with `/`, without query"
            }
            Self::Regex => "a regular expression",
            Self::Host => "a host such as `example.com`, `*.example.com` or `example.com:8080`",
            Self::Authority => "a host such as `example.com` or `example.com:8080`",
            Self::QueryName => "the name of a query parameter",
            Self::Statuses => "statuses such as \"500-504\" or \"5xx\"",
            Self::Expression => "an expression such as \"min(attempt ^ 1.5, 30.0)\"",
            Self::Secret => "text that is not empty",
        })
    }
}

/// Headers that mean something to the proxy itself: a cluster's name in them breaks the request.
pub const RESERVED_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
