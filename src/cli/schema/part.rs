//! Small parts that schemas are made of.
//!
//! Example: `number(false, 1.0)` is `{"type": "number", "exclusiveMinimum": 0, "maximum": 1}`.

use serde_json::{Value, json};

/// A number from 0, or above it, to `max`.
pub(super) fn number(zero: bool, max: f64) -> Value {
    // Whole where it is, so that the schema reads `10` and not `10.0`.
    let max = serde_json::from_str(&max.to_string()).unwrap_or_else(|_| json!(max));
    if zero {
        json!({"type": "number", "minimum": 0, "maximum": max})
    } else {
        json!({"type": "number", "exclusiveMinimum": 0, "maximum": max})
    }
}

/// Adds a keyword to an object.
pub(super) fn insert(schema: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = schema {
        object.insert(key.to_owned(), value);
    }
}
