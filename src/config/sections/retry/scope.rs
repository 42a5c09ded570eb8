//! `retry_policy.retry_after_scope`: for which requests a cool-down holds.

use crate::key::Key;
use crate::section;
use crate::text_rule::TextRule;

section! {
    /// `retry_policy.retry_after_scope`.
    pub static RETRY_AFTER_SCOPE: RetryAfterScope;
    HEADER: Box<str> = Key::text(
        "header",
        TextRule::HeaderName,
        "–",
        "a header of the client's request: a tenant, a key, a model",
    )
    .required();
}
