//! How large an expression may be.

/// Most characters of an expression.
pub const MAX_LENGTH: usize = 256;

/// Most levels of nesting: parentheses, calls, signs, and the right sides of `^`.
pub const MAX_DEPTH: u8 = 32;
