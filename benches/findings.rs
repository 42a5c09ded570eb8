//! What a part of the bench hands back: figures, or why there are none.

use std::fmt;

use steerage_harness::HarnessError;
use steerage_harness::serde_json::Value;

use crate::table::Table;

/// What one part of the bench found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) tables: Vec<Table>,
    pub(crate) json: Value,
    /// What must not be: requests that were not answered, figures that cannot be.
    pub(crate) wrong: Vec<String>,
}

/// Why there is nothing to show.
#[derive(Debug)]
pub(crate) struct Failed(String);

impl Failed {
    pub(crate) fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<HarnessError> for Failed {
    fn from(error: HarnessError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
