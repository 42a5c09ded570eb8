//! The module's imports: the fake host's functions, with the module's memory in place of their own.
//!
//! A pointer of the module is an offset into its memory. The fake host reads the module's arguments
//! in place. Its results are copied into memory from the module's own allocator, as Envoy does.
//! Both are counted here.
//!
//! `proxy_set_property(m, path, length, value, size)` with a path of 8 bytes and a value of 5 is
//! one hostcall and 13 bytes.

use std::ptr::null_mut;

use wasmi::{Caller, Linker};

use super::Border;

type Module<'a> = Caller<'a, Border>;

/// The functions of the fake host, with enumerations as the numbers that they are.
mod host {
    type Out<T> = *mut T;
    type Data = *const u8;

    // SAFETY: `fake_host::abi` defines these, with enumerations of `repr(u32)` for some of the
    // numbers.
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, line: Data, size: usize) -> u32;
        pub(super) fn proxy_get_log_level(level: Out<u32>) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: Out<u64>) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            data: Out<*mut u8>,
            size: Out<usize>,
        ) -> u32;
        pub(super) fn proxy_set_header_map_pairs(map: u32, data: Data, size: usize) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: Data,
            name_size: usize,
            data: Out<*mut u8>,
            size: Out<usize>,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: Data, name_size: usize) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: Data,
            name_size: usize,
            value: Data,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: Data,
            name_size: usize,
            value: Data,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            most: usize,
            data: Out<*mut u8>,
            size: Out<usize>,
        ) -> u32;
        pub(super) fn proxy_get_property(
            path: Data,
            path_size: usize,
            data: Out<*mut u8>,
            size: Out<usize>,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: Data,
            path_size: usize,
            value: Data,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_get_shared_data(
            key: Data,
            key_size: usize,
            data: Out<*mut u8>,
            size: Out<usize>,
            cas: Out<u32>,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(
            key: Data,
            key_size: usize,
            value: Data,
            value_size: usize,
            cas: u32,
        ) -> u32;
        pub(super) fn proxy_define_metric(
            kind: u32,
            name: Data,
            name_size: usize,
            id: Out<u32>,
        ) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: Data,
            details_size: usize,
            body: Data,
            body_size: usize,
            headers: Data,
            headers_size: usize,
            grpc: i32,
        ) -> u32;
        pub(super) fn proxy_http_call(
            cluster: Data,
            cluster_size: usize,
            headers: Data,
            headers_size: usize,
            body: Data,
            body_size: usize,
            trailers: Data,
            trailers_size: usize,
            timeout: u32,
            token: Out<u32>,
        ) -> u32;
    }
}

/// Counts a hostcall.
fn note(module: &Module<'_>, name: &'static str) {
    let mut cost = module.data().cost.borrow_mut();
    if name == "proxy_get_current_time_nanoseconds" {
        cost.clock += 1;
    } else {
        cost.hostcalls += 1;
    }
    *cost.by_name.entry(name).or_default() += 1;
}

/// An argument of the module, in place. It is read before the module runs again.
fn slice(module: &Module<'_>, place: u32, size: u32) -> (*const u8, usize) {
    let (memory, _) = module.data().exports.as_ref().unwrap();
    let (place, size) = (place as usize, size as usize);
    let bytes = &memory.data(module)[place..][..size];
    module.data().cost.borrow_mut().bytes += bytes.len() as u64;
    (bytes.as_ptr(), size)
}

/// Writes a result where the module wants it.
fn put(module: &mut Module<'_>, place: u32, value: &[u8]) {
    let (memory, _) = module.data().exports.unwrap();
    memory.write(module, place as usize, value).unwrap();
}

/// Copies the fake host's result, if there is one, into memory of the module.
fn take(
    module: &mut Module<'_>,
    places: (u32, u32),
    hand: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> u32 {
    let (mut data, mut size) = (null_mut(), 0);
    let status = hand(&raw mut data, &raw mut size);
    if status != 0 {
        return status;
    }
    let length = u32::try_from(size).unwrap();
    let mut place = 0;
    if !data.is_null() {
        // SAFETY: `fake_host::guest::allocate` has leaked a box of this size for a stand-in.
        let bytes = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)) };
        let (_, allocate) = module.data().exports.unwrap();
        place = allocate.call(&mut *module, length).unwrap();
        put(module, place, &bytes);
        let mut cost = module.data().cost.borrow_mut();
        cost.handed += 1;
        cost.bytes += size as u64;
    }
    put(module, places.0, &place.to_le_bytes());
    put(module, places.1, &length.to_le_bytes());
    status
}

/// Calls the fake host for a number, and writes it to a place of the module.
macro_rules! number {
    ($module:ident, $place:ident, $kind:ty, |$out:ident| $call:expr) => {{
        let mut value: $kind = 0;
        let $out = &raw mut value;
        let status = $call;
        put(&mut $module, $place, &value.to_le_bytes());
        status
    }};
}

/// Defines functions of `env`. Every one is counted, and runs with `unsafe`.
macro_rules! functions {
    ($linker:ident: $($name:ident($module:ident $(, $argument:ident: $kind:ty)*) $work:block)*) => {
        $($linker.func_wrap("env", stringify!($name), |mut $module: Module<'_> $(, $argument: $kind)*| -> u32 {
            note(&$module, stringify!($name));
            let _ = &mut $module;
            // SAFETY: slices are the module's memory, which does not move before the call returns,
            // and results are local variables of the right type.
            unsafe { $work }
        }).unwrap();)*
    };
}

pub(super) fn define(linker: &mut Linker<Border>) {
    functions! { linker:
        proxy_log(m, level: u32, line: u32, size: u32) {
            let (line, size) = slice(&m, line, size);
            host::proxy_log(level, line, size)
        }
        proxy_get_log_level(m, place: u32) {
            number!(m, place, u32, |out| host::proxy_get_log_level(out))
        }
        proxy_get_current_time_nanoseconds(m, place: u32) {
            number!(m, place, u64, |out| host::proxy_get_current_time_nanoseconds(out))
        }
        proxy_set_tick_period_milliseconds(m, period: u32) { host::proxy_set_tick_period_milliseconds(period) }
        proxy_set_effective_context(m, context: u32) { host::proxy_set_effective_context(context) }
        proxy_continue_stream(m, stream: u32) { host::proxy_continue_stream(stream) }
        proxy_get_header_map_pairs(m, map: u32, data: u32, size: u32) {
            take(&mut m, (data, size), |data, size| host::proxy_get_header_map_pairs(map, data, size))
        }
        proxy_set_header_map_pairs(m, map: u32, data: u32, size: u32) {
            let (data, size) = slice(&m, data, size);
            host::proxy_set_header_map_pairs(map, data, size)
        }
        proxy_get_header_map_value(m, map: u32, name: u32, length: u32, data: u32, size: u32) {
            let (name, length) = slice(&m, name, length);
            take(&mut m, (data, size), |data, size| host::proxy_get_header_map_value(map, name, length, data, size))
        }
        proxy_remove_header_map_value(m, map: u32, name: u32, length: u32) {
            let (name, length) = slice(&m, name, length);
            host::proxy_remove_header_map_value(map, name, length)
        }
        proxy_replace_header_map_value(m, map: u32, name: u32, length: u32, value: u32, size: u32) {
            let ((name, length), (value, size)) = (slice(&m, name, length), slice(&m, value, size));
            host::proxy_replace_header_map_value(map, name, length, value, size)
        }
        proxy_add_header_map_value(m, map: u32, name: u32, length: u32, value: u32, size: u32) {
            let ((name, length), (value, size)) = (slice(&m, name, length), slice(&m, value, size));
            host::proxy_add_header_map_value(map, name, length, value, size)
        }
        proxy_get_buffer_bytes(m, buffer: u32, start: u32, most: u32, data: u32, size: u32) {
            take(&mut m, (data, size), |data, size| {
                host::proxy_get_buffer_bytes(buffer, start as usize, most as usize, data, size)
            })
        }
        proxy_get_property(m, path: u32, length: u32, data: u32, size: u32) {
            let (path, length) = slice(&m, path, length);
            take(&mut m, (data, size), |data, size| host::proxy_get_property(path, length, data, size))
        }
        proxy_set_property(m, path: u32, length: u32, value: u32, size: u32) {
            let ((path, length), (value, size)) = (slice(&m, path, length), slice(&m, value, size));
            host::proxy_set_property(path, length, value, size)
        }
        proxy_get_shared_data(m, key: u32, length: u32, data: u32, size: u32, place: u32) {
            let (key, length) = slice(&m, key, length);
            number!(m, place, u32, |out| take(&mut m, (data, size), |data, size| {
                host::proxy_get_shared_data(key, length, data, size, out)
            }))
        }
        proxy_set_shared_data(m, key: u32, length: u32, value: u32, size: u32, cas: u32) {
            let ((key, length), (value, size)) = (slice(&m, key, length), slice(&m, value, size));
            host::proxy_set_shared_data(key, length, value, size, cas)
        }
        proxy_define_metric(m, kind: u32, name: u32, length: u32, place: u32) {
            let (name, length) = slice(&m, name, length);
            number!(m, place, u32, |out| host::proxy_define_metric(kind, name, length, out))
        }
        proxy_increment_metric(m, id: u32, offset: i64) { host::proxy_increment_metric(id, offset) }
        proxy_record_metric(m, id: u32, value: u64) { host::proxy_record_metric(id, value) }
        proxy_send_local_response(m, status: u32, details: u32, details_size: u32, body: u32, body_size: u32, headers: u32, headers_size: u32, grpc: i32) {
            let (details, details_size) = slice(&m, details, details_size);
            let (body, body_size) = slice(&m, body, body_size);
            let (headers, headers_size) = slice(&m, headers, headers_size);
            host::proxy_send_local_response(status, details, details_size, body, body_size, headers, headers_size, grpc)
        }
        proxy_http_call(m, cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32, trailers: u32, trailers_size: u32, timeout: u32, place: u32) {
            let (cluster, cluster_size) = slice(&m, cluster, cluster_size);
            let (headers, headers_size) = slice(&m, headers, headers_size);
            let (body, body_size) = slice(&m, body, body_size);
            let (trailers, trailers_size) = slice(&m, trailers, trailers_size);
            number!(m, place, u32, |out| host::proxy_http_call(
                cluster, cluster_size, headers, headers_size, body, body_size, trailers, trailers_size, timeout, out,
            ))
        }
    }
    define_standard(linker);
}

/// The WASI imports of the standard library and the filter's clock.
fn define_standard(linker: &mut Linker<Border>) {
    const WASI: &str = "wasi_snapshot_preview1";
    linker
        .func_wrap(
            WASI,
            "clock_time_get",
            |mut module: Module<'_>, _clock: u32, _precision: u64, place: u32| -> u32 {
                module.data().cost.borrow_mut().clock += 1;
                // SAFETY: the result is a local variable of the right type.
                number!(module, place, u64, |out| unsafe {
                    host::proxy_get_current_time_nanoseconds(out)
                })
            },
        )
        .unwrap();
    linker
        .func_wrap(
            WASI,
            "random_get",
            |mut module: Module<'_>, place: u32, size: u32| -> u32 {
                // The same seeds every time, so that the same run costs the same.
                put(&mut module, place, &vec![7; size as usize]);
                0
            },
        )
        .unwrap();
    linker
        .func_wrap(
            WASI,
            "environ_sizes_get",
            |mut module: Module<'_>, count: u32, size: u32| -> u32 {
                put(&mut module, count, &[0; 4]);
                put(&mut module, size, &[0; 4]);
                0
            },
        )
        .unwrap();
    linker
        .func_wrap(
            WASI,
            "environ_get",
            |_: Module<'_>, _: u32, _: u32| -> u32 { 0 },
        )
        .unwrap();
}
