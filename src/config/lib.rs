//! # steerage-config: from JSON to policy values
//!
//! [`parse`] turns the bytes of a plugin configuration into a [`Config`] of valid policy values, or
//! into *all* of its errors together: each with its place, the offending value and the rule. One
//! refusal lists everything that is to be corrected. [`parse_role`] does the same for a module that
//! may be loaded in another [`Role`], too.
//!
//! ## How
//! 1. `document` and `json` read the bytes into a tree that keeps everything, also repeated keys.
//! 2. `sections` has a file for each section. It describes every field as a [`table::Key`]: name,
//!    kind, default, meaning, and the type of its value. [`schema`] shows the same as plain data,
//!    of which the documents are made.
//! 3. `check` walks the tree along the sections. It reads each value once, and reports unknown and
//!    repeated fields, wrong types and ranges.
//! 4. The sections then make policy values of the values that were read, and apply the rules
//!    between values: both spellings, duplicates, `total` against `connect` + `read`.
//!
//! To add a scalar field, add its key to the section and use `fields.get` where the policy is made.
//!
//! Why not `#[derive(Deserialize)]`: it stops at the first error, accepts repeated keys, and costs
//! several times the code. A table that is data is also what documentation is made of.
//!
//! ## What this crate does not do
//! It decides nothing about requests and knows no proxy. It does not know which clusters exist:
//! Envoy finds a misspelt cluster when it is used.
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

pub mod admin;
pub mod duration;
pub mod error;
pub mod expression;
pub mod interceptors;
pub mod place;
pub mod schema;
pub mod table;

mod check;
mod config;
mod decimal;
mod declare;
mod document;
mod fields;
mod from_value;
mod json;
mod key;
mod kind;
mod report;
mod sections;
mod status;
mod text;
mod text_rule;
mod value;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

pub use config::{Config, ConfiguredPool, Role};
pub use error::{ConfigError, ConfigErrors, Problem};
use report::Errors;

/// Reads a configuration, of the filter itself or of its second load.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong with it. First what is wrong with single values, in
/// the order of the document, then what is wrong between values. If the bytes are no JSON object,
/// that alone.
#[inline(never)]
pub fn parse_role(bytes: &[u8]) -> Result<Role, ConfigErrors> {
    match document::read(bytes) {
        Ok(document) => document.read(sections::document::role),
        Err(error) => {
            let mut errors = Errors::default();
            let refused = Err(errors.report(error));
            errors.finish(refused)
        }
    }
}

/// Reads a configuration of the filter itself.
///
/// # Errors
/// [`ConfigErrors`], as of [`parse_role`]; and for the configuration of another role, that alone.
pub fn parse(bytes: &[u8]) -> Result<Config, ConfigErrors> {
    match parse_role(bytes)? {
        Role::Filter(config) => Ok(config),
        Role::Attempts => {
            let path = sections::document::ROLE.field.name.to_owned();
            let error = ConfigError::new(path, Problem::WithoutPools);
            Err(ConfigErrors::new(vec![error]))
        }
    }
}
