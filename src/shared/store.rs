//! The place that workers share: byte strings by name, changed by compare-and-swap.
//!
//! The rules are those of proxy-wasm's shared data: nothing can be deleted, and writing with a version
//! succeeds only if nobody has written since that version was read. The host ignores the version of a
//! name that it does not know, and takes 0 for "whatever it is"; so a name is created with
//! [`ABSENT`], which succeeds for the first one and for nobody else.

/// A version of a value: changes with every write. The host never gives 0.
pub type Version = u32;

/// What stands for the version of a name without a value. With 0 instead, a worker that was slow to
/// create a record would wipe out what others have written in the meantime.
pub const ABSENT: Version = Version::MAX;

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes that were written last; empty if somebody removed them.
    pub bytes: Vec<u8>,
    /// The version to write with.
    pub version: Version,
}

/// The shared place.
pub trait Store {
    /// The value of `key`; `None` if it was never written, or cannot be read.
    fn read(&self, key: &str) -> Option<Versioned>;

    /// Writes `bytes` if `key` still has the `version` that was read (`None`: it had no value, see
    /// [`ABSENT`]).
    ///
    /// # Errors
    /// [`NotWritten`] if somebody was faster, or the store refused.
    fn write(&self, key: &str, bytes: &[u8], version: Option<Version>) -> Result<(), NotWritten>;
}

/// A write that did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// Somebody has written since the version was read.
    Conflict,
    /// The store refused.
    Refused,
}
