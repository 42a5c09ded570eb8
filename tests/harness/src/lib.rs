//! Runs a real Envoy with the shipped filter between real clients and real servers.
//!
//! End-to-end tests, the demo and the benches stand on this crate. A test is a short story:
//! some [`Upstream`]s that behave as told, an [`Envoy`] whose clusters they are, requests by
//! [`get`], [`request`], [`raw`] or a [`Load`], and a look at what arrived where.
//!
//! ```no_run
//! use steerage_harness::{Envoy, HarnessError, Reply, Upstream, get};
//!
//! steerage_harness::run(async {
//!     let sick = Upstream::start(|_, _| Reply::status(503)).await?;
//!     let well = Upstream::named("well").await?;
//!     let envoy = Envoy::builder()
//!         .cluster("sick", sick.addr())
//!         .cluster("well", well.addr())
//!         .config(r#"{"endpoints": ["sick", "well"]}"#)
//!         .start()
//!         .await?;
//!
//!     let answer = get(envoy.addr(), "/").await?;
//!     assert_eq!(answer.text(), "well");
//!     Ok::<(), HarnessError>(())
//! })?;
//! # Ok::<(), HarnessError>(())
//! ```
//!
//! | where | what |
//! |---|---|
//! | `envoy.sh` | finds an Envoy, or installs one |
//! | [`Envoy`], [`EnvoyBuilder`], [`Cluster`], [`RouterRetries`] | the proxy: what it is told, how it is watched |
//! | `prometheus.sh`, [`Prometheus`] | what scrapes it |
//! | `chromium.sh`, [`Browser`] | what shows its pages |
//! | [`Upstream`], [`Reply`], [`Received`] | the servers behind it |
//! | [`get`], [`request`], [`raw`], [`Client`], [`Answer`] | one exchange in front of it |
//! | [`Opened`], [`SentBody`], [`grpc`] | one that streams, in either direction or both |
//! | [`Load`], [`LoadReport`] | many of them |
//! | [`Process`], [`Scratch`] | any other program, and its files |
//! | [`run`], [`eventually`] | a runtime for a test; waiting with a deadline |
//!
//! Nothing here sleeps for a fixed time to wait for an effect, nothing waits for ever, and
//! all ports are chosen by the kernel, so that tests may run at once. It is test support: it
//! panics where a test is written wrongly, and reports as [`HarnessError`] what may go wrong
//! on a machine. It does not know the filter's configuration: that is JSON text.

#![expect(clippy::disallowed_methods, reason = "tests measure real time")]
#![expect(
    clippy::expect_used,
    reason = "a test that is written wrongly should fail loudly"
)]

mod admin;
mod bootstrap;
mod browser;
mod cluster;
mod envoy;
mod json;
mod listener;
mod process;
mod prometheus;
mod router_retries;

mod received;
mod reply;
mod script;
mod upstream;

mod client;
pub mod grpc;
mod load;

mod body;
mod error;
mod wait;

pub use bootstrap::{EnvoyBuilder, repository};
pub use browser::Browser;
pub use client::{Answer, Client, Opened, Outgoing, SentBody, get, raw, request};
pub use cluster::Cluster;
pub use envoy::{ConfigUpdate, Envoy, envoy_binary};
pub use error::HarnessError;
pub use load::{Load, LoadReport};
pub use process::{Process, Scratch};
pub use prometheus::{Prometheus, prometheus_binary};
pub use received::{Received, body_hash};
pub use reply::Reply;
pub use router_retries::RouterRetries;
pub use upstream::{Refusing, Upstream};
pub use wait::{eventually, run};

// Tests speak these crates' language; they need not name them as dependencies of their own.
pub use hyper::body::Bytes;
pub use hyper::{HeaderMap, Method, Request, StatusCode};
pub use serde_json;
pub use tokio;
