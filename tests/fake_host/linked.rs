//! Hostcalls that the SDK links and no test makes: provided methods of its traits, which are in the
//! tables of virtual functions even if unused. The filter does not import them, so the fake has
//! none of them (`tests/wasm.rs`).

macro_rules! absent {
    ($($name:ident)*) => {
        $(
            /// Never called, so its parameters do not matter.
            #[expect(unsafe_code, reason = "a hostcall is found by its name")]
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> u32 {
                const UNIMPLEMENTED: u32 = 12;
                UNIMPLEMENTED
            }
        )*
    };
}

absent! {
    proxy_call_foreign_function
    proxy_close_stream
    proxy_dequeue_shared_queue
    proxy_done
    proxy_enqueue_shared_queue
    proxy_get_status
    proxy_grpc_call
    proxy_grpc_cancel
    proxy_grpc_close
    proxy_grpc_send
    proxy_grpc_stream
    proxy_register_shared_queue
    proxy_resolve_shared_queue
    proxy_set_buffer_bytes
}
