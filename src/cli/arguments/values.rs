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

/// A server outside of the mesh or the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) cluster: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
}

pub(super) fn external(text: &str) -> Result<External, String> {
    let rule = "must be CLUSTER=https://HOST or CLUSTER=http://HOST, perhaps with a port";
    let (cluster, url) = text.split_once("=http").ok_or(rule)?;
    let (tls, place) = match url.strip_prefix("s://") {
        Some(place) => (true, place),
        None => (false, url.strip_prefix("://").ok_or(rule)?),
    };
    let place = place.trim_end_matches('/');
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| rule)?),
        None => (place, if tls { 443 } else { 80 }),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    if cluster.is_empty() || host.is_empty() || !host.bytes().all(plain) {
        return Err(rule.into());
    }
    Ok(External {
        cluster: cluster.into(),
        host: host.to_ascii_lowercase(),
        port,
        tls,
    })
}

/// Where Istio fetches modules from.
pub(super) fn module_url(text: &str) -> Result<String, String> {
    let schemes = ["oci://", "https://", "http://", "file://"];
    if schemes
        .iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
    {
        Ok(text.into())
    } else {
        Err("must begin with oci://, https://, http:// or file://".into())
    }
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
    if host.contains('/') {
        return Err("must be a host and a port, not a URL: for a server that speaks TLS use --external CLUSTER=https://HOST".into());
    }
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
