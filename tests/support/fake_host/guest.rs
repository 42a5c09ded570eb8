//! The filter's side of the ABI: the exports that a host calls, in one of two guests.
//!
//! By default the guest is the filter that is linked into the test. After [`stand_in`] this thread
//! has another guest, such as a module in an engine.
//!
//! This module also records whether the linked filter is running, so that an allocator can
//! distinguish its allocations from those of the host: a callback begins it, and the host's work
//! meanwhile is [`outside`].

use std::cell::{Cell, RefCell};

/// A guest in place of the linked filter.
pub(crate) trait Guest {
    /// Calls an exported function; what it returns, or 0 if that is nothing.
    fn call(&mut self, callback: &'static str, arguments: &[u32]) -> u32;
}

thread_local! {
    static GUEST: RefCell<Option<Box<dyn Guest>>> = const { RefCell::new(None) };
    /// Beside the guest itself, which is borrowed while it runs.
    static STOOD_IN: Cell<bool> = const { Cell::new(false) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Makes another guest this thread's.
pub(crate) fn stand_in(guest: impl Guest + 'static) {
    STOOD_IN.set(true);
    GUEST.set(Some(Box::new(guest)));
}

/// Whether the linked filter is running, and not the host that it has called.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// Does a part of the host's work while the filter waits for it.
pub(super) fn outside<R>(work: impl FnOnce() -> R) -> R {
    run(false, work)
}

fn run<R>(inside: bool, work: impl FnOnce() -> R) -> R {
    let before = INSIDE.replace(inside);
    let result = work();
    INSIDE.set(before);
    result
}

/// Memory for something that is handed to the guest. It is the guest's own, or, for a guest that
/// has its own memory, a leaked box that the stand-in moves there and frees.
pub(super) fn allocate(size: usize) -> *mut u8 {
    if STOOD_IN.get() {
        let bytes: Box<[u8]> = vec![0; size].into();
        return Box::into_raw(bytes).cast();
    }
    run(true, || linked::proxy_on_memory_allocate(size))
}

/// Calls this thread's stand-in.
fn ask(callback: &'static str, arguments: &[u32]) -> u32 {
    GUEST.with_borrow_mut(|guest| {
        let guest = guest.as_mut();
        guest.map_or(0, |guest| guest.call(callback, arguments))
    })
}

/// An id, a size or a truth as a number of a 32-bit guest.
fn number(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}

macro_rules! callbacks {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        mod linked {
            // SAFETY: the signatures repeat those of the filter (`src/filter/callbacks.rs`,
            // `src/host/memory.rs`), which defines all of these as safe functions. The SDK's, which
            // the fake's own tests link, differ in that they say `bool` for a number that is 0 or
            // 1: natively both are passed in the same register, widened.
            unsafe extern "C" {
                pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
                $(pub(super) safe fn $name($($argument: $kind),*) $(-> $result)?;)*
            }
        }
        $(pub(crate) fn $name($($argument: $kind),*) $(-> $result)? {
            if STOOD_IN.get() {
                let _answer = ask(stringify!($name), &[$(number($argument)),*]);
                return $(<$result>::from(_answer))?;
            }
            run(true, || linked::$name($($argument),*))
        })*
    };
}

callbacks! {
    proxy_on_context_create(context: u32, root: u32);
    proxy_on_vm_start(root: u32, size: usize) -> u32;
    proxy_on_configure(root: u32, size: usize) -> u32;
    proxy_on_tick(root: u32);
    proxy_on_request_headers(stream: u32, count: usize, end: u32) -> u32;
    proxy_on_request_body(stream: u32, size: usize, end: u32) -> u32;
    proxy_on_request_trailers(stream: u32, count: usize) -> u32;
    proxy_on_response_headers(stream: u32, count: usize, end: u32) -> u32;
    proxy_on_response_body(stream: u32, size: usize, end: u32) -> u32;
    proxy_on_response_trailers(stream: u32, count: usize) -> u32;
    proxy_on_http_call_response(root: u32, token: u32, headers: usize, body: usize, trailers: usize);
    proxy_on_delete(context: u32);
}
