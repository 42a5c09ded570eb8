//! The shell: turns the host's callbacks into events for the policy, and what it decides into
//! hostcalls.
//!
//! In reading order: [`root`] and [`http`] are the callbacks; [`worker`] is what a worker keeps;
//! then one exchange in the order of its life: [`request`] reads it, [`steering`] sends the first
//! attempt, [`judging`] meets its answer, [`retrying`] sends the others, [`answering`] ends it.

pub(crate) mod root;

mod http;

mod timers;
mod worker;

mod classify;
mod request;
mod steering;

mod judging;

mod retrying;

mod answering;
