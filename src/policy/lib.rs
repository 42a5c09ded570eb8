//! # steerage-policy: the part that decides
//!
//! Given a request's head, the state of a pool's endpoints, the time and a source of randomness,
//! this crate decides where an attempt goes, what its outcome means, and whether and when another
//! attempt follows. The filter (package `steerage`) performs what is decided here.
//!
//! It is `no_std` on purpose: the compiler then ensures that the core reads no clock and knows no
//! proxy. The same events, times and seed give the same decisions on every machine, natively and as
//! WebAssembly. That is why floating-point functions come from `libm` and not from the platform.
//!
//! ## What this crate does not do
//! It sends nothing, waits for nothing and shares nothing between workers. It does not parse
//! configuration. Values are valid when they arrive, because their constructors refuse others.
//!
//! ## Reading order
//! [`time`], [`outcome`] and [`endpoint`] define the terms. [`stats`], [`health`] and [`breaker`]
//! hold what is known of an endpoint, [`limit`] how many attempts it takes at a time. [`balance`]
//! chooses one. [`judge`] says what an attempt tells of its endpoint, [`retry`] what follows a
//! failure. [`matching`] finds the [`pool`] of a request, and [`exchange`] takes one request
//! through all of it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod balance;
pub mod breaker;
pub mod endpoint;
pub mod exchange;
pub mod headers;
pub mod health;
pub mod judge;
pub mod limit;
pub mod matching;
pub mod outcome;
pub mod pool;
pub mod retry;
pub mod stats;
pub mod time;
