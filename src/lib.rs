//! # Steerage: an Envoy filter that steers requests between clusters
//!
//! For each request it chooses an upstream cluster, lets the router make the first attempt,
//! re-issues failed attempts to other clusters after a backoff, and answers the client with the
//! first good answer. Users read README.md; those who change it, ARCHITECTURE.md.
//!
//! As a library it is for filters that bring [`Extensions`] along: see there.
//!
//! ## The map
//! - `host`: the only place that calls the proxy;
//! - `filter`: the shell, which turns callbacks into events and decisions into hostcalls;
//! - `interceptors`: what is done to messages on their way;
//! - `metrics`: every metric, by name;
//! - `extensions`: what others plug in;
//! - package `steerage-shared` (`src/shared`): what the workers share;
//! - package `steerage-policy` (`src/policy`): decides, and knows neither;
//! - package `steerage-config` (`src/config`): JSON to validated policy values.

#![deny(unsafe_code)]

mod host;

mod admin;

mod metrics;

mod interceptors;

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

/// The policy: everything that the types above speak of.
pub use steerage_policy as policy;

/// The entry point of a module, stated once in a library of type `cdylib`: `steerage::filter!();`, or
/// with a function that names the [`Extensions`] of each pool, `steerage::filter!(extensions);`. The
/// host calls it when it has loaded the module into a VM.
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

/// Makes this the filter of the VM, with the [`Extensions`] that `extensions` names for each pool. In a
/// module [`filter!`] calls it; tests that bring a host of their own call it themselves.
pub fn register_with(extensions: fn(&str) -> Extensions) {
    host::log_to_host();
    filter::register(extensions);
}
