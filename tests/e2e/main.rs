//! End to end: the filter that ships, in a real Envoy, between real clients and real servers.
//!
//! Each module tests one group of promises and says which; they share [`support`]. Tests run at
//! once, each with its own Envoy, on a machine that may be busy: times have exact lower bounds, and
//! upper bounds that are generous or hold for a median.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests stop at the first surprise, and measure real time"
)]

mod admin;
mod answers;
mod backoff;
mod balancing;
mod bodies;
mod breaker;
mod brownout;
mod budget;
mod common_failure;
mod configuration;
mod cooldown;
mod custom_filter;
mod dashboard;
mod disconnects;
mod documents;
mod draining;
mod endings;
mod failover;
mod grpc;
mod headers;
mod health;
mod hedging;
mod hostile_answers;
mod hostile_requests;
mod hot_reload;
mod interceptors;
mod interim;
mod last_answer;
mod limits;
mod llm_gateway;
mod memory;
mod nesting;
mod observing;
mod one_client;
mod operating;
mod overflow;
mod prometheus;
mod quickstart;
mod reload;
mod restraint;
mod retry_rules;
mod router;
mod router_sample;
mod shares;
mod sharing;
mod stays_inside;
mod steering;
mod strategies;
mod support;
mod tiers;
mod timeouts;
mod unusable_clusters;
