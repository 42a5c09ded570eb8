//! The request of a stream, which actions share.

use core::mem;
use core::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::headers::HeaderMap;
use crate::request::Request;

/// A stream's request. Actions share it without a copy; before the first that does, sharing costs
/// nothing.
#[derive(Debug)]
pub(crate) enum Kept {
    Own(Request),
    Shared(Arc<Request>),
}

impl Kept {
    /// The request for an action.
    pub(crate) fn share(&mut self) -> Arc<Request> {
        let shared = match self {
            Self::Shared(shared) => Arc::clone(shared),
            Self::Own(request) => {
                let empty = Request::arrived(HeaderMap::default(), "", true);
                Arc::new(mem::replace(request, empty))
            }
        };
        *self = Self::Shared(Arc::clone(&shared));
        shared
    }

    /// Frees what is kept only for a repeat. Actions keep what they share.
    pub(crate) fn forget(&mut self) {
        match self {
            Self::Own(request) => request.forget(),
            Self::Shared(shared) => {
                let request = shared.without_content();
                *self = Self::Own(request);
            }
        }
    }
}

impl Deref for Kept {
    type Target = Request;

    fn deref(&self) -> &Request {
        match self {
            Self::Own(request) => request,
            Self::Shared(shared) => shared,
        }
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Request {
        match self {
            Self::Own(request) => request,
            // Copied only while an action that shares it waits to be performed.
            Self::Shared(shared) => Arc::make_mut(shared),
        }
    }
}
