//! The 22 functions that the filter imports, in four files by subject, and how memory crosses the
//! border.
//!
//! The functions below take raw pointers and are not marked unsafe, because many functions call
//! them. They are private to this folder, and used only for the arguments of the running hostcall.

mod http;
mod maps;
mod other;
mod shared;

use super::guest;
use super::numbers::Status;
use super::state::hostcall;

/// Reads a slice that the filter passed.
fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the arguments of the running hostcall are the pointer and the length of a slice,
    // which the filter keeps unchanged until the hostcall returns. What outlives it is copied.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// Reads a text that the filter passed. What is not UTF-8 cannot be a name, and is made visible
/// instead of lost.
fn text(data: *const u8, size: usize) -> String {
    guest::outside(|| String::from_utf8_lossy(bytes(data, size)).into_owned())
}

/// Writes a result where the filter wants it.
fn put<T>(place: *mut T, value: T) {
    // SAFETY: the arguments of the running hostcall point to a place of the filter's for a result
    // of this type, aligned and not otherwise in use until the hostcall returns.
    unsafe { place.write(value) };
}

/// Hands bytes to the filter in memory from its own allocator, because the filter frees it as a
/// `Vec` of exactly this size. Nothing is handed over as null, as in Envoy.
fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) {
    let mut memory = std::ptr::null_mut();
    if !value.is_empty() {
        memory = guest::allocate(value.len());
        // SAFETY: the allocator gave `value.len()` bytes that nothing else uses yet.
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), memory, value.len()) };
    }
    put(data, memory);
    put(size, value.len());
}

/// Notes bytes that should be a map and are not.
fn malformed(name: &'static str) -> Status {
    hostcall(name, |state| {
        state.violation(format!("{name} was given a malformed header map"));
        Status::BadArgument
    })
}
