//! What kind of messages the body of an answer is made of.

/// How the body of an answer is divided into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Server-sent events: `text/event-stream` (WHATWG HTML §9.2).
    Sse,
    /// Messages of gRPC, each behind its length: `application/grpc`
    /// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
    Grpc,
    /// Anything else: nothing says where a message ends.
    Other,
}

impl Body {
    /// The kind of a body with this `content-type`, in any case and with any parameters (RFC 9110
    /// §8.3.1). Empty: there is none.
    ///
    /// gRPC-Web is [`Body::Other`], because its messages may be in base64. So is a body with a
    /// content coding, whatever its type: the caller has to know that.
    #[must_use]
    pub fn of(content_type: &[u8]) -> Self {
        let media_type = content_type.split(|byte| *byte == b';').next();
        let media_type = media_type.unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"text/event-stream") {
            return Self::Sse;
        }
        // Behind it stands how messages are encoded, as in `application/grpc+proto`.
        match media_type.split_at_checked(GRPC.len()) {
            Some((grpc, [] | [b'+', ..])) if grpc.eq_ignore_ascii_case(GRPC) => Self::Grpc,
            _ => Self::Other,
        }
    }
}

const GRPC: &[u8] = b"application/grpc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_its_type_says() {
        for (content_type, body) in [
            ("text/event-stream", Body::Sse),
            ("text/event-stream; charset=utf-8", Body::Sse),
            ("text/event-stream;charset=utf-8", Body::Sse),
            ("Text/Event-Stream ; charset=UTF-8", Body::Sse),
            (" text/event-stream", Body::Sse),
            ("text/event-stream-v2", Body::Other),
            ("text/event", Body::Other),
            ("application/grpc", Body::Grpc),
            ("application/grpc+proto", Body::Grpc),
            ("application/GRPC+json; x=y", Body::Grpc),
            ("application/grpc;x=y", Body::Grpc),
            ("application/grpc-web+proto", Body::Other),
            ("application/grpcs", Body::Other),
            ("application/json", Body::Other),
            ("application/json; text/event-stream", Body::Other),
            ("", Body::Other),
            (";", Body::Other),
        ] {
            assert_eq!(Body::of(content_type.as_bytes()), body, "{content_type}");
        }
    }
}
