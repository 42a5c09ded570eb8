//! The filter's side of the ABI: what it exports and a host calls.

// SAFETY: the signatures repeat those of the filter (`src/filter/callbacks.rs`, `src/host/memory.rs`), which
// defines all of these as safe functions. The SDK's, which the fake's own tests link, differ in that they say
// `bool` for a number that is 0 or 1: natively both are passed in the same register, widened.
unsafe extern "C" {
    pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    pub(crate) safe fn proxy_on_context_create(context: u32, root: u32);
    pub(super) safe fn proxy_on_vm_start(root: u32, size: usize) -> u32;
    pub(super) safe fn proxy_on_configure(root: u32, size: usize) -> u32;
    pub(crate) safe fn proxy_on_tick(root: u32);
    pub(crate) safe fn proxy_on_request_headers(stream: u32, count: usize, end: u32) -> u32;
    pub(crate) safe fn proxy_on_request_body(stream: u32, size: usize, end: u32) -> u32;
    pub(crate) safe fn proxy_on_request_trailers(stream: u32, count: usize) -> u32;
    pub(crate) safe fn proxy_on_response_headers(stream: u32, count: usize, end: u32) -> u32;
    pub(super) safe fn proxy_on_http_call_response(
        root: u32,
        token: u32,
        headers: usize,
        body_size: usize,
        trailers: usize,
    );
    pub(crate) safe fn proxy_on_delete(context: u32);
}
