//! Memory that crosses the ABI: the host asks for some, writes what a hostcall returns into it, and gives it
//! up with that.

use core::mem::ManuallyDrop;

/// Memory for the host to write `size` bytes into.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    ManuallyDrop::new(Vec::<u8>::with_capacity(size)).as_mut_ptr()
}

/// The bytes that a hostcall has returned; empty if it returned none.
pub(super) fn taken_over(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host returns what `proxy_on_memory_allocate` gave it for `size` bytes and keeps nothing of
    // it: the allocation of a vector with that capacity, now written.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Runs what the C library wants to be run before anything else of the module.
pub(crate) fn construct() {
    #[cfg(target_os = "wasi")]
    {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker defines it, and this is the one call of it.
        unsafe { __wasm_call_ctors() }
    }
}
