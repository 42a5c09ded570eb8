//! # Steerage: an Envoy filter that steers requests between clusters
//!
//! For each request it chooses an upstream cluster, lets the router make the first attempt,
//! re-issues failed attempts to other clusters after a backoff, and answers the client with the
//! first good answer. Users read README.md; those who change it, ARCHITECTURE.md.
//!
//! ## The map
//! - `host`: the only place that calls the proxy;
//! - `filter`: the shell, which turns callbacks into events and decisions into hostcalls;
//! - `metrics`: every metric, by name;
//! - package `steerage-shared` (`src/shared`): what the workers share;
//! - package `steerage-policy` (`src/policy`): decides, and knows neither;
//! - package `steerage-config` (`src/config`): JSON to validated policy values.

#![deny(unsafe_code)]

mod host;

mod metrics;

mod filter;

use proxy_wasm::types::LogLevel;

/// Makes this the filter of the VM that it is loaded into, as [`filter!`] does for a module. Tests that
/// bring a host of their own call it themselves.
pub fn register() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(filter::root::Root::new(id)));
}

/// The entry point of a module: `steerage::filter!();`, once, in a library of type `cdylib`. The host
/// calls it when it has loaded the module into a VM.
#[macro_export]
macro_rules! filter {
    () => {
        const _: () = {
            $crate::proxy_wasm::main! {{
                $crate::register();
            }}
        };
    };
}

#[doc(hidden)]
pub use proxy_wasm;
