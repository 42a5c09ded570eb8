//! Retries by Envoy's router: the filter stands before the router and in front of each attempt, so
//! what is retried streams, and all that is decided is decided as with calls.
//!
//! These tests need an Envoy from 1.39 on.

mod failures;
mod first_message;
mod headers;
mod leaving;
mod missing_pieces;
mod mixed;
mod stage;
mod streams;
mod stress;
mod times;
mod unnoticed;
