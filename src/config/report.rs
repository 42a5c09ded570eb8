//! The list of errors, and the proof that an error was put on it.
//!
//! A value that cannot be used is passed on as [`Reported`]. Only [`Errors::report`] makes one, so
//! a configuration is never refused without an error.
//!
//! Example: `Err(errors.report(error))` records the error and refuses the value in one step.

use crate::error::{ConfigError, ConfigErrors, Problem};

/// The errors found so far.
#[derive(Debug, Default)]
pub struct Errors(Vec<ConfigError>);

/// An error about this value is on the list already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported(());

impl Errors {
    /// Records an error.
    pub fn report(&mut self, error: ConfigError) -> Reported {
        self.0.push(error);
        Reported(())
    }

    /// `value`, if it can be used and nothing else is wrong.
    ///
    /// # Errors
    /// All errors on the list. A guard adds one if there is none.
    pub fn finish<T>(mut self, value: Result<T, Reported>) -> Result<T, ConfigErrors> {
        match value {
            Ok(value) if self.0.is_empty() => Ok(value),
            _ => {
                if self.0.is_empty() {
                    self.0
                        .push(ConfigError::new(String::new(), Problem::Internal));
                }
                Err(ConfigErrors::new(self.0))
            }
        }
    }

    /// Adds the errors of `other`, each changed by `change`.
    pub(crate) fn append(&mut self, other: Self, change: impl FnMut(&mut ConfigError)) {
        let mut found = other.0;
        found.iter_mut().for_each(change);
        self.0.append(&mut found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_always_has_an_error() {
        let refused = Errors::default().finish::<()>(Err(Reported(())));
        let lines = refused.unwrap_err().to_string();
        assert_eq!(
            lines,
            "refused without a reason: this is a fault of Steerage itself"
        );
        let mut errors = Errors::default();
        errors.report(ConfigError::new("a".into(), Problem::Repeated));
        let refused = errors.finish(Ok(1));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a: must be given only once"
        );
        assert!(Errors::default().finish(Ok(1)).is_ok());
    }
}
