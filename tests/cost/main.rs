//! What requests and ticks cost, counted on the module that ships.
//!
//! Times depend on the machine; these numbers do not, so they can have budgets in any CI. Each scenario
//! runs twice under the fake host: as `target/steerage.wasm` in an engine, which counts hostcalls, bytes
//! over the border and instructions, and as the filter linked natively, where an allocator can count.
//! `docs/performance.md` says how to read them; `--nocapture` shows the table.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests stop at the first surprise"
)]

#[path = "../support/engine/mod.rs"]
mod engine;
#[path = "../support/fake_host/mod.rs"]
mod fake_host;

mod allocations;
mod growth;
mod profile;
mod requests;
mod scenes;
mod ticks;
