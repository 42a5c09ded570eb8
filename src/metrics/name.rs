//! The names of metrics.

use core::fmt::{self, Write as _};

/// The name of a metric with these labels.
pub(super) fn name(metric: &str, labels: &[(&str, &str)]) -> String {
    let mut name = metric.to_owned();
    for (label, value) in labels {
        // Writing to a string cannot fail.
        let _ = write!(name, ";{label}={}", Value(value));
    }
    name
}

/// A label's value as it is written.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split(';');
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "_{part}"))
    }
}
