//! The dashboard: one page that asks for the documents beside it and for nothing else.

/// The page.
pub(super) const PAGE: &[u8] = include_bytes!("dashboard.html");

/// What a browser may do with it: run the one script and apply the one style that are in it, by their
/// hashes, and send requests to where it came from.
/// <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
pub(super) const POLICY: &str = "default-src 'none'; \
     style-src 'sha256-NVlHyaeS+Dr4nPbOu1KeuX5uxF2b2vFeQW8DWRCPF1g='; \
     script-src 'sha256-4hys1ft8UcpZzb8Xcledux6xasi5SwmSyIZFR2tVbCU='; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
