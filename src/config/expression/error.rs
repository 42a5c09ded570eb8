//! What is wrong with a text that is no expression.
//!
//! Example: `1 +` lacks a value at character 4: a number, `attempt`, a function or `(`.

use core::fmt;

use super::limits::{MAX_DEPTH, MAX_LENGTH};
use super::step::Function;

/// A text that is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// The number of the character with the mistake, from 1; one past the end if something is
    /// missing.
    pub position: usize,
    /// What should have been there.
    pub expected: Expected,
}

/// What an expression lacks at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Something that has a value.
    Value,
    /// A number that is written well and finite.
    Number,
    /// `attempt` or the name of a function.
    Name,
    /// An operator, or the end.
    Operator,
    /// The arguments of a function, after its name.
    Arguments,
    /// A closing parenthesis.
    Close,
    /// Another number of arguments; the position is that of the function's name.
    Count {
        /// The function.
        function: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// At most [`MAX_LENGTH`] characters.
    Shorter,
    /// At most [`MAX_DEPTH`] levels of nesting.
    Shallower,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must have at character {} ", self.position)?;
        match self.expected {
            Expected::Value => f.write_str("a number, `attempt`, a function or `(`"),
            Expected::Number => f.write_str("a finite number such as 1.5"),
            Expected::Name => {
                f.write_str("`attempt` or a function:")?;
                for (position, function) in Function::ALL.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma} {}", function.name())?;
                }
                Ok(())
            }
            Expected::Operator => f.write_str("one of + - * / % ^ or the end"),
            Expected::Arguments => f.write_str("`(` and arguments"),
            Expected::Close => f.write_str("`)`"),
            Expected::Count { function, takes } => write!(f, "{function} of {takes}"),
            Expected::Shorter => write!(f, "the end: at most {MAX_LENGTH} are allowed"),
            Expected::Shallower => {
                write!(f, "less nesting: at most {MAX_DEPTH} levels are allowed")
            }
        }
    }
}

impl core::error::Error for ExpressionError {}
