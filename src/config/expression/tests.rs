//! The values of expressions, and the errors of texts that are none.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, attempt: f64, expected: f64) {
    let value = Expression::new(text).unwrap().value(attempt);
    let near = (value - expected).abs() <= 1e-12 * expected.abs();
    assert!(
        near || value == expected || value.is_nan() && expected.is_nan(),
        "{text} gives {value}"
    );
}

#[test]
fn values() {
    for (text, expected) in [
        ("1", 1.0),
        (" 1.5e1 ", 15.0),
        ("2E-1", 0.2),
        (".5", 0.5),
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("24 / 4 / 2", 3.0),
        ("17 % 5 % 4", 2.0),
        ("7.5 % 2", 1.5),
        ("-7 % 5", -2.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("(-2) ^ 2", 4.0),
        ("2 ^ -1", 0.5),
        ("2 ^ -1 * 4", 2.0),
        ("-2 * 3", -6.0),
        ("- - 2", 2.0),
        ("3 - -2", 5.0),
        ("1 - 2 * -3 ^ 2", 19.0),
        ("min(3, 1, 2)", 1.0),
        ("max(3, 1 + 4, 2)", 5.0),
        ("pow(2, 10)", 1024.0),
        ("abs(-3.5)", 3.5),
        ("floor(2.7) + ceil(2.1) + round(2.5)", 8.0),
        ("sqrt(16)", 4.0),
        ("exp(1)", core::f64::consts::E),
        ("ln(exp(2))", 2.0),
        ("min(max(1, 2), sqrt(9))", 2.0),
        ("1 / 0", f64::INFINITY),
        ("0 / 0", f64::NAN),
        ("min(0 / 0, 30)", f64::NAN),
        ("max(30, sqrt(-1))", f64::NAN),
        ("attempt", 3.0),
        ("0.1 * 2 ^ (attempt - 1)", 0.4),
    ] {
        check(text, 3.0, expected);
    }
}

#[test]
fn the_documented_example() {
    let expression = Expression::new("min(attempt ^ 1.5, 30.0)").unwrap();
    let values = [1.0, 2.0, 3.0, 9.0, 10.0].map(|attempt| expression.value(attempt));
    let expected = [1.0, 8.0_f64.sqrt(), 27.0_f64.sqrt(), 27.0, 30.0];
    for (value, expected) in values.into_iter().zip(expected) {
        assert!((value - expected).abs() < 1e-12, "{value}");
    }
}

#[track_caller]
fn check_error(text: &str, position: usize, expected: Expected) {
    assert_eq!(
        Expression::new(text),
        Err(ExpressionError { position, expected }),
        "{text}"
    );
}

#[test]
fn errors_say_where_and_what() {
    check_error("", 1, Expected::Value);
    check_error("  ", 3, Expected::Value);
    check_error("1 +", 4, Expected::Value);
    check_error("+1", 1, Expected::Value);
    check_error("1 2", 3, Expected::Operator);
    check_error("1)", 2, Expected::Operator);
    check_error("2 ** 3", 4, Expected::Value);
    check_error("(1", 3, Expected::Close);
    check_error("min(1, 2", 9, Expected::Close);
    check_error("1.2.3", 1, Expected::Number);
    check_error("2 * .", 5, Expected::Number);
    check_error("1e999", 1, Expected::Number);
    check_error("2e", 2, Expected::Operator);
    check_error("2 * n", 5, Expected::Name);
    check_error("attempts", 1, Expected::Name);
    check_error("sqrt 4", 6, Expected::Arguments);
    check_error("min()", 5, Expected::Value);
    check_error("é", 1, Expected::Value);
    check_error("1 é", 3, Expected::Operator);
    let count = |function, takes| Expected::Count { function, takes };
    check_error("1 + min(2)", 5, count("min", "two or more values"));
    check_error("pow(1, 2, 3)", 1, count("pow", "two values"));
    check_error("ln(1, 2)", 1, count("ln", "one value"));
    check_error(&" ".repeat(257), 257, Expected::Shorter);
}

#[test]
fn nesting_is_bounded_in_every_direction() {
    let parentheses = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(Expression::new(&parentheses(32)).is_ok());
    check_error(&parentheses(33), 34, Expected::Shallower);
    check_error(&format!("{}1", "-".repeat(99)), 34, Expected::Shallower);
    check_error(&format!("{}1", "1^".repeat(99)), 67, Expected::Shallower);
    check_error(&"abs(".repeat(60), 133, Expected::Shallower);
    check(&format!("{}1", "1+".repeat(127)), 1.0, 128.0);
}

#[test]
fn messages_are_sentences() {
    let message = |text| Expression::new(text).unwrap_err().to_string();
    assert_eq!(
        message("2 * n"),
        "must have at character 5 `attempt` or a function: min, max, pow, abs, floor, ceil, \
             round, sqrt, exp, ln"
    );
    assert_eq!(
        message("min(1)"),
        "must have at character 1 min of two or more values"
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,300}", attempt in any::<f64>()) {
        if let Ok(expression) = Expression::new(&text) {
            let _ = expression.value(attempt);
        }
    }

    #[test]
    fn no_arithmetic_panics(
        text in "(attempt|min|pow|ln|[0-9.e(),^*/%+ -]){0,60}",
        attempt in any::<f64>(),
    ) {
        match Expression::new(&text) {
            Ok(expression) => {
                let _ = expression.value(attempt);
            }
            Err(error) => prop_assert!(error.position <= text.chars().count() + 1),
        }
    }

    #[test]
    fn sums_and_products_agree_with_rust(a in -1e6..1e6, b in -1e6..1e6, c in 0.1..1e6) {
        let expression = Expression::new(&format!("{a} + {b} * attempt / {c} - ({a} - {b})"));
        let expected = a + b * 7.0 / c - (a - b);
        prop_assert_eq!(expression.unwrap().value(7.0), expected);
    }
}
