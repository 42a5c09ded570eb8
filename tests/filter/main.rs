//! The filter under a fake host: tests play client, upstreams and time, and look at its effects.
//!
//! The tests work under the ABI (see [`fake_host`]), so the code that runs is the code that ships.
//! They assert effects: actions, headers written, calls made, replies sent, timers armed. Log lines
//! are asserted only where a user sees nothing else, as for a refused configuration. The fake
//! records what no correct filter does, such as replying twice, and fails the test at its end. So
//! no test here checks that again.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

#[path = "../support/fake_host/mod.rs"]
mod fake_host;

// It needs no host. The library is built without tests, so the tests of this file run here.
#[path = "../../src/admin/operator_request.rs"]
mod operator_request;

mod scene;

mod configuring;
mod hostcalls;
mod steering;
mod turns;

mod classifying;
mod cool_downs;
mod cooling_trials;
mod ending;
mod endpoint_limits;
mod hedging;
mod keeping;
mod last_resort;
mod reloading;
mod retry_limits;
mod retrying;
mod scoped_cool_downs;
mod sending;
mod silence;
mod taking_over;

mod access_log;
mod answering;
mod attempt_log;
mod interceptors;

mod extending;
mod grpc;

mod nesting;
mod obligations;
mod obstacles;

mod checking;

mod admin;
mod operating;
mod overrides;
mod status;

mod admin_hostile;
mod hostile;
mod random_events;
