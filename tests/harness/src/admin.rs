//! Envoy's admin interface: where it and the listeners are, and what it says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::Value;

use crate::client::{self, Answer};
use crate::error::HarnessError;

/// The names and addresses of all listeners on sockets, in the order of the configuration.
pub(crate) async fn listeners(addr: SocketAddr) -> Result<Vec<(String, SocketAddr)>, HarnessError> {
    let text = ask(addr, Method::GET, "/listeners?format=json").await?;
    let found = serde_json::from_str::<Value>(&text).ok();
    let found = found
        .as_ref()
        .and_then(|value| value.get("listener_statuses"))
        .and_then(Value::as_array);
    let listener = |status: &Value| -> Option<(String, SocketAddr)> {
        let name = status.get("name")?.as_str()?;
        let socket = status.pointer("/local_address/socket_address")?;
        let ip: IpAddr = socket.get("address")?.as_str()?.parse().ok()?;
        let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
        Some((name.to_owned(), reachable(SocketAddr::new(ip, port))))
    };
    found
        .map(|statuses| statuses.iter().filter_map(listener).collect())
        .ok_or_else(|| HarnessError::Unexpected {
            doing: "list Envoy's listeners".to_owned(),
            found: text.clone(),
        })
}

/// The body of an admin page.
pub(crate) async fn ask(
    addr: SocketAddr,
    method: Method,
    path: &str,
) -> Result<String, HarnessError> {
    let doing = || format!("{method} {path} of Envoy's admin interface");
    let request = Request::builder()
        .method(&method)
        .uri(path)
        .body(Bytes::new())
        .map_err(|error| HarnessError::Unexpected {
            doing: doing(),
            found: error.to_string(),
        })?;
    let answer: Answer = client::request(addr, request).await?;
    if answer.status == 200 {
        return Ok(answer.text());
    }
    Err(HarnessError::Unexpected {
        doing: doing(),
        found: format!("{} {}", answer.status, answer.text()),
    })
}

/// What is bound to every address is reached through the loopback address.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port())
    } else {
        addr
    }
}

/// Encodes a query parameter's value: everything but letters, digits and `-._~`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
