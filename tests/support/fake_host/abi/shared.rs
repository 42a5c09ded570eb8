//! Shared data, metrics and properties.

use super::super::guest;
use super::super::numbers::{MetricType, Status};
use super::super::state::hostcall;
use super::{bytes, give, put, text};

#[unsafe(no_mangle)]
extern "C" fn proxy_get_shared_data(
    key_data: *const u8,
    key_size: usize,
    return_value_data: *mut *mut u8,
    return_value_size: *mut usize,
    return_cas: *mut u32,
) -> Status {
    let key = text(key_data, key_size);
    hostcall("proxy_get_shared_data", |state| {
        match state.shared.get(&key) {
            Some((value, cas)) => {
                give(value, return_value_data, return_value_size);
                put(return_cas, cas);
                Status::Ok
            }
            None => Status::NotFound,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_shared_data(
    key_data: *const u8,
    key_size: usize,
    value_data: *const u8,
    value_size: usize,
    cas: u32,
) -> Status {
    let key = text(key_data, key_size);
    let value = bytes(value_data, value_size);
    hostcall("proxy_set_shared_data", |state| {
        state.shared.set(&key, value, cas)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(
    metric_type: MetricType,
    name_data: *const u8,
    name_size: usize,
    return_id: *mut u32,
) -> Status {
    let name = text(name_data, name_size);
    hostcall("proxy_define_metric", |state| {
        match state.metrics.define(metric_type, &name) {
            Some(id) => {
                put(return_id, id);
                Status::Ok
            }
            None => Status::BadArgument,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(metric_id: u32, offset: i64) -> Status {
    hostcall("proxy_increment_metric", |state| {
        match state.metrics.increment(metric_id, offset) {
            Ok(status) => status,
            Err(name) => {
                state.violation(format!(
                    "{name} was moved by {offset}, out of the range of a u64"
                ));
                Status::Ok
            }
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(metric_id: u32, value: u64) -> Status {
    hostcall("proxy_record_metric", |state| {
        state.metrics.record(metric_id, value)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path_data: *const u8,
    path_size: usize,
    return_value_data: *mut *mut u8,
    return_value_size: *mut usize,
) -> Status {
    let path = guest::outside(|| path(bytes(path_data, path_size)));
    hostcall("proxy_get_property", |state| {
        let stream = state.living(state.context());
        let own = stream.and_then(|stream| {
            let known = stream.properties.get(&path);
            known.or_else(|| stream.filter_state.get(&path))
        });
        let computed = stream.and_then(|stream| stream.computed(&path));
        let value = own.or_else(|| state.properties.get(&path)).cloned();
        match value.or(computed) {
            Some(value) => {
                give(&value, return_value_data, return_value_size);
                Status::Ok
            }
            None => Status::NotFound,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(
    path_data: *const u8,
    path_size: usize,
    value_data: *const u8,
    value_size: usize,
) -> Status {
    let path = guest::outside(|| path(bytes(path_data, path_size)));
    let value = guest::outside(|| bytes(value_data, value_size).to_vec());
    hostcall("proxy_set_property", |state| match state.stream() {
        Some(stream) => {
            stream.filter_state.insert(path, value);
            Status::Ok
        }
        // A root has no stream that could keep it.
        None => Status::NotFound,
    })
}

/// Takes a path apart: its parts are joined by zero bytes.
fn path(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}
