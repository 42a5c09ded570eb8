//! A filter that makes the calls of a steering one, and decides nothing: it takes the clusters in turn.
//!
//! What Steerage promises cannot be done with fewer. A request enters the VM five times: a context begins, the
//! request's headers come by, the response's, the last part of its body, and the context ends. The filter reads the
//! request's headers in one piece, looks at the clock, and sets the cluster, the number of the attempt and how
//! long an upstream may take. Of the response it reads the status, looks at the clock, and, if it is configured to,
//! notes for the access log which endpoint it was, and the number of attempts.
//!
//! There is no allocator and no SDK, and what the host returns is written over the last. So this is the
//! floor, and what Steerage costs above it is what it decides and remembers.

#![expect(
    clippy::disallowed_methods,
    reason = "there is nobody to hand in the time"
)]

use core::ptr::{addr_of_mut, null_mut};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
}

const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;

/// Where the host writes what it returns: larger than any head that it lets pass.
static mut RETURNED: [u8; 1 << 20] = [0; 1 << 20];

/// How many requests there were.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// Whether something is noted for the access log.
static NOTES: AtomicBool = AtomicBool::new(false);

/// The version of the ABI that this module speaks: its name says it.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// The host looks for it. There is nothing to be done.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {}

/// Memory for what the host returns.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(_size: usize) -> *mut u8 {
    addr_of_mut!(RETURNED).cast()
}

/// The host goes on with 1.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

/// Any configuration will do, and with one it notes.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_root: u32, size: usize) -> u32 {
    NOTES.store(size > 0, Ordering::Relaxed);
    1
}

/// A context begins.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

/// A context ends.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {
    look_at_the_clock();
}

/// A request's headers come by.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _count: usize, _end: u32) -> u32 {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the pointers are valid for the call.
    unsafe { proxy_get_header_map_pairs(REQUEST, &raw mut data, &raw mut size) };
    look_at_the_clock();
    let clusters = ["a", "b", "c", "d"];
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let cluster = clusters.get(turn % clusters.len()).unwrap_or(&"a");
    set_header("x-steerage-cluster", cluster);
    set_header("x-envoy-attempt-count", "1");
    set_header("x-envoy-upstream-rq-per-try-timeout-ms", "30000");
    0
}

/// A response's headers come by.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_context: u32, _count: usize, _end: u32) -> u32 {
    let (mut data, mut size) = (null_mut(), 0);
    let name = ":status";
    // SAFETY: `name` and the pointers are valid for the call.
    unsafe {
        proxy_get_header_map_value(
            RESPONSE,
            name.as_ptr(),
            name.len(),
            &raw mut data,
            &raw mut size,
        )
    };
    look_at_the_clock();
    if NOTES.load(Ordering::Relaxed) {
        note("steerage.endpoint", "a");
        note("steerage.attempts", "1");
    }
    0
}

/// Part of a response's body comes by.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_context: u32, _size: usize, _end: u32) -> u32 {
    0
}

fn look_at_the_clock() {
    core::hint::black_box(Instant::now());
}

fn set_header(name: &str, value: &str) {
    // SAFETY: both texts are valid for the call, which only reads them.
    unsafe {
        proxy_replace_header_map_value(
            REQUEST,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
}

/// Sets a part of the request's filter state.
fn note(name: &str, value: &str) {
    // SAFETY: both texts are valid for the call, which only reads them.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}
