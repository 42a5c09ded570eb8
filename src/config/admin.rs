//! The admin surface, as valid data.

use core::fmt;

/// The admin surface.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// Begins with `/`, does not end with it, and is more than that.
    pub path: Box<str>,
    /// The bearer token that is required; without one nothing can be changed.
    pub token: Option<Box<str>>,
}

impl fmt::Debug for Admin {
    /// Without the token, which must not end up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(secret)");
        f.debug_struct("Admin")
            .field("path", &self.path)
            .field("token", &token)
            .finish()
    }
}
