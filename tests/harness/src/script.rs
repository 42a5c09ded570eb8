//! The body of an answer that is told piece by piece what to do: send, wait, end, break off.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::body::OutBody;

/// A step of a body.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Sends this.
    Data(Bytes),
    /// Sends nothing for this long.
    Pause(Duration),
    /// Sends these and ends.
    Trailers(HeaderMap),
    /// Breaks the answer off.
    Break,
    /// Sends nothing more and does not end.
    Silence,
}

/// How [`Piece::Break`] is done.
#[derive(Clone, Debug)]
pub(crate) enum Breaking {
    /// By a TCP reset, which the connection's task makes when it is told.
    Connection(Arc<Notify>),
    /// By a reset of the stream; the connection goes on.
    Stream,
}

/// The pieces as a body, after all of `echoed` if there is one; hyper states the `length`, if any.
pub(crate) fn scripted(
    pieces: Vec<Piece>,
    length: Option<u64>,
    echoed: Option<Incoming>,
    breaking: Breaking,
) -> OutBody {
    Script {
        echoed,
        pieces: pieces.into(),
        length,
        pause: None,
        breaking,
    }
    .boxed_unsync()
}

struct Script {
    echoed: Option<Incoming>,
    pieces: VecDeque<Piece>,
    length: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
    breaking: Breaking,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        while let Some(echoed) = &mut self.echoed {
            match ready!(Pin::new(echoed).poll_frame(cx)) {
                // The empty frame that ends a request is none of its bytes, and Envoy closes a
                // connection that brings two such frames in succession.
                Some(Ok(frame)) if frame.data_ref().is_some_and(|data| !data.is_empty()) => {
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Ok(_empty_or_trailers)) => {}
                Some(Err(broken)) => return Poll::Ready(Some(Err(io::Error::other(broken)))),
                None => self.echoed = None,
            }
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.pieces.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Piece::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Some(Piece::Pause(pause)) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                }
                Some(Piece::Break) => {
                    // Should hyper ask again before it is dropped, there is nothing more.
                    self.pieces.push_front(Piece::Silence);
                    match &self.breaking {
                        Breaking::Connection(cut) => cut.notify_one(),
                        Breaking::Stream => {
                            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                        }
                    }
                }
                Some(Piece::Silence) => {
                    self.pieces.push_front(Piece::Silence);
                    return Poll::Pending;
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
