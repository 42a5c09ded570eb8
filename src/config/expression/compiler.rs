//! From text to steps, by precedence climbing.
//!
//! The compiler reads an operand, and then the operators after it as long as they bind tighter than
//! the one before it. Operands are written before their operator, so the steps are in the order of
//! evaluation, and no tree is built.
//!
//! Example: `1 + 2 * attempt` becomes 1, 2, attempt, multiply, add.

use super::error::{Expected, ExpressionError};
use super::limits::MAX_DEPTH;
use super::step::{Function, Operator, Step};

/// The steps of `text`.
pub(super) fn compile(text: &str) -> Result<Vec<Step>, ExpressionError> {
    let mut compiler = Compiler {
        text,
        at: 0,
        steps: Vec::new(),
    };
    compiler.expression(Operator::LOOSEST, 0)?;
    match compiler.peek() {
        None => Ok(compiler.steps),
        Some(_) => Err(compiler.error(Expected::Operator)),
    }
}

struct Compiler<'a> {
    text: &'a str,
    /// In bytes, at a character's start.
    at: usize,
    steps: Vec<Step>,
}

impl Compiler<'_> {
    /// An operand and the operators after it that bind at least as tightly as `least`.
    fn expression(&mut self, least: u8, depth: u8) -> Result<(), ExpressionError> {
        self.operand(depth)?;
        while let Some(operator) = self.peek().and_then(Operator::of) {
            if operator.binds() < least {
                break;
            }
            self.skip();
            if operator == Operator::Power {
                self.nested(operator.binds(), depth)?;
            } else {
                // No deeper: each step to the right binds tighter, and there are only so many.
                self.expression(operator.binds() + 1, depth)?;
            }
            self.steps.push(Step::Apply(operator));
        }
        Ok(())
    }

    fn nested(&mut self, least: u8, depth: u8) -> Result<(), ExpressionError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(Expected::Shallower));
        }
        self.expression(least, depth + 1)
    }

    fn operand(&mut self, depth: u8) -> Result<(), ExpressionError> {
        match self.peek() {
            Some('-') => {
                self.skip();
                self.nested(Operator::SIGN, depth)?;
                self.steps.push(Step::Negate);
                Ok(())
            }
            Some('(') => {
                self.skip();
                self.nested(Operator::LOOSEST, depth)?;
                self.close()
            }
            Some('0'..='9' | '.') => self.number(),
            Some(char) if char.is_ascii_alphabetic() => self.named(depth),
            _ => Err(self.error(Expected::Value)),
        }
    }

    fn number(&mut self) -> Result<(), ExpressionError> {
        let mut length = span(self.rest(), |byte| byte.is_ascii_digit() || byte == b'.');
        let exponent = self.rest().get(length..).and_then(|rest| {
            let rest = rest.strip_prefix(['e', 'E'])?;
            let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            let count = span(digits, |byte| byte.is_ascii_digit());
            (count > 0).then_some(1 + rest.len() - digits.len() + count)
        });
        length += exponent.unwrap_or(0);
        let number = self.rest().get(..length).and_then(|text| text.parse().ok());
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => {
                self.at += length;
                self.steps.push(Step::Number(number));
                Ok(())
            }
            None => Err(self.error(Expected::Number)),
        }
    }

    /// `attempt`, or a function and its arguments.
    fn named(&mut self, depth: u8) -> Result<(), ExpressionError> {
        let length = span(self.rest(), |byte| {
            byte.is_ascii_alphanumeric() || byte == b'_'
        });
        let name = self.rest().get(..length).unwrap_or_default();
        if name == "attempt" {
            self.at += length;
            self.steps.push(Step::Attempt);
            return Ok(());
        }
        let known = Function::ALL
            .into_iter()
            .find(|function| function.name() == name);
        let Some(function) = known else {
            return Err(self.error(Expected::Name));
        };
        let start = self.at;
        self.at += length;
        if self.peek() != Some('(') {
            return Err(self.error(Expected::Arguments));
        }
        let mut arguments = 0;
        // The opening parenthesis first, then the commas.
        while arguments == 0 || self.peek() == Some(',') {
            self.skip();
            self.nested(Operator::LOOSEST, depth)?;
            arguments += 1;
        }
        self.close()?;
        if let Err(takes) = function.takes(arguments) {
            self.at = start;
            return Err(self.error(Expected::Count {
                function: function.name(),
                takes,
            }));
        }
        self.steps.push(Step::Call(function, arguments));
        Ok(())
    }

    fn close(&mut self) -> Result<(), ExpressionError> {
        if self.peek() != Some(')') {
            return Err(self.error(Expected::Close));
        }
        self.skip();
        Ok(())
    }

    /// The next character that is no space; moves up to it.
    fn peek(&mut self) -> Option<char> {
        self.at += span(self.rest(), |byte| byte.is_ascii_whitespace());
        self.rest().chars().next()
    }

    /// Moves past the character that was seen by `peek`.
    fn skip(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, expected: Expected) -> ExpressionError {
        let before = self.text.get(..self.at).unwrap_or_default();
        ExpressionError {
            position: before.chars().count() + 1,
            expected,
        }
    }
}

/// How many bytes at the start of `text` are such.
fn span(text: &str, such: fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| such(byte)).count()
}
