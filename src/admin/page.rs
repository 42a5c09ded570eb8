//! The dashboard: one page that asks for the documents beside it and for nothing else.

/// The page.
pub(super) const PAGE: &[u8] = include_bytes!("dashboard.html");

/// What a browser may do with it: run the one script and apply the one style that are in it, by their
/// hashes, and send requests to where it came from.
/// <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
pub(super) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-juMyysQqmk/MZcwbb2dG8dZLjVOuh4rOKpCjymXxAOQ='; \
     script-src 'sha256-pZabOzXOWY9je7niKJ2vE1/wDagIi5q+b9l7y7zG3Go='; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
