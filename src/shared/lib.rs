//! # steerage-shared: what the workers of one proxy share
//!
//! Workers are separate VMs that have a few named byte strings in common: [`store::Store`]. They
//! share two kinds of things, in two ways.
//!
//! - What each worker *counts* (attempts under way, response times, outcomes) it publishes in a
//!   [`slot`] of its own, which no other worker writes. Readers add the slots up. There is no
//!   contention, however many workers there are.
//! - What the workers must *agree on* (breakers, health) is one [`agreement`] a pool, changed by
//!   compare-and-swap, and only when something has failed or is to be checked.
//!
//! The healthy path does neither: workers publish and read on their timer, every `sync_interval`.
//!
//! A [`snapshot`] merges all of it for an operator. What the records look like as bytes is in
//! `wire`.
//!
//! The store cannot delete and lists no keys. So their number is bounded by design: one a slot, two
//! a pool. Every value begins with a checksum. Where it is wrong, because another plugin under the
//! same `vm_id` has written there, the value reads as if it were not there, and that is counted.
//!
//! ## What this crate does not do
//! It decides nothing: breakers and health change by the rules of `steerage-policy`. It knows no
//! host: the filter gives it a [`store::Store`]. Simulations and tests use [`memory::Memory`].

#![forbid(unsafe_code)]

pub mod memory;
pub mod store;

pub mod key;

pub mod agreement;
pub mod description;
pub mod report;
pub mod scopes;
pub mod slot;
mod wire;

pub mod snapshot;
