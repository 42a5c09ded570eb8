//! The place that workers share: byte strings by name, changed by compare-and-swap.
//!
//! The rules are those of proxy-wasm's shared data. Nothing can be deleted. A write with a version
//! succeeds only if that is still the newest version. The host ignores the version where a name has
//! no value yet, and takes 0 for any version. So a name is created with [`ABSENT`]: of several
//! workers that create it at once, the first one succeeds.

/// A version of a value: changes with every write. The host never gives 0.
pub type Version = u32;

/// The version to create a name with. With 0 instead, a worker that was slow to create a record
/// would overwrite what others have written in the meantime.
pub const ABSENT: Version = Version::MAX;

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes that were written last; empty if they were removed.
    pub bytes: Vec<u8>,
    /// The version to write with.
    pub version: Version,
}

/// Byte strings by name, shared by all workers.
pub trait Store {
    /// The value of `key`; `None` if it was never written, or cannot be read.
    fn read(&self, key: &str) -> Option<Versioned>;

    /// Writes `bytes` if `key` still has the `version` that was read (`None`: it had no value, see
    /// [`ABSENT`]).
    ///
    /// # Errors
    /// [`NotWritten`] if another version was written meanwhile, or the store refused.
    fn write(&self, key: &str, bytes: &[u8], version: Option<Version>) -> Result<(), NotWritten>;
}

/// A write that did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// The value has changed since the version was read.
    Conflict,
    /// The store refused.
    Refused,
}
