//! The filter under a fake host: what a client, upstreams and time do to it, and what it does to
//! them.
//!
//! The tests stand under the ABI (see [`fake_host`]), so the code that runs is the code that ships.
//! They assert effects: actions, headers written, calls made, replies
//! sent, timers armed. What the filter logs is asserted only where the log is all that a user gets,
//! which is a refused configuration.
//!
//! The fake notes what no correct filter does, such as replying twice, and fails the test at the
//! end; so no test here repeats that.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

#[path = "../support/fake_host/mod.rs"]
mod fake_host;

// It needs no host, and the library itself has no tests: those of this file run here.
#[path = "../../src/admin/operator_request.rs"]
mod operator_request;

mod scene;

mod configuring;
mod hostcalls;
mod steering;
mod turns;

mod classifying;
mod cooling;
mod hedging;
mod last_resort;
mod limiting;
mod limits;
mod retrying;
mod sending;

mod answering;
mod attempt_log;
mod interceptors;

mod extending;

mod nesting;
mod obligations;
mod obstacles;

mod admin;
mod operating;
mod status;
mod words;

mod admin_hostile;
mod hostile;
mod random_events;
