//! The dashboard: one page that fetches the documents beside it and nothing else.

/// The page.
pub(super) const PAGE: &[u8] = include_bytes!("dashboard.html");

/// What the page may do in a browser: run its one script and apply its one style, both given by
/// their hashes, and send requests to its own origin.
/// <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
pub(super) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-SiGB/H73jYjsj49UaZkODqAXbB3pbJayN3aplVP/Un8='; \
     script-src 'sha256-yTG+IQAVHgStPqx939Y5tPr24epVPd5zoGQO9HxVXsQ='; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
