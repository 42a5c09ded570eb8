//! What requests and ticks cost, counted on the module that ships.
//!
//! Times depend on the machine; these numbers do not, so any CI can hold them to what `docs/performance.md` says.
//! Each scenario runs twice under the fake host: as `target/steerage.wasm` in an engine, which counts hostcalls, bytes
//! over the border and instructions, and as the filter linked natively, where an allocator can count.
//! `--nocapture` shows the rows of the document's tables as they are now.

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
mod document;
mod growth;
mod profile;
mod requests;
mod scenes;
