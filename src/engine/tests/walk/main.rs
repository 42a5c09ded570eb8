//! One worker of the engine, driven by hand: each event, and each action that it leads to.
//!
//! There is no host, no network and no clock: a test is a list of events with their times, and a
//! whole exchange takes microseconds. What many workers do together is in `simulation`.
//!
//! | file | what happens |
//! |---|---|
//! | [`attempts`] | an answer, a refusal, a retry, a hedge, the deadline |
//! | [`leaving`] | the client leaves, in each phase |
//! | [`bodies`] | requests with bodies and trailers |
//! | [`keeping`] | how much of bodies and answers is kept |
//! | [`silence`] | the host does not end an attempt whose time is over |
//! | [`by_router`] | the router makes the retries, and the shell stands behind it, too |
//! | [`seeds`] | the same seed gives the same actions |

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic as the tests themselves"
)]

mod attempts;
mod bodies;
mod by_router;
mod keeping;
mod leaving;
mod seeds;
mod silence;

mod driver;
