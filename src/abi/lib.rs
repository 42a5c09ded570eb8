//! # proxy-wasm-abi: the border between a filter and its proxy
//!
//! The functions of the host as the proxy-wasm ABI 0.2.1 declares them, and the memory in which
//! their results are handed over. Nothing is decided or checked here: a status is a number, and
//! what it means is the caller's business. What the host calls in turn, the filter defines itself.
//!
//! Why not the SDK (`proxy-wasm` 0.2.5), measured on Envoy 1.40 beside the same calls:
//!
//! - it costs 5.5 to 6.7 µs of processor time a request more, because a host calls every callback
//!   that it finds and the SDK exports all 25;
//! - it makes the module 68 kB larger, of 600 kB that are the budget;
//! - it panics where the host answers with a status that it does not list, a header value is not
//!   UTF-8, or a context is not known, and a panic traps the VM with all its streams.
//!
//! Its dispatcher cannot be left out: with a `proxy_on_request_headers` of one's own the linker
//! finds that symbol defined twice.
//!
//! <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

#![expect(unsafe_code, reason = "the other side of the border is not Rust")]

mod hostcalls;
mod memory;

pub use hostcalls::*;
pub use memory::{FEW, construct, few_taken_over, proxy_on_memory_allocate, taken_over};
