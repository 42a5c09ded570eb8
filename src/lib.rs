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

pub use extensions::Extensions;
pub use interceptors::{AnswerInfo, AttemptInfo, Headers, RequestInterceptor, ResponseInterceptor};
pub use steerage_policy::balance::{Balancer, Candidate, Candidates, HashKey};
pub use steerage_policy::endpoint::{Endpoint, EndpointIndex, EndpointState};
pub use steerage_policy::retry::backoff::Backoff;
pub use steerage_policy::time::Instant;

/// The random numbers that a [`Balancer`] is handed.
pub use rand;

/// The policy: all types that those above use.
pub use steerage_policy as policy;

/// Defines the entry point of a module. Call it once, in a library of type `cdylib`:
/// `steerage::filter!();`, or with a function that returns the [`Extensions`] of each pool,
/// `steerage::filter!(extensions);`. The host calls the entry point when it has loaded the module
/// into a VM.
#[macro_export]
macro_rules! filter {
    () => {
        $crate::filter!(|_| $crate::Extensions::new());
    };
    ($extensions:expr) => {
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                $crate::begin($extensions);
            }
        };
    };
}

/// What [`filter!`] does when the host has loaded the module.
#[doc(hidden)]
pub fn begin(extensions: fn(&str) -> Extensions) {
    proxy_wasm_abi::construct();
    register_with(extensions);
}

/// Makes this the filter of the VM, without extensions.
pub fn register() {
    register_with(|_| Extensions::new());
}

/// Makes this the filter of the VM, with the [`Extensions`] that `extensions` returns for each
/// pool. In a module [`filter!`] calls it; tests with their own host call it themselves.
pub fn register_with(extensions: fn(&str) -> Extensions) {
    host::log_to_host();
    filter::register(extensions);
}
