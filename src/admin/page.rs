//! The dashboard: one page that asks for the documents beside it and for nothing else.

/// The page.
pub(super) const PAGE: &[u8] = include_bytes!("dashboard.html");

/// What a browser may do with it: run the one script and apply the one style that are in it, by their
/// hashes, and send requests to where it came from.
/// <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
pub(super) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-5zIhv7pfbWHI3iGy1WoZXvPMYTm1PTgUR/sEQ46+KPI='; \
     script-src 'sha256-4fHYT2uzwUo35kgYrv2/nN0BSpDT52lU9DisUf/A3Xc='; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
