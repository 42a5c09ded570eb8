//! Memory that crosses the border: the host asks for some, writes what a hostcall returns into it,
//! and gives it up with that.

use core::mem::ManuallyDrop;

/// Memory for the host to write `size` bytes into. The host calls this while a hostcall is under
/// way; it touches nothing of the filter.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    ManuallyDrop::new(Vec::<u8>::with_capacity(size)).as_mut_ptr()
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
    // SAFETY: the allocation is that of a vector with this capacity, and the host keeps nothing of
    // it.
    unsafe { Vec::from_raw_parts(data, size, size) }
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
