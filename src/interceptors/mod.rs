//! Interceptors: changes to headers before every attempt and before the answer.
//!
//! A pool has two chains of interceptors, one for attempts and one for answers. Those of its
//! configuration come first, each a change of headers (`actions`). Those written in Rust implement
//! [`RequestInterceptor`] or [`ResponseInterceptor`]. An interceptor does not call the host: it
//! records changes, later interceptors see them, and the shell carries them out on the message. The
//! message is the router's request, a call, an answer that streams by, or one that replaces
//! another.
//!
//! Limits: interceptors change only headers, and none that routes a message, frames its body or
//! steers the filter ([`Headers`]). A chain runs on every message and should be fast. A pool
//! without interceptors pays nothing.
//!
//! Example: `set_header: {"x-try": "{attempt}"}`, then an interceptor in Rust that adds
//! `x-try: last` to the third attempt. The first two go out with `x-try: 1` and `x-try: 2`, the
//! third with `x-try: 3` and `x-try: last`: each attempt begins with the headers that the client
//! sent.

mod info;

mod edits;

mod actions;
mod logging;

use core::fmt::{self, Debug};

use steerage_config::interceptors::{HeaderAction, Interceptors};

pub use edits::Headers;
pub(crate) use edits::{Edits, Source};
pub use info::{AnswerInfo, AttemptInfo};
pub(crate) use logging::AttemptLog;

/// Looks at attempts, and changes their headers.
///
/// ```no_run
/// use steerage::{AttemptInfo, Headers, RequestInterceptor};
///
/// /// Signs every attempt, so that each retry has its own signature.
/// #[derive(Debug)]
/// struct Signature;
///
/// impl RequestInterceptor for Signature {
///     fn on_attempt(&self, attempt: &AttemptInfo<'_>, headers: &mut Headers<'_>) {
///         let signed = headers.get(":path").map(|path| checksum(path, attempt.number));
///         headers.set("x-signature", &signed.unwrap_or_default());
///     }
/// }
/// # fn checksum(_: &[u8], _: u8) -> String { String::new() }
/// ```
pub trait RequestInterceptor: Debug {
    /// An attempt is about to be sent: the first, a retry or a hedge. Changes apply to this attempt
    /// only: each attempt begins with the headers that the client sent.
    fn on_attempt(&self, attempt: &AttemptInfo<'_>, headers: &mut Headers<'_>);
}

/// Looks at answers, and changes their headers.
///
/// ```no_run
/// use steerage::{AnswerInfo, Headers, ResponseInterceptor};
///
/// /// Shows browsers which endpoint answered and how long it took.
/// #[derive(Debug)]
/// struct ServerTiming;
///
/// impl ResponseInterceptor for ServerTiming {
///     fn on_answer(&self, answer: &AnswerInfo<'_>, headers: &mut Headers<'_>) {
///         let milliseconds = answer.response_time.as_millis();
///         headers.add("server-timing", &format!("{};dur={milliseconds}", answer.endpoint));
///     }
/// }
/// ```
pub trait ResponseInterceptor: Debug {
    /// An answer is about to go to the client: an upstream's, the host's own, or the filter's if
    /// there was an attempt. Answers that a retry replaces are not seen.
    fn on_answer(&self, answer: &AnswerInfo<'_>, headers: &mut Headers<'_>);
}

/// A header action of a configuration.
struct Configured(HeaderAction);

/// By its name alone: what is behind a trait is printed by code that the module carries, and this
/// would be a lot of it.
impl Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Configured")
    }
}

/// The interceptors of one pool, and the logging of its attempts.
#[derive(Debug)]
pub(crate) struct Chains {
    /// The routing header. Interceptors may not change it.
    cluster_header: Box<str>,
    request: Vec<Box<dyn RequestInterceptor>>,
    response: Vec<Box<dyn ResponseInterceptor>>,
    pub(crate) log: Option<AttemptLog>,
}

impl Chains {
    /// The configured chains.
    pub(crate) fn new(configured: Interceptors, cluster_header: &str) -> Self {
        let mut chains = Self {
            cluster_header: cluster_header.into(),
            request: Vec::new(),
            response: Vec::new(),
            log: configured.logging.map(AttemptLog::new),
        };
        for action in configured.request {
            chains.request.push(Box::new(Configured(action)));
        }
        for action in configured.response {
            chains.response.push(Box::new(Configured(action)));
        }
        chains
    }

    /// Adds interceptors behind the configured ones.
    pub(crate) fn extend(
        &mut self,
        request: Vec<Box<dyn RequestInterceptor>>,
        response: Vec<Box<dyn ResponseInterceptor>>,
    ) {
        self.request.extend(request);
        self.response.extend(response);
    }

    /// Whether no interceptor changes attempts.
    pub(crate) const fn leaves_attempts_alone(&self) -> bool {
        self.request.is_empty()
    }

    /// Whether no interceptor changes answers.
    pub(crate) const fn leaves_answers_alone(&self) -> bool {
        self.response.is_empty()
    }

    /// The chain's changes to an attempt with these headers.
    pub(crate) fn on_attempt(&self, attempt: &AttemptInfo<'_>, source: Source<'_>) -> Edits {
        let mut headers = Headers::new(source, &self.cluster_header);
        for interceptor in &self.request {
            interceptor.on_attempt(attempt, &mut headers);
        }
        headers.into_edits()
    }

    /// The chain's changes to an answer with these headers.
    pub(crate) fn on_answer(&self, answer: &AnswerInfo<'_>, source: Source<'_>) -> Edits {
        let mut headers = Headers::new(source, &self.cluster_header);
        for interceptor in &self.response {
            interceptor.on_answer(answer, &mut headers);
        }
        headers.into_edits()
    }
}
