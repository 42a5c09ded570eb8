//! Memory that crosses the border: the host asks for some, writes what a hostcall returns into it,
//! and gives it up with that.
//!
//! A few bytes, such as a status or a number, are lent from one place that is always there, so that
//! reading them allocates nothing. One hostcall returns one thing, and it is taken over before the
//! next is made, so one such place is enough.

use core::cell::{Cell, UnsafeCell};
use core::mem::ManuallyDrop;

/// Most bytes that are few.
pub const FEW: usize = 16;

/// The place for a few bytes.
struct Lent {
    bytes: UnsafeCell<[u8; FEW]>,
    is_lent: Cell<bool>,
}

thread_local! {
    static LENT: Lent = const {
        Lent {
            bytes: UnsafeCell::new([0; FEW]),
            is_lent: Cell::new(false),
        }
    };
}

/// Memory for the host to write `size` bytes into. The host calls this while a hostcall is under
/// way; it touches nothing of the filter.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    LENT.with(|lent| {
        if size <= FEW && !lent.is_lent.replace(true) {
            return lent.bytes.get().cast();
        }
        ManuallyDrop::new(Vec::<u8>::with_capacity(size)).as_mut_ptr()
    })
}

/// The bytes that a hostcall has returned; empty if it returned none.
///
/// # Safety
/// The pointer is null, or what the host has returned from [`proxy_on_memory_allocate`] for `size`
/// bytes and has written.
#[must_use]
pub unsafe fn taken_over(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    if let Some(few) = given_back(data) {
        return few.get(..size).unwrap_or_default().to_vec();
    }
    // SAFETY: the allocation is that of a vector with this capacity, and the host keeps nothing of
    // it.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// The same for a value of a few bytes; `None` if it has more, or if there is none.
///
/// # Safety
/// As for [`taken_over`].
#[must_use]
pub unsafe fn few_taken_over(data: *mut u8, size: usize) -> Option<([u8; FEW], usize)> {
    if data.is_null() {
        return None;
    }
    if let Some(few) = given_back(data) {
        return Some((few, size));
    }
    // SAFETY: see `taken_over`.
    let more = unsafe { Vec::from_raw_parts(data, size, size) };
    let mut few = [0; FEW];
    few.get_mut(..size)?.copy_from_slice(&more);
    Some((few, size))
}

/// What was lent, if it was this; it can be lent again.
fn given_back(data: *mut u8) -> Option<[u8; FEW]> {
    LENT.with(|lent| {
        if data != lent.bytes.get().cast() {
            return None;
        }
        lent.is_lent.set(false);
        // SAFETY: the host has written it and keeps nothing of it, and nobody else borrows it.
        Some(unsafe { *lent.bytes.get() })
    })
}

/// Runs what the C library wants to be run before anything else of the module.
pub fn construct() {
    #[cfg(target_os = "wasi")]
    {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker defines it, and this is the one call of it.
        unsafe { __wasm_call_ctors() }
    }
}
