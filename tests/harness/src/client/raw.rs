//! Bytes as they are, for what no client would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::HarnessError;

/// Sends `bytes` as they are over a new connection and reads what comes back: to the end of
/// the first complete response, or until the connection closes. A reset counts as a close.
///
/// # Errors
/// When the connection is refused, or when neither has happened after 10 s.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>, HarnessError> {
    let doing = || format!("raw exchange with {addr}");
    tokio::time::timeout(RAW_PATIENCE, async {
        let mut stream = TcpStream::connect(addr)
            .await
            .map_err(HarnessError::io(doing()))?;
        // A server may answer and close before it has read all; its answer still counts.
        let _cut_short = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        while !is_complete(&answer) {
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(answer)
    })
    .await
    .map_err(|_| HarnessError::Timeout {
        doing: doing(),
        after: RAW_PATIENCE,
    })?
}

/// Whether `bytes` hold a whole final response. One without a length ends with its connection.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head_length = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(0, |at| at + 4);
    let rest = bytes.get(head_length..).unwrap_or_default();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    if status.starts_with('1') {
        return is_complete(rest);
    }
    let value = |wanted: &str| {
        lines
            .clone()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(name, value)| {
                name.eq_ignore_ascii_case(wanted)
                    .then(|| value.trim().to_ascii_lowercase())
            })
    };
    if status == "204" || status == "304" {
        return true;
    }
    if value("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
        return rest == b"0\r\n\r\n" || rest.ends_with(b"\r\n0\r\n\r\n");
    }
    value("content-length")
        .and_then(|length| length.parse().ok())
        .is_some_and(|length| rest.len() >= length)
}

/// Less than a client's patience: a server that waits for more is a likely mistake here.
const RAW_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_answer_is_complete_at_the_end_of_its_body() {
        for (bytes, complete) in [
            ("", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\nuntil close", false),
            ("HTTP/1.1 100 Continue\r\n\r\n", false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                true,
            ),
        ] {
            assert_eq!(is_complete(bytes.as_bytes()), complete, "{bytes:?}");
        }
    }
}
