//! The host, typed: the only place that calls it.
//!
//! Nothing here decides anything, and nothing here panics: what the host refuses comes back as a
//! [`Refused`]. Header values and bodies are bytes. Which stream a call concerns is the host's
//! *effective context*: the one whose callback is running, or the one set by [`on_behalf_of`].

mod logger;
mod metric;
mod shared_data;

use core::ptr::{null, null_mut};
use std::time::Duration;

use proxy_wasm_abi as abi;
use steerage_engine::headers::HeaderMap;
use steerage_policy::time::{Instant, nanos};

pub(crate) use logger::{Level, log_to_host};
pub(crate) use metric::{Counter, Gauge, Histogram};
pub(crate) use shared_data::SharedData;

/// The host did not do what it was asked; holds the ABI's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(u32);

impl Refused {
    /// The ABI's word for a name that the host does not know.
    pub(crate) const NOT_FOUND: Self = Self(1);

    /// The ABI's word for an argument that means nothing, such as a cluster that is not there.
    pub(crate) const BAD_ARGUMENT: Self = Self(2);
}

/// A header map that the filter reads or writes. The numbers are the ABI's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    /// Of the request; unreadable once the request's headers have gone on.
    Request = 0,
    /// Of the response.
    Response = 2,
    /// Trailers of the response.
    ResponseTrailers = 3,
    /// Of a call's answer; readable only while the answer is being delivered.
    CallAnswer = 6,
}

/// A body that the filter reads. The numbers are the ABI's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// The part of the request's body that has just arrived.
    Request = 0,
    /// What is held of the response's body, the part that has just arrived included.
    Response = 1,
    /// The whole body of a call's answer.
    CallAnswer = 4,
}

/// A context, by the host's number for it.
pub(crate) type ContextId = u32;

/// A value of a few bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Few {
    bytes: [u8; abi::FEW],
    size: usize,
}

impl AsRef<[u8]> for Few {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

/// Identifies a call until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) u32);

/// Monotonic time, comparable between the workers of one process.
pub(crate) fn now() -> Instant {
    Instant::from_nanos(monotonic_nanos())
}

/// Wall time since the Unix epoch, for the dates in headers.
pub(crate) fn wall_time() -> Duration {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call, which writes one u64. A clock that fails leaves
    // zero, and every date is far ahead.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::proxy_get_current_time_nanoseconds(&raw mut nanos) };
    Duration::from_nanos(nanos)
}

fn monotonic_nanos() -> u64 {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call, which writes one u64. A clock that fails leaves
    // zero, and time stands still.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::monotonic_clock(&raw mut nanos) };
    nanos
}

/// A random number from the host, to seed a generator with.
pub(crate) fn random_seed() -> u64 {
    let mut seed = 0;
    // SAFETY: the pointer is valid for the call, which writes one u64. A host without chance leaves
    // zero.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::random(&raw mut seed) };
    seed
}

/// The plugin's configuration; empty if there is none.
pub(crate) fn configuration() -> Vec<u8> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    buffer(PLUGIN_CONFIGURATION, 0, usize::MAX).unwrap_or_default()
}

/// All headers of `map`.
pub(crate) fn header_map(map: Map) -> Result<HeaderMap, Refused> {
    // SAFETY: the pointers are valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    returned(|data, size| unsafe { abi::proxy_get_header_map_pairs(map as u32, data, size) })
        .map(HeaderMap::from_block)
}

/// Replaces all headers of `map`.
pub(crate) fn set_header_map(map: Map, headers: &[(&[u8], &[u8])]) -> Result<(), Refused> {
    let headers = HeaderMap::of(headers);
    let encoded = headers.as_block();
    // SAFETY: the buffer is valid for the call, which only reads it.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_set_header_map_pairs(map as u32, encoded.as_ptr(), encoded.len()) })
}

/// The first value of the header `name`, which has a few bytes; empty if there is none, or if it
/// has more.
pub(crate) fn few_of_header(map: Map, name: &str) -> Result<Few, Refused> {
    // SAFETY: the pointers are valid for the call, and `name` is valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    few_returned(|data, size| unsafe {
        abi::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    })
}

/// Sets the header `name`, in place of all its values.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: both are valid for the call, which only reads them.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe {
        abi::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Adds a value to those of the header `name`.
pub(crate) fn add_header(map: Map, name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: both are valid for the call, which only reads them.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe {
        abi::proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes all values of the header `name`.
pub(crate) fn remove_header(map: Map, name: &[u8]) -> Result<(), Refused> {
    // SAFETY: `name` is valid for the call, which only reads it.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// The first `size` bytes of `body`.
pub(crate) fn body(body: Body, size: usize) -> Result<Vec<u8>, Refused> {
    if size == 0 {
        return Ok(Vec::new());
    }
    buffer(body as u32, 0, size)
}

/// `size` bytes of what is held of the response's body, from position `start` on.
pub(crate) fn response_body(start: usize, size: usize) -> Result<Vec<u8>, Refused> {
    buffer(Body::Response as u32, start, size)
}

/// The property at `path`, e.g. `["response", "code_details"]`; empty if it has no value now.
pub(crate) fn property(path: &[&str]) -> Vec<u8> {
    // Its parts, separated by zero bytes.
    let path = path.join("\0");
    // SAFETY: the pointers are valid for the call, and `path` is valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    returned(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) })
        .unwrap_or_default()
}

/// The same for a value of a few bytes, such as a number; `path` has its parts joined by zero
/// bytes.
pub(crate) fn few_property(path: &str) -> Few {
    // SAFETY: the pointers are valid for the call, and `path` is valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    few_returned(|data, size| unsafe {
        abi::proxy_get_property(path.as_ptr(), path.len(), data, size)
    })
    .unwrap_or_default()
}

/// Sends a request to `cluster`. The answer comes to the context whose callback is running, and
/// comes even if the stream that it is for has gone.
///
/// Refused if the cluster is unknown, has no host or has no room: then nothing was sent and no
/// answer comes.
pub(crate) fn call<T: AsRef<[u8]>>(
    cluster: &str,
    headers: &[(T, T)],
    body: &[u8],
    timeout: Duration,
) -> Result<Token, Refused> {
    let headers = HeaderMap::of(headers);
    let headers = headers.as_block();
    let trailers = HeaderMap::of::<&str>(&[]);
    let trailers = trailers.as_block();
    // The host takes 0 for "no timeout".
    let timeout = milliseconds(timeout).max(1);
    let mut token = 0;
    // SAFETY: all buffers are valid for the call, which only reads them, and so is the pointer.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe {
        abi::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    })?;
    Ok(Token(token))
}

/// Answers the stream's request. `details` goes to the access log and must not contain spaces. To a
/// client that speaks gRPC the host makes a `grpc-status` of the status unless it is given one, and
/// a `grpc-message` of the body.
pub(crate) fn reply(
    status: u16,
    details: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    grpc_status: Option<u8>,
) -> Result<(), Refused> {
    const NOT_GIVEN: i32 = -1;
    let headers = HeaderMap::of(headers);
    let headers = headers.as_block();
    let body_data = if body.is_empty() {
        null()
    } else {
        body.as_ptr()
    };
    // SAFETY: all buffers are valid for the call, which only reads them.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe {
        abi::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body_data,
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.map_or(NOT_GIVEN, i32::from),
        )
    })
}

/// Lets the stream's paused request go on.
pub(crate) fn resume_request() -> Result<(), Refused> {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: no memory is involved.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_continue_stream(HTTP_REQUEST) })
}

/// Lets the stream's paused response go on.
pub(crate) fn resume_response() -> Result<(), Refused> {
    const HTTP_RESPONSE: u32 = 1;
    // SAFETY: no memory is involved.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_continue_stream(HTTP_RESPONSE) })
}

/// Makes the calls that follow concern another stream.
pub(crate) fn on_behalf_of(context: ContextId) -> Result<(), Refused> {
    // SAFETY: no memory is involved.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_set_effective_context(context) })
}

/// Calls `on_tick` every `period` from now on, rounded up to whole milliseconds; zero stops it.
pub(crate) fn set_tick_period(period: Duration) -> Result<(), Refused> {
    // SAFETY: no memory is involved.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_set_tick_period_milliseconds(milliseconds(period)) })
}

/// Names a value on the stream for access logs: filter state `wasm.` and the name. It can be set
/// once.
pub(crate) fn set_filter_state(name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: both are valid for the call, which only reads them.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Writes a line into the host's log, which drops it if the level is off there.
pub(crate) fn log(level: Level, line: &str) {
    logger::write(level, line);
}

/// What the host's log shows of this plugin at the moment; everything if it does not say.
pub(crate) fn log_level() -> log::LevelFilter {
    let mut level = 0;
    // SAFETY: the pointer is valid for the call, which writes one u32.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::proxy_get_log_level(&raw mut level) };
    match level {
        0 => log::LevelFilter::Trace,
        1 => log::LevelFilter::Debug,
        2 => log::LevelFilter::Info,
        3 => log::LevelFilter::Warn,
        _ => log::LevelFilter::Error,
    }
}

/// `duration` in whole milliseconds, as the host counts: never less than it was.
pub(crate) fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(nanos(duration).div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

fn buffer(buffer: u32, start: usize, size: usize) -> Result<Vec<u8>, Refused> {
    // SAFETY: the pointers are valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    returned(|data, returned_size| unsafe {
        abi::proxy_get_buffer_bytes(buffer, start, size, data, returned_size)
    })
}

fn done(status: abi::Status) -> Result<(), Refused> {
    if status == 0 {
        Ok(())
    } else {
        Err(Refused(status))
    }
}

/// Runs a hostcall that returns bytes; none reads as empty.
fn returned(
    hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> abi::Status,
) -> Result<Vec<u8>, Refused> {
    let (data, size) = returned_raw(hostcall)?;
    // SAFETY: the host has just returned both.
    #[expect(unsafe_code, reason = "a hostcall")]
    Ok(unsafe { abi::taken_over(data, size) })
}

/// The same for a value of a few bytes, which is not allocated; more of them read as none.
fn few_returned(
    hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> abi::Status,
) -> Result<Few, Refused> {
    let (data, size) = returned_raw(hostcall)?;
    // SAFETY: the host has just returned both.
    #[expect(unsafe_code, reason = "a hostcall")]
    let few = unsafe { abi::few_taken_over(data, size) };
    Ok(few.map_or_else(Few::default, |(bytes, size)| Few { bytes, size }))
}

fn returned_raw(
    hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> abi::Status,
) -> Result<(*mut u8, usize), Refused> {
    let mut data: *mut u8 = null_mut();
    let mut size = 0;
    done(hostcall(&raw mut data, &raw mut size))?;
    Ok((data, size))
}
