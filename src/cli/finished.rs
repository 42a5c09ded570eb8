//! The result of a command, and its exit code.
//!
//! Example: a file that cannot be read is a complaint and the code [`FAILED`].

/// The result of a command.
#[derive(Debug, Default)]
pub struct Finished {
    /// For the standard output.
    pub output: String,
    /// For the standard error output.
    pub complaint: String,
    /// The exit code: 0, [`REFUSED`] or [`FAILED`].
    pub status: u8,
}

/// The exit code when the configuration is refused, or has warnings that count as errors.
pub const REFUSED: u8 = 1;

/// The exit code when the command could not be carried out: wrong arguments, a file that cannot be
/// read, output that cannot be written.
pub const FAILED: u8 = 2;

impl Finished {
    /// Success, with this output.
    pub(crate) fn with(output: String) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }

    /// Failure, with this complaint.
    pub(crate) fn failed(complaint: &str) -> Self {
        Self {
            complaint: format!("steerage: {complaint}\n"),
            status: FAILED,
            ..Self::default()
        }
    }
}
