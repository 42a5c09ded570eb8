//! The filter's side of the ABI: what a host calls, in one of two guests.
//!
//! Unless told otherwise the guest is the filter that is linked into the test: the SDK exports these
//! functions, and naming them here also makes the linker keep its dispatcher. After [`stand_in`] the
//! guest of this thread is another one, such as a module in an engine.
//!
//! Whether the filter is running is noted here too, so that an allocator can tell its allocations from
//! those of the host: a guest's callback begins it, and what the host does meanwhile is [`outside`].

use std::cell::{Cell, RefCell};

use proxy_wasm::types::Action;

/// A guest in place of the linked filter.
pub(crate) trait Guest {
    /// Calls an exported function; what it returns, or 0 if that is nothing.
    fn call(&mut self, callback: &'static str, arguments: &[u32]) -> u32;
}

thread_local! {
    static GUEST: RefCell<Option<Box<dyn Guest>>> = const { RefCell::new(None) };
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
    let before = INSIDE.replace(false);
    let result = work();
    INSIDE.set(before);
    result
}

/// Memory for something that is handed to the guest. It is the guest's own, or, for a guest that has
/// a memory apart, a leaked box that the stand-in moves there and frees.
pub(super) fn allocate(size: usize) -> *mut u8 {
    if STOOD_IN.get() {
        let bytes: Box<[u8]> = vec![0; size].into();
        return Box::into_raw(bytes).cast();
    }
    let before = INSIDE.replace(true);
    let memory = linked::proxy_on_memory_allocate(size);
    INSIDE.set(before);
    memory
}

fn nothing(_: u32) {}

fn action(value: u32) -> Action {
    match value {
        0 => Action::Continue,
        _ => Action::Pause,
    }
}

/// Callbacks by name, each with how the number is read that a stand-in returns.
macro_rules! callbacks {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?, $read:expr;)*) => {
        mod linked {
            use super::Action;
            // SAFETY: the signatures repeat those of `proxy-wasm` 0.2.5 (`dispatcher.rs`,
            // `allocator.rs`), which defines all of these as safe functions. A context id that it
            // does not know makes it panic; the fake never passes one.
            unsafe extern "C" {
                pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
                $(pub(super) safe fn $name($($argument: $kind),*) $(-> $result)?;)*
            }
        }
        $(pub(super) fn $name($($argument: $kind),*) $(-> $result)? {
            if STOOD_IN.get() {
                let arguments = [$(number($argument)),*];
                return GUEST.with_borrow_mut(|guest| {
                    let guest = guest.as_mut().map(|guest| guest.call(stringify!($name), &arguments));
                    $read(guest.unwrap_or(0))
                });
            }
            INSIDE.set(true);
            let result = linked::$name($($argument),*);
            INSIDE.set(false);
            result
        })*
    };
}

/// A size, an id or a truth as a number of a 32-bit guest.
fn number(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}

callbacks! {
    proxy_on_context_create(context: u32, root: u32), nothing;
    proxy_on_vm_start(context: u32, size: usize) -> bool, |value| value != 0;
    proxy_on_configure(context: u32, size: usize) -> bool, |value| value != 0;
    proxy_on_tick(context: u32), nothing;
    proxy_on_queue_ready(context: u32, queue: u32), nothing;
    proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action, action;
    proxy_on_request_body(context: u32, size: usize, end: bool) -> Action, action;
    proxy_on_request_trailers(context: u32, count: usize) -> Action, action;
    proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action, action;
    proxy_on_response_body(context: u32, size: usize, end: bool) -> Action, action;
    proxy_on_response_trailers(context: u32, count: usize) -> Action, action;
    proxy_on_http_call_response(context: u32, token: u32, headers: usize, body: usize, trailers: usize), nothing;
    proxy_on_log(context: u32), nothing;
    proxy_on_done(context: u32) -> bool, |value| value != 0;
    proxy_on_delete(context: u32), nothing;
}
