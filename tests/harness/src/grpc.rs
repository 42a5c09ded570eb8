//! As much of gRPC as tests speak: messages with their five bytes in front, and statuses in
//! trailers, or in the head where there is nothing else. It needs HTTP/2 on both sides.

use hyper::Request;
use hyper::body::Bytes;

use crate::client::Answer;
use crate::reply::Reply;

/// A message as it goes over the wire.
pub fn message(payload: impl AsRef<[u8]>) -> Bytes {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a message of a test is short");
    [&[0], &length.to_be_bytes()[..], payload].concat().into()
}

/// The messages of a body, as text; what does not end is left out.
pub fn messages(mut body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((&[_, a, b, c, d], rest)) = body.split_first_chunk() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            break;
        };
        found.push(String::from_utf8_lossy(payload).into_owned());
        body = rest;
    }
    found
}

/// The head of a call.
///
/// # Panics
/// When `path` is not a request target.
pub fn head(path: &str) -> Request<()> {
    Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("the path is a request target")
}

/// A call with one message.
///
/// # Panics
/// When `path` is not a request target.
pub fn call(path: &str, payload: &str) -> Request<Bytes> {
    head(path).map(|()| message(payload))
}

/// The beginning of an answer with messages; [`Reply::send`] adds one, and [`end`] its status.
pub fn stream() -> Reply {
    Reply::ok().header("content-type", "application/grpc")
}

/// The end of an answer, with this status.
#[must_use]
pub fn end(reply: Reply, status: u32) -> Reply {
    reply.trailers(&[("grpc-status", &status.to_string())])
}

/// A good answer of one message.
pub fn reply(payload: &str) -> Reply {
    end(stream().send(message(payload)), 0)
}

/// An answer that consists of a status only.
pub fn failure(status: u32) -> Reply {
    stream().header("grpc-status", status.to_string())
}

/// What an answer says of itself, in its trailers or else in its head.
pub fn status(answer: &Answer) -> Option<u32> {
    let found = answer.trailers.get("grpc-status");
    let found = found.or_else(|| answer.headers.get("grpc-status"))?;
    found.to_str().ok()?.parse().ok()
}
