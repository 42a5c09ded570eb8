//! The arithmetic of `custom_retry_function`.
//!
//! An own evaluator and not a crate: those that fit the licence and the size either loop, allocate
//! without bound or panic on some input, and what is needed is small. An [`Expression`] is compiled
//! to steps for a stack machine: running it takes as many steps as it has and calls nothing
//! recursively. Compiling recurses once a level of nesting, at most [`MAX_DEPTH`] deep, over at most
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

use core::fmt;

/// Most characters of an expression.
pub const MAX_LENGTH: usize = 256;

/// Most levels of nesting: parentheses, calls, signs, and the right sides of `^`.
pub const MAX_DEPTH: u8 = 32;

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
    /// [`ExpressionError`] says where the first mistake is and what was expected there.
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

/// A text that is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// Of the character where it went wrong, from 1; one past the end if something is missing.
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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Number(f64),
    Attempt,
    Negate,
    Apply(Operator),
    Call(Function, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operator {
    const LOOSEST: u8 = 1;
    /// A sign takes what binds at least this tightly: more than `*`, so that −a · b is (−a) · b,
    /// and no more than `^`.
    const SIGN: u8 = 3;

    const fn of(char: char) -> Option<Self> {
        match char {
            '+' => Some(Self::Add),
            '-' => Some(Self::Subtract),
            '*' => Some(Self::Multiply),
            '/' => Some(Self::Divide),
            '%' => Some(Self::Remainder),
            '^' => Some(Self::Power),
            _ => None,
        }
    }

    const fn binds(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => Self::LOOSEST,
            Self::Multiply | Self::Divide | Self::Remainder => 2,
            Self::Power => 4,
        }
    }

    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Remainder => libm::fmod(left, right),
            Self::Power => libm::pow(left, right),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Min,
    Max,
    Pow,
    Abs,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Exp,
    Ln,
}

impl Function {
    const ALL: [Self; 10] = [
        Self::Min,
        Self::Max,
        Self::Pow,
        Self::Abs,
        Self::Floor,
        Self::Ceil,
        Self::Round,
        Self::Sqrt,
        Self::Exp,
        Self::Ln,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Pow => "pow",
            Self::Abs => "abs",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Ln => "ln",
        }
    }

    /// Whether it takes so many arguments; what it takes when not.
    const fn takes(self, arguments: usize) -> Result<(), &'static str> {
        match (self, arguments) {
            (Self::Min | Self::Max, 2..) | (Self::Pow, 2) => Ok(()),
            (Self::Min | Self::Max, _) => Err("two or more values"),
            (Self::Pow, _) => Err("two values"),
            (_, 1) => Ok(()),
            (_, _) => Err("one value"),
        }
    }

    fn apply(self, arguments: &[f64]) -> f64 {
        let fold = |choose: fn(f64, f64) -> f64| {
            arguments.iter().copied().reduce(|one, other| {
                if one.is_nan() || other.is_nan() {
                    f64::NAN
                } else {
                    choose(one, other)
                }
            })
        };
        // The compiler has counted the arguments, so none is missing.
        let first = arguments.first().copied().unwrap_or(f64::NAN);
        match self {
            Self::Min => fold(f64::min).unwrap_or(f64::NAN),
            Self::Max => fold(f64::max).unwrap_or(f64::NAN),
            Self::Pow => libm::pow(first, arguments.last().copied().unwrap_or(f64::NAN)),
            Self::Abs => first.abs(),
            Self::Floor => first.floor(),
            Self::Ceil => first.ceil(),
            Self::Round => first.round(),
            Self::Sqrt => first.sqrt(),
            Self::Exp => libm::exp(first),
            Self::Ln => libm::log(first),
        }
    }
}

#[cfg(test)]
mod tests;
