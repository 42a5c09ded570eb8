//! # Steerage: an Envoy filter that steers requests between clusters
//!
//! For each request it chooses an upstream cluster, lets the router make the first attempt,
//! re-issues failed attempts to other clusters after a backoff, and answers the client with the
//! first good answer. README.md is for users, ARCHITECTURE.md for developers.
//!
//! As a library it is for filters that add [`Extensions`]: see there.
//!
//! ## The map
//! - `host`: the only place that calls the proxy;
//! - `filter`: the shell, which turns callbacks into events and decisions into hostcalls;
//! - `local_replies`: the proxy's own answers, and what they mean;
//! - `interceptors`: changes to the headers of attempts and answers, and their log;
//! - `metrics`: every metric, by name;
//! - `extensions`: what other filters add in Rust;
//! - `test_host`, with the feature `test-host`: a host for the tests of such filters;
//! - package `steerage-shared` (`src/shared`): what the workers share;
//! - package `steerage-policy` (`src/policy`): decides; knows neither the host nor the shared
//!   store;
//! - package `steerage-config` (`src/config`): JSON to validated policy values.

#![deny(unsafe_code)]

mod host;

mod admin;

mod metrics;

mod interceptors;

mod local_replies;

mod filter;

mod extensions;

#[cfg(feature = "test-host")]
pub mod test_host;

pub use extensions::{Extensions, PoolInfo};
pub use interceptors::{AnswerInfo, AttemptInfo, Headers, RequestInterceptor, ResponseInterceptor};
pub use steerage_policy::balance::{Balancer, Candidate, Candidates, HashKey};
pub use steerage_policy::endpoint::{Endpoint, EndpointIndex, EndpointView};
pub use steerage_policy::retry::backoff::Backoff;
pub use steerage_policy::time::Instant;

use extensions::Maker;

/// The random numbers that a [`Balancer`] is handed.
pub use rand;

/// The policy: all types that those above use.
pub use steerage_policy as policy;

/// Defines the entry point of a module. Call it once, in a library of type `cdylib`:
///
/// - `steerage::filter!();` without extensions;
/// - `steerage::filter!(extensions);` with a function that returns the [`Extensions`] of each pool,
///   by its name;
/// - `steerage::filter!(params => extensions);` with one that reads the pool's `params`, see
///   [`PoolInfo`], and may refuse them.
///
/// The host calls the entry point when it has loaded the module into a VM.
#[macro_export]
macro_rules! filter {
    () => {
        $crate::filter!(|_| $crate::Extensions::new());
    };
    (params => $extensions:expr) => {
        $crate::filter!(@ $crate::register_with_params($extensions));
    };
    ($extensions:expr) => {
        $crate::filter!(@ $crate::register_with($extensions));
    };
    (@ $register:expr) => {
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                $crate::construct();
                $register;
            }
        };
    };
}

/// What comes first in [`filter!`] when the host has loaded the module.
#[doc(hidden)]
pub fn construct() {
    proxy_wasm_abi::construct();
}

/// Makes this the filter of the VM, without extensions.
pub fn register() {
    register_with(|_| Extensions::new());
}

/// Makes this the filter of the VM, with the [`Extensions`] that `extensions` returns for each
/// pool. In a module [`filter!`] calls it; tests with their own host call it themselves.
pub fn register_with(extensions: fn(&str) -> Extensions) {
    host::log_to_host();
    filter::register(Maker::ByName(extensions));
}

/// The same with extensions that read the pool's `params`. What `extensions` refuses is logged, and
/// with it the whole configuration is refused.
pub fn register_with_params(extensions: fn(&PoolInfo<'_>) -> Result<Extensions, String>) {
    host::log_to_host();
    filter::register(Maker::WithParams(extensions));
}
