//! The host's functions as the proxy-wasm ABI 0.2.1 declares them.
//!
//! Here a status is a number like any other: a host that refuses is no reason to take down every
//! request of the worker.
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

/// 0 is success; everything else says what went wrong.
pub type Status = u32;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// All pairs of a header map, in one block of memory.
    pub fn proxy_get_header_map_pairs(
        map: u32,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    /// Replaces all pairs of a header map.
    pub fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> Status;

    /// The first value of a name in a header map.
    pub fn proxy_get_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    /// Sets a name in a header map, in place of all its values.
    pub fn proxy_replace_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    /// Adds a value to those of a name in a header map.
    pub fn proxy_add_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    /// Removes all values of a name from a header map.
    pub fn proxy_remove_header_map_value(
        map: u32,
        name_data: *const u8,
        name_size: usize,
    ) -> Status;

    /// Bytes of a body, or of the configuration.
    pub fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    /// A property of the stream or of the plugin; its path has zero bytes between its parts.
    pub fn proxy_get_property(
        path_data: *const u8,
        path_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> Status;

    /// Sends a request to a cluster; the answer comes to the root context, by this token.
    pub fn proxy_http_call(
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

    /// Answers the request of the effective context.
    pub fn proxy_send_local_response(
        status: u32,
        details_data: *const u8,
        details_size: usize,
        body_data: *const u8,
        body_size: usize,
        headers_data: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> Status;

    /// Lets a paused request (0) or response (1) of the effective context go on.
    pub fn proxy_continue_stream(stream: u32) -> Status;

    /// A shared value with its version.
    pub fn proxy_get_shared_data(
        key_data: *const u8,
        key_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
        return_cas: *mut u32,
    ) -> Status;

    /// Writes a shared value, if its version is still this one.
    pub fn proxy_set_shared_data(
        key_data: *const u8,
        key_size: usize,
        value_data: *const u8,
        value_size: usize,
        cas: u32,
    ) -> Status;

    /// Writes a line into the log of the host.
    pub fn proxy_log(level: u32, line_data: *const u8, line_size: usize) -> Status;

    /// Defines a counter (0), gauge (1) or histogram (2).
    pub fn proxy_define_metric(
        kind: u32,
        name_data: *const u8,
        name_size: usize,
        return_id: *mut u32,
    ) -> Status;

    /// Adds to a counter.
    pub fn proxy_increment_metric(id: u32, offset: i64) -> Status;

    /// Sets a gauge, or records a value in a histogram.
    pub fn proxy_record_metric(id: u32, value: u64) -> Status;

    /// Notes a value on the stream, as filter state.
    pub fn proxy_set_property(
        path_data: *const u8,
        path_size: usize,
        value_data: *const u8,
        value_size: usize,
    ) -> Status;

    /// The level from which the host logs.
    pub fn proxy_get_log_level(return_level: *mut u32) -> Status;

    /// Makes the calls that follow concern another context.
    pub fn proxy_set_effective_context(context: u32) -> Status;

    /// Sets the period of the root context's timer; 0 stops it.
    pub fn proxy_set_tick_period_milliseconds(period: u32) -> Status;

    /// The wall clock, since the Unix epoch.
    pub fn proxy_get_current_time_nanoseconds(return_time: *mut u64) -> Status;
}

/// Nanoseconds of the monotonic clock, which all workers of a process share: WASI's, because the
/// ABI's own function tells the wall clock. The standard library calls the same import but hides
/// the number.
///
/// # Safety
/// The pointer must be valid for one number.
#[cfg(target_arch = "wasm32")]
pub unsafe fn monotonic_clock(return_time: *mut u64) -> Status {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn clock_time_get(clock: u32, precision: u64, return_time: *mut u64) -> Status;
    }
    const MONOTONIC: u32 = 1;
    // SAFETY: the caller's pointer is valid for one u64.
    unsafe { clock_time_get(MONOTONIC, 0, return_time) }
}

/// The clock of the tests' host, which stands still unless a test moves it.
///
/// # Safety
/// The pointer must be valid for one number.
#[cfg(not(target_arch = "wasm32"))]
pub unsafe fn monotonic_clock(return_time: *mut u64) -> Status {
    // SAFETY: the caller's pointer is valid for one u64.
    unsafe { proxy_get_current_time_nanoseconds(return_time) }
}

/// A random number: WASI's, which the standard library draws its hash seeds from but hides.
///
/// # Safety
/// The pointer must be valid for one number.
pub unsafe fn random(number: *mut u64) -> Status {
    #[cfg_attr(
        target_arch = "wasm32",
        link(wasm_import_module = "wasi_snapshot_preview1")
    )]
    unsafe extern "C" {
        fn random_get(buffer: *mut u8, size: usize) -> Status;
    }
    // SAFETY: the caller's pointer is valid for one u64.
    unsafe { random_get(number.cast(), size_of::<u64>()) }
}
