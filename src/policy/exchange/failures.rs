//! How the endpoints of one exchange have failed it.

use alloc::vec::Vec;

use crate::endpoint::EndpointIndex;
use crate::outcome::Outcome;

/// The answers that failed an exchange so far. An answer that another endpoint has given before is
/// the request's fault, and says nothing of the endpoint that repeats it.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<(EndpointIndex, Outcome)>);

impl Failures {
    /// Adds an answer, and says whether another endpoint has given the same before.
    pub(super) fn repeats(&mut self, endpoint: EndpointIndex, outcome: Outcome) -> bool {
        let mut before = self.0.iter();
        let is_repeated = before.any(|(other, given)| *other != endpoint && *given == outcome);
        self.0.push((endpoint, outcome));
        is_repeated
    }
}
