//! A filter that does nothing, on the same SDK and built with the same flags as Steerage.
//!
//! A request enters the VM four times whatever the filter does there: it gets a context, its request's and
//! its response's headers pass by, and it ends. That is the floor of any filter, and what Steerage costs above
//! it is Steerage's own.

#![expect(
    missing_docs,
    reason = "the macro of the SDK makes an entry point without"
)]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

#[derive(Debug)]
struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Idle))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// One request, which passes by.
#[derive(Debug)]
struct Idle;

impl Context for Idle {}

impl HttpContext for Idle {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }
}
