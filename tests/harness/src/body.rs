//! Bodies that are sent: whole, at a pace, or as somebody hands them in.
//!
//! Chunks come from an iterator and are made when hyper asks for the next one,
//! so a body of a gigabyte takes no more memory than one chunk.

use std::fmt;
use std::io;
use std::iter::Peekable;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::Sleep;

/// Any body the harness sends.
pub(crate) type OutBody = UnsyncBoxBody<Bytes, io::Error>;

/// The whole body at once; hyper states its length.
pub(crate) fn whole(bytes: Bytes) -> OutBody {
    http_body_util::Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// One chunk after another with a pause between two; hyper sends it chunked.
pub(crate) fn paced(
    chunks: impl IntoIterator<Item = Bytes, IntoIter: Send + 'static>,
    every: Duration,
) -> OutBody {
    Paced::new(Box::new(chunks.into_iter()), every, None).boxed_unsync()
}

/// `length` bytes of `x` in chunks of 64 KiB, with a content-length.
pub(crate) fn large(length: u64) -> OutBody {
    let block = Bytes::from_static(&[b'x'; 64 * 1024]);
    let mut left = length;
    let chunks = std::iter::from_fn(move || {
        // A block's length fits both types, so neither conversion loses anything.
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        left -= size as u64;
        (size > 0).then(|| block.slice(..size))
    });
    Paced::new(Box::new(chunks), Duration::ZERO, Some(length)).boxed_unsync()
}

/// What comes out of the channel, chunked, until its other side is dropped. `None` breaks it off.
pub(crate) fn from_channel(channel: mpsc::UnboundedReceiver<Option<Bytes>>) -> OutBody {
    FromChannel(channel).boxed_unsync()
}

struct Paced {
    chunks: Peekable<Box<dyn Iterator<Item = Bytes> + Send>>,
    every: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    length: Option<u64>,
}

impl Paced {
    fn new(
        chunks: Box<dyn Iterator<Item = Bytes> + Send>,
        every: Duration,
        length: Option<u64>,
    ) -> Self {
        Self {
            chunks: chunks.peekable(),
            every,
            pause: None,
            length,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let chunk = self.chunks.next();
        // No pause after the last chunk: the end belongs to it.
        if !self.every.is_zero() && self.chunks.peek().is_some() {
            self.pause = Some(Box::pin(tokio::time::sleep(self.every)));
        }
        if let (Some(length), Some(chunk)) = (&mut self.length, &chunk) {
            *length -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced")
            .field("every", &self.every)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct FromChannel(mpsc::UnboundedReceiver<Option<Bytes>>);

impl Body for FromChannel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match ready!(self.0.poll_recv(cx)) {
            Some(Some(chunk)) => Some(Ok(Frame::data(chunk))),
            Some(None) => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            None => None,
        })
    }
}
