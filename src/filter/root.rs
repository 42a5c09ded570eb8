//! The callbacks of the root context: configuration, the timer, and the answers to calls.
//!
//! The host makes a root context for each configuration in each worker, and keeps the old one until
//! its last stream has ended; so everything that belongs to a configuration hangs on its root.

use core::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::http::Http;
use super::worker::Worker;
use crate::Extensions;
use crate::host::{self, Token};

/// A root context.
#[derive(Debug)]
pub(crate) struct Root {
    id: u32,
    extensions: fn(&str) -> Extensions,
    /// `None` until it is configured.
    worker: Option<Rc<RefCell<Worker>>>,
}

impl Root {
    /// The root context with the host's number `id`, not configured yet.
    pub(crate) const fn new(id: u32, extensions: fn(&str) -> Extensions) -> Self {
        Self {
            id,
            extensions,
            worker: None,
        }
    }
}

impl Context for Root {
    /// The configuration has been replaced and the last of its streams has ended.
    fn on_done(&mut self) -> bool {
        if let Some(worker) = &self.worker {
            worker.borrow_mut().retire();
        }
        true
    }

    fn on_http_call_response(
        &mut self,
        token: u32,
        header_count: usize,
        body_size: usize,
        _trailer_count: usize,
    ) {
        if let Some(worker) = &self.worker {
            worker
                .borrow_mut()
                .call_answered(Token(token), header_count, body_size);
        }
    }
}

impl RootContext for Root {
    /// Refusing a configuration makes the host keep the one in force, or not start.
    fn on_configure(&mut self, _size: usize) -> bool {
        match steerage_config::parse(&host::configuration()) {
            Ok(config) => {
                let mut worker = Worker::new(self.id, config, self.extensions);
                worker.start();
                self.worker = Some(Rc::new(RefCell::new(worker)));
                true
            }
            Err(errors) => {
                log::error!("the configuration is refused:\n{errors}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            worker.borrow_mut().tick();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.worker {
            Some(worker) => Box::new(Http::new(id, Rc::clone(worker))),
            None => Box::new(Unconfigured),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A stream that passes by before there is a configuration.
#[derive(Debug)]
struct Unconfigured;

impl Context for Unconfigured {}
impl HttpContext for Unconfigured {}
