//! What is printed.

use crate::check::diagnostic::Diagnostic;
use crate::check::files::File;
use crate::check::plugins::Plugin;

/// All that was checked.
pub(crate) struct Checked<'a> {
    pub(crate) files: &'a [File],
    pub(crate) plugins: &'a [Plugin<'a>],
    pub(crate) diagnostics: &'a [Diagnostic],
    /// Whether nothing is refused.
    pub(crate) good: bool,
}

impl Checked<'_> {
    pub(super) fn name(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.name)
    }
}
