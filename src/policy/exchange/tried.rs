//! The endpoints that an exchange has tried.

use crate::endpoint::EndpointIndex;
use crate::retry::backoff::MAX_ATTEMPTS;

/// The endpoints that an exchange has tried, in order, with repeats.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    endpoints: [Option<EndpointIndex>; MAX_ATTEMPTS as usize],
}

impl Tried {
    /// Whether `endpoint` has been tried.
    #[must_use]
    pub fn contains(&self, endpoint: EndpointIndex) -> bool {
        self.endpoints
            .iter()
            .map_while(|tried| *tried)
            .any(|tried| tried == endpoint)
    }

    /// Whether none has been tried.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.endpoints, [None, ..])
    }

    /// The newest one.
    #[must_use]
    pub fn last(&self) -> Option<EndpointIndex> {
        self.endpoints.iter().map_while(|tried| *tried).last()
    }

    /// Adds one. There is room for as many as an exchange can have attempts.
    pub fn add(&mut self, endpoint: EndpointIndex) {
        if let Some(free) = self.endpoints.iter_mut().find(|tried| tried.is_none()) {
            *free = Some(endpoint);
        }
    }
}
