//! The values of arguments, read and checked.
//!
//! Example: `east=10.0.1.7:8080` is the [`Address`] of the cluster `east`.

use std::time::Duration;

use steerage_config::duration;

/// Where a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) cluster: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate: &f64| *rate > 0.0 && *rate <= 1e9)
        .ok_or_else(|| "must be a number above 0".into())
}

pub(super) fn span(text: &str) -> Result<Duration, String> {
    duration::from_text(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "must be a duration above 0 and at most 24 h, such as 500ms or 0.5".into())
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    let (cluster, place) = text.rsplit_once('=').ok_or("must be CLUSTER=HOST:PORT")?;
    let (host, port) = host_and_port(place)?;
    Ok(Address {
        cluster: cluster.into(),
        host,
        port,
    })
}

pub(super) fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("must be HOST:PORT")?;
    let port = port.parse().map_err(|_| "must end with a port")?;
    // Envoy wants an IPv6 address without its brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must begin with a host".into());
    }
    Ok((host.into(), port))
}

pub(super) fn sha256(text: &str) -> Result<String, String> {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(hexadecimal) {
        Ok(text.into())
    } else {
        Err("must be 64 digits of 0 to 9 and a to f".into())
    }
}

pub(super) fn kubernetes_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.into())
    } else {
        Err("must be a name of lower-case letters, digits and `-`".into())
    }
}
