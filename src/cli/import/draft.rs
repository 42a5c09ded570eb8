//! The pools that are made, and the comments on what has no equal.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::document::lines::{Lines, Position};
use crate::document::{Node, Value as Kind};
use crate::durations;

/// All that was imported so far.
#[derive(Default)]
pub(super) struct Draft {
    pools: Vec<Pool>,
    /// Each with its file's number and its byte.
    comments: Vec<(usize, usize, String)>,
    files: usize,
    file: String,
    text: String,
}

/// A pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    name: String,
    fields: Map<String, Value>,
}

impl Draft {
    /// What follows is of this file.
    pub(super) fn begin(&mut self, name: &str, text: &str) {
        self.files += 1;
        self.file = name.to_owned();
        self.text = text.to_owned();
    }

    pub(super) fn add(&mut self, pool: Pool) {
        self.pools.push(pool);
    }

    /// A comment about this byte of the file.
    pub(super) fn comment(&mut self, at: usize, message: impl AsRef<str>) {
        let Position { line, column } = Lines::of(&self.text).position(at);
        let (file, message) = (&self.file, message.as_ref());
        let comment = format!("{file}:{line}:{column}: {message}");
        // Clusters of several routes are read several times.
        let comment = (self.files, at, comment);
        if !self.comments.contains(&comment) {
            self.comments.push(comment);
        }
    }

    /// A comment that a field has no equal.
    pub(super) fn no_equal(&mut self, at: usize, field: &str, why: &str) {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        self.comment(at, format!("{field} has no equal{why}"));
    }

    /// A comment that a field is not needed here.
    pub(super) fn not_needed(&mut self, at: usize, field: &str) {
        self.comment(
            at,
            format!("{field} is not needed: a retry takes another endpoint"),
        );
    }

    /// The comments, in the order of the files.
    pub(super) fn comments(&self) -> String {
        let mut comments: Vec<_> = self.comments.iter().collect();
        comments.sort();
        let lines = comments
            .iter()
            .map(|(_, _, comment)| format!("{comment}\n"));
        lines.collect()
    }

    /// How many attempts a pool makes.
    pub(super) fn attempts(&mut self, pool: &mut Pool, count: f64, at: usize) {
        if count > MOST_ATTEMPTS {
            self.comment(
                at,
                format!("{count} attempts in total: here {MOST_ATTEMPTS} are the most"),
            );
        }
        pool.set(
            "retry_policy.max_attempts",
            plain(count.clamp(1.0, MOST_ATTEMPTS)),
        );
    }

    /// The configuration, if there is any.
    pub(super) fn policy(self) -> Option<Value> {
        let mut pools: Vec<Pool> = Vec::new();
        for mut pool in self.pools {
            // Names are unique, and of some characters only.
            let known = |name: &str| pools.iter().any(|other| other.name == name);
            let plain = pool.name.chars().map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
                _ => '-',
            });
            let plain: String = plain.collect();
            let plain = plain.trim_matches('-');
            let name = if plain.is_empty() { "imported" } else { plain };
            let mut unique = name.to_owned();
            let mut number = 2;
            while known(&unique) {
                unique = format!("{name}-{number}");
                number += 1;
            }
            pool.name.clone_from(&unique);
            pool.fields.insert("name".into(), json!(unique));
            pool.fit();
            pools.push(pool);
        }
        let mut fields = pools.into_iter().map(|pool| Value::Object(pool.fields));
        match (fields.len(), fields.next()) {
            (_, None) => None,
            (1, only) => only,
            (_, Some(first)) => {
                let all: Vec<_> = std::iter::once(first).chain(fields).collect();
                Some(json!({"pools": all}))
            }
        }
    }
}

impl Pool {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            fields: Map::new(),
        }
    }

    /// Sets a field, by its path.
    pub(super) fn set(&mut self, path: &str, value: impl Into<Value>) {
        let mut fields = &mut self.fields;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                fields.insert(name.to_owned(), value.into());
                return;
            }
            let inner = fields.entry(name).or_insert_with(|| json!({}));
            let Some(inner) = inner.as_object_mut() else {
                return;
            };
            fields = inner;
        }
    }

    /// Takes requests for these hosts; for all, if there are none or `*` is among them.
    pub(super) fn hosts(&mut self, hosts: &[&str]) {
        if !hosts.is_empty() && !hosts.contains(&"*") {
            self.set("match.hosts", json!(hosts));
        }
    }

    /// Allows so many attempts at a time, or fewer if there is a lower limit already.
    pub(super) fn limit(&mut self, most: f64) {
        const PATH: &str = "connection_pool.max_connections";
        let known = self.get(PATH).and_then(Value::as_f64);
        self.set(PATH, plain(known.map_or(most, |known| known.min(most))));
    }

    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = self.fields.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    /// Sets a field to a duration.
    pub(super) fn set_span(&mut self, path: &str, span: Duration) {
        let text = durations::written(span);
        self.set(path, text.trim_matches('"'));
    }

    /// The same as it is written elsewhere; whether it could be read, and is not 0.
    pub(super) fn set_written_span(&mut self, path: &str, node: &Node) -> bool {
        match span_of(node).filter(|span| !span.is_zero()) {
            Some(span) => {
                self.set_span(path, span);
                true
            }
            None => false,
        }
    }

    fn span(&self, path: &str) -> Option<Duration> {
        durations::meant(self.get(path)?.as_str()?)
    }

    /// An attempt and its connection must fit into the total, and a delay into the longest.
    fn fit(&mut self) {
        let connect = self.span("timeout.connect");
        let (read, total) = (self.span("timeout.read"), self.span("timeout.total"));
        let least = connect
            .unwrap_or_default()
            .saturating_add(read.unwrap_or_default());
        let total = total.unwrap_or(Duration::from_secs(60));
        if least >= total {
            let room = if connect.is_some() {
                Duration::ZERO
            } else {
                Duration::from_secs(5)
            };
            self.set_span("timeout.total", least.saturating_add(room));
        }
        let (base, max) = (
            self.span("retry_policy.base_delay"),
            self.span("retry_policy.max_delay"),
        );
        if let (Some(base), Some(max)) = (base, max)
            && max < base
        {
            self.set_span("retry_policy.max_delay", base);
        }
    }
}

/// Why a limit of retries has no equal.
pub(super) const LIMITED_BY_BUDGET: &str = "retry_policy.budget limits retries by their share";

/// What `max_attempts` may be.
const MOST_ATTEMPTS: f64 = 10.0;

/// A duration as it is written elsewhere; a number is of seconds.
pub(super) fn span_of(node: &Node) -> Option<Duration> {
    match &node.value {
        Kind::Number(number) => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        _ => durations::meant(node.text()?),
    }
}

/// A number as it is written elsewhere, perhaps as text.
pub(super) fn number_of(node: &Node) -> Option<f64> {
    node.number()
        .or_else(|| node.text()?.trim_end_matches('%').parse().ok())
}

/// A number without a fraction that it does not have.
pub(super) fn plain(number: f64) -> Value {
    let rounded = number.round();
    if (number - rounded).abs() < f64::EPSILON && (0.0..1e9).contains(&rounded) {
        // The cast is exact within these limits.
        serde_json::from_str(&format!("{rounded:.0}")).unwrap_or_default()
    } else {
        json!(number)
    }
}
