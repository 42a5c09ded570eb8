//! Request bodies that the test sends piece by piece.

use hyper::body::Bytes;
use tokio::sync::mpsc;

use crate::body::{self, OutBody};

/// The body of a request that [`Client::open`](crate::Client::open) sends.
#[derive(Debug)]
pub struct SentBody(pub(super) OutBody);

impl From<Bytes> for SentBody {
    fn from(bytes: Bytes) -> Self {
        Self(body::whole(bytes))
    }
}

impl SentBody {
    /// A body of what is [sent](Outgoing::send).
    pub fn piecewise() -> (Outgoing, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Outgoing(sender), Self(body::from_channel(receiver)))
    }
}

/// The other end of a body, which ends when this is dropped.
#[derive(Debug)]
pub struct Outgoing(mpsc::UnboundedSender<Option<Bytes>>);

impl Outgoing {
    /// Sends this next. It is lost if nobody wants it any more.
    pub fn send(&self, piece: impl Into<Bytes>) {
        let _unwanted = self.0.send(Some(piece.into()));
    }

    /// Breaks the request off.
    pub fn break_off(self) {
        let _unwanted = self.0.send(None);
    }
}
