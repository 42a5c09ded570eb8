//! # steerage-engine: one worker, events in and actions out
//!
//! The engine drives every exchange from the request's arrival to its answer: it chooses endpoints,
//! judges answers, waits, retries, hedges, checks health, and shares what it learns with the other
//! workers. It knows no host. A shell reports what happens as an *event*, and afterwards performs
//! the *actions* that the engine has asked for:
//!
//! ```text
//! host ──callback──► shell ──event──► Worker ──► Actions ──► shell ──hostcall──► host
//!                                  time, store ┘
//! ```
//!
//! The engine has returned before the first action is performed, so a hostcall that calls back in
//! finds it whole: the nested callback is an event like any other.
//!
//! ## The map
//! | file | what is in it |
//! |---|---|
//! | [`settings`] | the configuration of a worker, which never changes |
//! | [`worker`], `attempts` | [`Worker`]: the events; those of attempts that the router makes |
//! | `succession` | what a new configuration takes over from an old one |
//! | [`action`] | [`Action`]: what the shell is asked for |
//! | `walk/` | one exchange: its phases, its attempts, its answer |
//! | `pool` | a pool with what this worker knows of it |
//! | `changes`, `signals` | how it changes what the workers agree on; what an answer requests |
//! | `checks`, `hearing` | health checks; which answers are read for what they say of health |
//! | `sync` | the round in which workers publish and read |
//! | `timers` | what is due when |
//! | `kept_request` | the request of a stream, which actions share |
//! | `kept_bytes` | how much of requests and answers is kept in memory |
//! | [`request`], [`answer`], [`headers`], `header_values` | the messages |
//! | [`figures`], [`trail`] | what metrics are made of; what access logs say of the attempts |
//!
//! ## What this crate does not do
//! It decides by the rules of `steerage-policy` and shares by those of `steerage-shared`. It reads
//! no clock, draws from one seed, and touches no header of the host's: the same events, times and
//! seed give the same actions.
//!
//! ## Example
//! A worker with two endpoints sends a request to one of them; it answers 503, and the answer is
//! held back until a retry is due:
//! ```
//! use std::time::Duration;
//! use steerage_engine::{Action, Actions, Flow};
//! use steerage_engine::answer::Answer;
//! use steerage_engine::headers::HeaderMap;
//! use steerage_engine::request::Request;
//! use steerage_engine::settings::{PoolSettings, Settings};
//! use steerage_engine::{StreamId, Turn, Worker};
//! use steerage_policy::{endpoint::Endpoint, outcome::Outcome, pool::Pool, time::Instant};
//! use steerage_shared::memory::Memory;
//!
//! let pool = Pool::new("default", ["a", "b"].map(Endpoint::new).to_vec());
//! let settings = Settings::new(vec![PoolSettings::of(pool)]);
//! let mut worker = Worker::new(&settings, 7);
//! let (store, mut actions) = (Memory::default(), Actions::new());
//!
//! let head = HeaderMap::of(&[(":method", "GET"), (":path", "/"), (":authority", "shop")]);
//! let request = Request::arrived(head, &settings.cluster_header, true);
//! let mut turn = Turn::new(Instant::from_nanos(1_000_000), &store, &mut actions);
//! let pool = settings.pool_of(&request).unwrap();
//! let stream = worker.request_head(StreamId(1), pool, request, None, &mut turn);
//! assert!(matches!(actions.pop_front(), Some(Action::Route(_))));
//!
//! let mut turn = Turn::new(Instant::from_nanos(9_000_000), &store, &mut actions);
//! let failed = Answer::head(Outcome::Answered(503));
//! let flow = worker.response_head(stream.unwrap(), failed, &mut turn);
//! assert_eq!(flow, Flow::Pause);
//! ```

#![forbid(unsafe_code)]

mod header_values;
pub mod headers;
mod kept_bytes;
mod names;

pub mod answer;
mod kept_request;
pub mod request;
pub mod settings;

pub mod action;
pub mod figures;
pub mod trail;

pub mod turn;

mod timers;

mod changes;
mod debug_log;
mod pool;
mod signals;

mod walk;

mod checks;
mod hearing;
mod sync;

mod attempts;
mod succession;
pub mod worker;

pub use action::{Action, Actions, Flow};
pub use kept_bytes::KeptBytes;
pub use names::{AttemptId, StreamId, StreamKey};
pub use turn::Turn;
pub use walk::{Destination, End, OpeningBody};
pub use worker::Worker;
