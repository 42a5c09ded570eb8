//! The filter's side of the ABI: what the SDK exports and a host calls.
//!
//! Naming these functions here also makes the linker keep the SDK's dispatcher in the test binary.

use proxy_wasm::types::Action;

// SAFETY: the signatures repeat those of `proxy-wasm` 0.2.5 (`dispatcher.rs`, `allocator.rs`),
// which defines all of these as safe functions. A context id that it does not know makes it panic;
// the fake never passes one.
unsafe extern "C" {
    pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    pub(super) safe fn proxy_on_context_create(context_id: u32, root_context_id: u32);
    pub(super) safe fn proxy_on_vm_start(context_id: u32, vm_configuration_size: usize) -> bool;
    pub(super) safe fn proxy_on_configure(context_id: u32, configuration_size: usize) -> bool;
    pub(super) safe fn proxy_on_tick(context_id: u32);
    pub(super) safe fn proxy_on_queue_ready(context_id: u32, queue_id: u32);
    pub(super) safe fn proxy_on_request_headers(
        context_id: u32,
        num_headers: usize,
        end_of_stream: bool,
    ) -> Action;
    pub(super) safe fn proxy_on_request_body(
        context_id: u32,
        body_size: usize,
        end_of_stream: bool,
    ) -> Action;
    pub(super) safe fn proxy_on_request_trailers(context_id: u32, num_trailers: usize) -> Action;
    pub(super) safe fn proxy_on_response_headers(
        context_id: u32,
        num_headers: usize,
        end_of_stream: bool,
    ) -> Action;
    pub(super) safe fn proxy_on_response_body(
        context_id: u32,
        body_size: usize,
        end_of_stream: bool,
    ) -> Action;
    pub(super) safe fn proxy_on_response_trailers(context_id: u32, num_trailers: usize) -> Action;
    pub(super) safe fn proxy_on_http_call_response(
        context_id: u32,
        token_id: u32,
        num_headers: usize,
        body_size: usize,
        num_trailers: usize,
    );
    pub(super) safe fn proxy_on_log(context_id: u32);
    pub(super) safe fn proxy_on_done(context_id: u32) -> bool;
    pub(super) safe fn proxy_on_delete(context_id: u32);
}
