//! Pieces of what Envoy is told, as JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// Merges `more` into `base`, object by object; what is not an object is replaced.
pub(crate) fn merge_into(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge_into(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}

/// A socket's address as Envoy's configuration has it.
pub(crate) fn address(addr: SocketAddr) -> Value {
    json!({"socket_address": {"address": addr.ip().to_string(), "port_value": addr.port()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_is_not_named() {
        let mut base = json!({"a": {"b": 1, "c": [1]}, "d": 2});
        merge_into(&mut base, json!({"a": {"c": [2, 3], "e": 4}}));
        assert_eq!(base, json!({"a": {"b": 1, "c": [2, 3], "e": 4}, "d": 2}));
    }
}
