//! Who makes the attempts after the first.
//!
//! The policy decides the same either way. What differs is what the proxy is able to repeat: a call
//! carries no trailers and no stream, while the router's own retry goes through the route and the
//! other filters like the first attempt.
//!
//! Example: with [`RetriesBy::Calls`] a gRPC request that is answered UNAVAILABLE is not repeated
//! ([`Denial::Grpc`](super::reason::Denial::Grpc)). With [`RetriesBy::Router`] it is.

/// Who makes the attempts after the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetriesBy {
    /// The filter, by calls of its own. Bodies and answers are kept whole.
    #[default]
    Calls,
    /// The proxy's router. Answers stream, and whatever it cannot retry goes by a call.
    Router,
}

impl RetriesBy {
    /// Either, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Calls, Self::Router];

    /// Its name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Router => "router",
        }
    }
}
