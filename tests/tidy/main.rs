//! The rules of the tree that a reviewer would otherwise have to hold in mind.
//!
//! They are about text: where a word may stand, how long a file may be, which file may import
//! which, and whether what the documents name exists. Everything that a lint or a package's
//! boundary can hold is held there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod tree;

mod boundaries;
mod imports;
mod layout;

mod documents;
mod operations;
mod readme;
