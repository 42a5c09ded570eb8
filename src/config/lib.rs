//! # steerage-config: from JSON to policy values
//!
//! [`parse`] turns the bytes of a plugin configuration into a [`Config`] of valid policy values, or
//! into *all* of its errors together: each with its place, the offending value and the rule. A
//! person who deploys a configuration learns everything from one refusal, not one error a try.
//!
//! ## How
//! 1. `json` reads the bytes into a tree that forgets nothing, repeated keys included.
//! 2. [`schema`] describes every field of the contract as data: name, kind, default and
//!    meaning. `check` walks the tree along it: unknown and repeated fields, wrong types, ranges.
//! 3. `resolve` reads the checked values into policy values and judges what takes more than one
//!    value: both spellings, duplicates, `total` against `connect` + `read`.
//!
//! Why not `#[derive(Deserialize)]`: it stops at the first error, lets the last of repeated keys win,
//! and costs several times the code. A schema that is data is also what documentation is made of.
//!
//! ## What this crate does not do
//! It decides nothing about requests and knows no proxy. It does not know which clusters exist: a
//! misspelt cluster is found by Envoy when it is used.
//!
//! ## Example
//! ```
//! let config = steerage_config::parse(br#"{"endpoints": ["a", {"cluster": "b", "weight": 2}]}"#)?;
//! assert_eq!(config.pools[0].pool.endpoints[1].weight.value(), 2.0);
//!
//! let errors = steerage_config::parse(br#"{"endpoints": [], "timeout": {"raed": "3 days"}}"#);
//! assert_eq!(
//!     errors.unwrap_err().to_string(),
//!     "endpoints: must have 1 to 1000 entries, got []\n\
//!      timeout.raed: unknown field, did you mean `read`?"
//! );
//! # Ok::<(), steerage_config::ConfigErrors>(())
//! ```

#![forbid(unsafe_code)]

pub mod error;
pub mod schema;

pub mod admin;
mod decimal;
pub mod duration;
pub mod expression;
pub mod interceptors;
mod json;
pub mod operator;
pub mod place;
mod status;
mod text;

mod check;
mod fields;
mod resolve;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

use core::time::Duration;

use steerage_policy::pool::Pool;

use admin::Admin;
pub use error::{ConfigError, ConfigErrors, Problem};
use interceptors::Interceptors;

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header in which the route looks for the cluster, in lower case.
    pub cluster_header: Box<str>,
    /// How often a worker publishes and reads what is shared, 10 ms to 10 s.
    pub sync_interval: Duration,
    /// In the order in which requests are matched; none only if there is `admin`.
    pub pools: Vec<ConfiguredPool>,
    /// The admin surface, if there is one.
    pub admin: Option<Admin>,
}

/// A pool, and what is done beside steering its requests.
#[derive(Clone, Debug)]
pub struct ConfiguredPool {
    /// Its endpoints and its policy.
    pub pool: Pool,
    /// What is done to the headers of its messages, and what is logged.
    pub interceptors: Interceptors,
    /// Whether metrics are kept.
    pub metrics: bool,
}

/// Reads a configuration.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong with it. First what is wrong with single values, in
/// the order of the document, then what is wrong between values. If the bytes are no JSON object,
/// that alone.
pub fn parse(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    let document = json::read(bytes).map_err(|error| ConfigErrors::new(vec![error]))?;
    let mut errors = Vec::new();
    check::object(&schema::ROOT, &document, "", &mut errors);
    match resolve::config(&document, &mut errors) {
        Ok(config) if errors.is_empty() => Ok(config),
        // Not empty without a config either: `Reported` exists only where an error was recorded.
        _ => Err(ConfigErrors::new(errors)),
    }
}
