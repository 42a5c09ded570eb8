//! The arithmetic of `custom_retry_function`.
//!
//! This is not a crate's evaluator. The crates whose licence and size fit have inputs on which they
//! loop, allocate without bound or panic, and little is needed. An [`Expression`] is compiled to
//! steps for a stack machine. Running it takes one pass over the steps, without recursion.
//! Compiling recurses once a level of nesting, at most [`MAX_DEPTH`] deep, over at most
//! [`MAX_LENGTH`] characters. There are no loops and no assignments, so nothing can hang.
//!
//! | binds | operators | groups |
//! |---|---|---|
//! | loosest | `+` `-` | (a − b) − c |
//! | | `*` `/` `%` | (a / b) / c |
//! | | `-` before a value | −(a^b) |
//! | tightest | `^` | a^(b^c) |
//!
//! Values are numbers, `attempt`, parentheses, and the functions `min`, `max` (of two or more),
//! `pow`, `abs`, `floor`, `ceil`, `round`, `sqrt`, `exp` and `ln`. Arithmetic is that of IEEE 754,
//! where 1 / 0 is infinite and 0 / 0 is no number; `min` and `max` keep a "no number" rather than
//! hide it, so that a mistake inside them is found.
//!
//! Example: `min(attempt ^ 1.5, 30.0)` gives 1, 2.828…, 5.196… for attempts 1, 2, 3.

mod compiler;
mod error;
mod limits;
mod step;

pub use error::{Expected, ExpressionError};
pub use limits::{MAX_DEPTH, MAX_LENGTH};

use step::Step;

/// A function of `attempt`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// In the order of evaluation: operands before what is done to them.
    steps: Vec<Step>,
}

impl Expression {
    /// Compiles `text`.
    ///
    /// # Errors
    /// [`ExpressionError`]: the place of the first mistake, and what was expected there.
    pub fn new(text: &str) -> Result<Self, ExpressionError> {
        if text.chars().count() > MAX_LENGTH {
            return Err(ExpressionError {
                position: MAX_LENGTH + 1,
                expected: Expected::Shorter,
            });
        }
        compiler::compile(text).map(|steps| Self { steps })
    }

    /// The value for this attempt; may be negative, infinite or not a number.
    #[must_use]
    pub fn value(&self, attempt: f64) -> f64 {
        let mut stack = Vec::with_capacity(self.steps.len());
        // The compiler puts every operand before its operator, so none is ever missing.
        let pop = |stack: &mut Vec<f64>| stack.pop().unwrap_or(f64::NAN);
        for step in &self.steps {
            let value = match *step {
                Step::Number(number) => number,
                Step::Attempt => attempt,
                Step::Negate => -pop(&mut stack),
                Step::Apply(operator) => {
                    let right = pop(&mut stack);
                    operator.apply(pop(&mut stack), right)
                }
                Step::Call(function, arguments) => {
                    let first = stack.len().saturating_sub(arguments);
                    let value = function.apply(stack.get(first..).unwrap_or_default());
                    stack.truncate(first);
                    value
                }
            };
            stack.push(value);
        }
        pop(&mut stack)
    }
}

#[cfg(test)]
mod tests;
