//! The log, the clock, contexts, foreign functions and the gRPC calls that are not modelled.

use std::time::Duration;

use proxy_wasm::types::{LogLevel, Status};

use super::super::state::hostcall;
use super::{bytes, give, put, text};

#[unsafe(no_mangle)]
extern "C" fn proxy_log(level: LogLevel, message_data: *const u8, message_size: usize) -> Status {
    let message = text(message_data, message_size);
    hostcall("proxy_log", |state| {
        state.logs.push((level, message));
        Status::Ok
    });
    // The SDK panics on anything else, and its panic hook logs.
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

#[unsafe(no_mangle)]
extern "C" fn proxy_done() -> Status {
    // Only a context that answered on_done with false may say so, and that is a violation here.
    hostcall("proxy_done", |_| Status::NotFound)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_call_foreign_function(
    function_name_data: *const u8,
    function_name_size: usize,
    arguments_data: *const u8,
    arguments_size: usize,
    results_data: *mut *mut u8,
    results_size: *mut usize,
) -> Status {
    let name = text(function_name_data, function_name_size);
    let arguments = bytes(arguments_data, arguments_size).to_vec();
    hostcall("proxy_call_foreign_function", |state| {
        let known = state.foreign.contains(&name);
        state.foreign_calls.push((name, arguments));
        if known {
            give(&[], results_data, results_size);
            Status::Ok
        } else {
            Status::NotFound
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_status(
    return_code: *mut u32,
    return_message_data: *mut *mut u8,
    return_message_size: *mut usize,
) -> Status {
    hostcall("proxy_get_status", |state| {
        let (code, message) = state.call_status;
        put(return_code, code);
        give(message.as_bytes(), return_message_data, return_message_size);
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_call(
    _upstream_data: *const u8,
    _upstream_size: usize,
    _service_name_data: *const u8,
    _service_name_size: usize,
    _method_name_data: *const u8,
    _method_name_size: usize,
    _initial_metadata_data: *const u8,
    _initial_metadata_size: usize,
    _message_data_data: *const u8,
    _message_data_size: usize,
    _timeout: u32,
    _return_callout_id: *mut u32,
) -> Status {
    // What Envoy says of a cluster that it does not know.
    hostcall("proxy_grpc_call", |_| Status::ParseFailure)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_stream(
    _upstream_data: *const u8,
    _upstream_size: usize,
    _service_name_data: *const u8,
    _service_name_size: usize,
    _method_name_data: *const u8,
    _method_name_size: usize,
    _initial_metadata_data: *const u8,
    _initial_metadata_size: usize,
    _return_stream_id: *mut u32,
) -> Status {
    hostcall("proxy_grpc_stream", |_| Status::ParseFailure)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_send(
    _token: u32,
    _message_ptr: *const u8,
    _message_len: usize,
    _end_stream: bool,
) -> Status {
    hostcall("proxy_grpc_send", |_| Status::NotFound)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_cancel(_token_id: u32) -> Status {
    hostcall("proxy_grpc_cancel", |_| Status::NotFound)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_grpc_close(_token_id: u32) -> Status {
    hostcall("proxy_grpc_close", |_| Status::NotFound)
}
