//! The shell: turns the host's callbacks into events for the policy, and what it decides into
//! hostcalls.
//!
//! In reading order: [`callbacks`] are what the host calls; [`worker`] is what a worker keeps;
//! [`sharing`] what it shares with the others, [`checking`] its part in the health checks; then one
//! exchange in the order of its life: [`request`] reads it, [`steering`] sends the first
//! attempt, [`judging`] meets its answer, [`retrying`] and [`hedging`] send the others, [`answering`] ends it;
//! [`intercepting`] lets interceptors change what is sent, and [`debugging`] writes down what was decided.
//! Requests for the admin surface go to [`administering`] instead.

#[expect(unsafe_code, reason = "the host finds functions by their names")]
pub(crate) mod callbacks;

#[cfg(feature = "sabotage")]
mod sabotage;

mod timers;
mod worker;

mod debugging;

mod checking;
mod sharing;

mod classify;
mod request;
mod steering;

mod intercepting;
mod judging;

mod hedging;
mod retrying;

mod answering;

mod administering;
