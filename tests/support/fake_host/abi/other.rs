//! The log, the clock, chance, the timer and contexts.

use std::time::Duration;

use super::super::numbers::{LogLevel, Status};
use super::super::seed;
use super::super::state::hostcall;
use super::{put, text};

#[unsafe(no_mangle)]
extern "C" fn proxy_log(level: LogLevel, message_data: *const u8, message_size: usize) -> Status {
    let message = text(message_data, message_size);
    hostcall("proxy_log", |state| {
        state.logs.push((level, message));
        Status::Ok
    });
    // `Ok` in every case: a failed log cannot be reported, and the SDK panics on any other status.
    Status::Ok
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_log_level(return_level: *mut LogLevel) -> Status {
    hostcall("proxy_get_log_level", |state| {
        put(return_level, state.log_level);
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(return_time: *mut u64) -> Status {
    hostcall("proxy_get_current_time_nanoseconds", |state| {
        let nanoseconds = u64::try_from(state.now.as_nanos()).unwrap_or(u64::MAX);
        put(return_time, nanoseconds);
        Status::Ok
    })
}

/// WASI's: the numbers of a host follow from each other, so that a test sees what it saw before.
#[unsafe(no_mangle)]
extern "C" fn random_get(buffer: *mut u64, _size: usize) -> Status {
    hostcall("random_get", |state| {
        state.seed = seed::after(state.seed);
        put(buffer, state.seed);
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> Status {
    hostcall("proxy_set_tick_period_milliseconds", |state| {
        let period = Duration::from_millis(u64::from(period));
        let (root, now) = (state.root(), state.now);
        if let Some(root) = state.roots.get_mut(&root) {
            // Each call starts the countdown anew, so a filter that calls it on every request never
            // ticks.
            root.tick = (!period.is_zero()).then_some((period, now + period));
        }
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context_id: u32) -> Status {
    hostcall("proxy_set_effective_context", |state| {
        if state.knows(context_id) {
            state.effective = context_id;
            Status::Ok
        } else {
            Status::BadArgument
        }
    })
}
