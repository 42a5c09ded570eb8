//! The callbacks of one HTTP stream. Each hands on to the worker, which keeps the stream's state,
//! so that the root context's callbacks find it there too.

use core::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::timers::StreamId;
use super::worker::Worker;

/// One HTTP stream.
#[derive(Debug)]
pub(super) struct Http {
    id: StreamId,
    worker: Rc<RefCell<Worker>>,
}

impl Http {
    pub(super) const fn new(id: StreamId, worker: Rc<RefCell<Worker>>) -> Self {
        Self { id, worker }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "sabotage")]
        super::sabotage::obey();
        self.worker
            .borrow_mut()
            .request_headers(self.id, end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.worker
            .borrow_mut()
            .request_body(self.id, size, end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.worker.borrow_mut().request_trailers(self.id)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.worker.borrow_mut().response_headers(self.id)
    }
}

impl Drop for Http {
    /// However a stream ends, the host deletes its context, and with it this.
    fn drop(&mut self) {
        self.worker.borrow_mut().stream_closed(self.id);
    }
}
