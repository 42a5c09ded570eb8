//! The host's functions as the proxy-wasm ABI 0.2.1 declares them.
//!
//! Here a status is a number like any other: a host that refuses is no reason to take down every request
//! of the worker.
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

/// 0 is success; everything else says what went wrong.
pub(super) type Status = u32;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    pub(super) fn proxy_get_header_map_pairs(
        map: u32,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    pub(super) fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> Status;

    pub(super) fn proxy_get_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    pub(super) fn proxy_replace_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    pub(super) fn proxy_add_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    pub(super) fn proxy_remove_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
    ) -> Status;

    pub(super) fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    pub(super) fn proxy_get_property(
        path_data: *const u8,
        path_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    pub(super) fn proxy_http_call(
        cluster_data: *const u8,
        cluster_size: usize,
        headers_data: *const u8,
        headers_size: usize,
        body_data: *const u8,
        body_size: usize,
        trailers_data: *const u8,
        trailers_size: usize,
        timeout: u32,
        return_token: *mut u32,
    ) -> Status;

    pub(super) fn proxy_send_local_response(
        status: u32,
        details_data: *const u8,
        details_size: usize,
        body_data: *const u8,
        body_size: usize,
        headers_data: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> Status;

    pub(super) fn proxy_continue_stream(stream: u32) -> Status;

    pub(super) fn proxy_get_shared_data(
        key_data: *const u8,
        key_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
        return_cas: *mut u32,
    ) -> Status;

    pub(super) fn proxy_set_shared_data(
        key_data: *const u8,
        key_size: usize,
        value_data: *const u8,
        value_size: usize,
        cas: u32,
    ) -> Status;

    pub(super) fn proxy_log(level: u32, line_data: *const u8, line_size: usize) -> Status;

    pub(super) fn proxy_define_metric(
        kind: u32,
        name_data: *const u8,
        name_size: usize,
        return_id: *mut u32,
    ) -> Status;

    pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> Status;

    pub(super) fn proxy_record_metric(id: u32, value: u64) -> Status;

    pub(super) fn proxy_set_property(
        path_data: *const u8,
        path_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    pub(super) fn proxy_get_log_level(return_level: *mut u32) -> Status;

    pub(super) fn proxy_set_effective_context(context: u32) -> Status;

    pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> Status;

    pub(super) fn proxy_get_current_time_nanoseconds(return_time: *mut u64) -> Status;
}

/// Nanoseconds of the monotonic clock, which all workers of a process share: WASI's, because the
/// ABI's own function tells the wall clock. The standard library calls the same import but hides
/// the number.
#[cfg(target_arch = "wasm32")]
pub(super) unsafe fn monotonic_clock(return_time: *mut u64) -> Status {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn clock_time_get(clock: u32, precision: u64, return_time: *mut u64) -> Status;
    }
    const MONOTONIC: u32 = 1;
    // SAFETY: the caller's pointer is valid for one u64.
    unsafe { clock_time_get(MONOTONIC, 0, return_time) }
}

/// The clock of the tests' host, which stands still unless a test moves it.
#[cfg(not(target_arch = "wasm32"))]
pub(super) unsafe fn monotonic_clock(return_time: *mut u64) -> Status {
    // SAFETY: the caller's pointer is valid for one u64.
    unsafe { proxy_get_current_time_nanoseconds(return_time) }
}
