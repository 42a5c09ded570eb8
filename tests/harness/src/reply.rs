//! What an upstream does with a request: answer it, well or badly.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use crate::script::Piece;

/// One answer of an [`Upstream`](crate::Upstream), or its refusal to give one.
///
/// ```
/// # use std::time::Duration;
/// # use steerage_harness::Reply;
/// let slow_failure = Reply::status(503).header("retry-after", "2").delay(Duration::from_millis(80));
/// let crash = Reply::reset();
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
}

/// What follows the delay.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Body(Bytes),
    Hang,
    Large(u64),
    Reset,
    Script {
        pieces: Vec<Piece>,
        length: Option<u64>,
    },
    /// The request's body, as it comes, and then these.
    Echo(Vec<Piece>),
    /// 101, and from then on the bytes that come.
    Upgrade,
}

impl Reply {
    /// 200 without a body.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// An answer with this status and no body.
    ///
    /// # Panics
    /// When `status` is not 100..=999.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status is a number from 100 to 999");
        Self {
            status,
            ..Self::ending(Ending::Body(Bytes::new()))
        }
    }

    /// Closes the connection with a TCP reset (RST) instead of an answer; in HTTP/2, resets the
    /// stream only.
    pub fn reset() -> Self {
        Self::ending(Ending::Reset)
    }

    /// Never answers; ends when the other side goes away.
    pub fn hang() -> Self {
        Self::ending(Ending::Hang)
    }

    /// Appends a header; a name given twice is sent twice. The value may hold any bytes that
    /// a header may hold, UTF-8 or not.
    ///
    /// # Panics
    /// When the name or the value cannot be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name is a token");
        let value =
            HeaderValue::from_bytes(value.as_ref()).expect("a header's value holds no line breaks");
        self.headers.append(name, value);
        self
    }

    /// Sends this body, whole and with its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.ending = Ending::Body(body.into());
        self
    }

    /// Waits this long before the headers, or before whatever else is done.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends a chunked body, one chunk `every` so long; the first goes out at once.
    #[must_use]
    pub fn stream<C: Into<Bytes>>(
        mut self,
        chunks: impl IntoIterator<Item = C>,
        every: Duration,
    ) -> Self {
        let pieces = self.pieces();
        for chunk in chunks {
            // No pause after the last chunk: the end belongs to it.
            if !pieces.is_empty() && !every.is_zero() {
                pieces.push(Piece::Pause(every));
            }
            pieces.push(Piece::Data(chunk.into()));
        }
        self
    }

    /// Sends this chunk next. The body is chunked, and ends after the last of what it is told.
    #[must_use]
    pub fn send(self, chunk: impl Into<Bytes>) -> Self {
        self.then(Piece::Data(chunk.into()))
    }

    /// Then sends nothing for so long.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        self.then(Piece::Pause(pause))
    }

    /// Then ends with these trailers. In HTTP/1 only those go out that a header `trailer` names, and
    /// only to who sent `te: trailers`.
    ///
    /// # Panics
    /// When a name or a value cannot be sent.
    #[must_use]
    pub fn trailers(self, trailers: &[(&str, &str)]) -> Self {
        let trailers = Self::ok().headers(trailers).headers;
        self.then(Piece::Trailers(trailers))
    }

    /// Then breaks off: resets the connection (in HTTP/2, the stream), when what was sent so far
    /// has left.
    #[must_use]
    pub fn break_off(self) -> Self {
        self.then(Piece::Pause(LEAVES)).then(Piece::Break)
    }

    /// Then sends nothing more, and does not end.
    #[must_use]
    pub fn silence(self) -> Self {
        self.then(Piece::Silence)
    }

    /// Sends the request's body back as it comes. Only for behaviours that [do not read
    /// it](crate::Upstream::set_early). What is added next follows its end.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.ending = Ending::Echo(Vec::new());
        self
    }

    /// Switches protocols (101) to the one that the request asks for, which is one that sends
    /// every byte back.
    pub fn upgrade() -> Self {
        Self {
            status: StatusCode::SWITCHING_PROTOCOLS,
            ..Self::ending(Ending::Upgrade)
        }
    }

    /// Sends a body of `bytes` letters `x`, made on the fly.
    #[must_use]
    pub fn large(mut self, bytes: u64) -> Self {
        self.ending = Ending::Large(bytes);
        self
    }

    /// Sends the headers and a content-length, then resets the connection (in HTTP/2, the stream)
    /// before the body.
    #[must_use]
    pub fn reset_after_headers(mut self) -> Self {
        self.ending = Ending::Script {
            pieces: vec![Piece::Pause(LEAVES), Piece::Break],
            length: Some(1000),
        };
        self
    }

    /// [`Reply::header`], of each.
    ///
    /// # Panics
    /// As [`Reply::header`].
    #[must_use]
    pub fn headers(self, headers: &[(&str, &str)]) -> Self {
        let add = |reply: Self, &(name, value): &(&str, &str)| reply.header(name, value);
        headers.iter().fold(self, add)
    }

    fn then(mut self, piece: Piece) -> Self {
        self.pieces().push(piece);
        self
    }

    /// The pieces of a body that comes in pieces, which it is from now on.
    fn pieces(&mut self) -> &mut Vec<Piece> {
        if !matches!(self.ending, Ending::Script { .. } | Ending::Echo(_)) {
            self.ending = Ending::Script {
                pieces: Vec::new(),
                length: None,
            };
        }
        match &mut self.ending {
            Ending::Script { pieces, .. } | Ending::Echo(pieces) => pieces,
            _ => unreachable!("it was just made one"),
        }
    }

    fn ending(ending: Ending) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            delay: Duration::ZERO,
            ending,
        }
    }
}

/// Long enough for what was sent to be read before the connection is reset, because a reset may
/// overtake what has not been read yet.
const LEAVES: Duration = Duration::from_millis(20);
