//! A pool as configured, on the wire.

use serde::{Deserialize, Serialize};

/// The record under the key of a pool's description.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    pub(crate) strategy: &'a str,
    pub(crate) half_open_requests: u32,
    pub(crate) limit: u32,
    pub(crate) is_dynamic: bool,
    /// In nanoseconds.
    pub(crate) keepalive_expiry: u64,
    /// In nanoseconds.
    pub(crate) window: u64,
    /// A share, 0.0..=1.0.
    pub(crate) panic_threshold: Option<f64>,
    pub(crate) is_checked: bool,
    #[serde(borrow)]
    pub(crate) endpoints: Vec<Endpoint<'a>>,
}

/// An endpoint as configured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) name: &'a str,
    /// As [`steerage_policy::endpoint::Weight`] accepts it.
    pub(crate) weight: f64,
    pub(crate) enabled: bool,
}
