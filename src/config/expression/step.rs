//! The steps that an expression is compiled to.
//!
//! Example: `1 + attempt` is a number, the attempt, and [`Operator::Add`] applied to both.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Number(f64),
    Attempt,
    Negate,
    Apply(Operator),
    Call(Function, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operator {
    pub(super) const LOOSEST: u8 = 1;
    /// A sign takes what binds at least this tightly: more than `*`, so that −a · b is (−a) · b,
    /// and no more than `^`.
    pub(super) const SIGN: u8 = 3;

    pub(super) const fn of(char: char) -> Option<Self> {
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

    pub(super) const fn binds(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => Self::LOOSEST,
            Self::Multiply | Self::Divide | Self::Remainder => 2,
            Self::Power => 4,
        }
    }

    pub(super) fn apply(self, left: f64, right: f64) -> f64 {
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
pub(super) enum Function {
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
    pub(super) const ALL: [Self; 10] = [
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

    pub(super) const fn name(self) -> &'static str {
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
    pub(super) const fn takes(self, arguments: usize) -> Result<(), &'static str> {
        match (self, arguments) {
            (Self::Min | Self::Max, 2..) | (Self::Pow, 2) => Ok(()),
            (Self::Min | Self::Max, _) => Err("two or more values"),
            (Self::Pow, _) => Err("two values"),
            (_, 1) => Ok(()),
            (_, _) => Err("one value"),
        }
    }

    pub(super) fn apply(self, arguments: &[f64]) -> f64 {
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
