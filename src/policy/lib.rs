//! # steerage-policy: the part that decides
//!
//! Given a request's head, the state of a pool's endpoints, the time and a source of randomness,
//! this crate says where an attempt goes, what its outcome means, and whether and when another
//! attempt follows. The filter (package `steerage`) performs what is decided here.
//!
//! It is `no_std` on purpose: the compiler then holds the rule that the core reads no clock, knows
//! no proxy, no JSON and no header map. The same events, times and seed give the same decisions on
//! every machine, natively and as WebAssembly; that is why floating-point functions come from
//! `libm` and not from the platform.
//!
//! ## What this crate does not do
//! It sends nothing, waits for nothing and shares nothing between workers. It does not parse
//! configuration: values arrive valid, because their constructors refuse what is not.
//!
//! ## Reading order
//! [`time`], [`outcome`] and [`endpoint`] are the words; [`latency`], [`quantile`], [`window`], [`health`]
//! and [`breaker`] what is known of an endpoint, [`limit`] how much it takes; [`balance`] chooses; [`backoff`], [`jitter`], [`idempotency`],
//! [`budget`] and [`retry`] judge a failure, [`hedge`] does not wait for one; [`matching`] and [`pool`] tie them together; [`exchange`] walks one
//! request through all of it.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod time;

pub mod endpoint;
pub mod health;
pub mod latency;
pub mod limit;
pub mod outcome;
pub mod quantile;
pub mod window;

pub mod breaker;
pub mod operator;

pub mod totals;

pub mod balance;

pub mod backoff;
pub mod budget;
pub mod condition;
pub mod headers;
pub mod hedge;
pub mod idempotency;
pub mod jitter;
pub mod reason;
pub mod retry;

pub mod matching;
pub mod pool;

pub mod exchange;
