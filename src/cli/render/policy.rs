//! The configuration that is rendered.
//!
//! Where it is written into resources it is changed a little: pools get names, so that another
//! plugin of the same store has others, and the admin surface is left out, because it would answer
//! on a public listener.

use std::path::Path;

use serde_json::Value;
use steerage_config::{Config, parse};

use super::cluster::{self, Cluster};
use super::external;
use crate::arguments::{External, Retries};
use crate::finished::Finished;
use crate::source;

/// A configuration that is rendered.
pub(super) struct Policy {
    /// With the layout in which it was given.
    pub(super) text: String,
    pub(super) document: Value,
    pub(super) config: Config,
    pub(super) clusters: Vec<Cluster>,
}

impl Policy {
    /// Reads it.
    pub(super) fn read(file: &Path) -> Result<Self, Finished> {
        Self::of(&source::bytes(file)?, file)
    }

    fn of(bytes: &[u8], file: &Path) -> Result<Self, Finished> {
        let config = parse(bytes).map_err(|errors| source::refused(file, &errors))?;
        Ok(Self {
            clusters: cluster::all(&config),
            text: String::from_utf8_lossy(bytes).into_owned(),
            document: source::document(bytes),
            config,
        })
    }

    /// The same after a change.
    fn changed(mut self, file: &Path, change: impl FnOnce(&mut Value)) -> Result<Self, Finished> {
        change(&mut self.document);
        Self::of(format!("{:#}", self.document).as_bytes(), file)
    }

    /// The same with retries by these. The defaults of other fields depend on it.
    pub(super) fn with_retries(self, retries: Retries, file: &Path) -> Result<Self, Finished> {
        self.changed(file, |document| {
            if let Some(fields) = document.as_object_mut() {
                fields.insert("retries".into(), retries.name().into());
            }
        })
    }

    /// The same with a name for a pool that has none.
    pub(super) fn named(self, name: &str, file: &Path) -> Result<Self, Finished> {
        let is_named = self.document.get("name").is_some();
        if is_named || self.document.get("pools").is_some() {
            return self.with_names(name, file);
        }
        self.changed(file, |document| {
            if let Some(fields) = document.as_object_mut() {
                fields.insert("name".into(), name.into());
            }
        })
    }

    /// The same for pools in a list, of which one may have no name.
    fn with_names(self, name: &str, file: &Path) -> Result<Self, Finished> {
        let pools = self.document.get("pools").and_then(Value::as_array);
        let mut pools = pools.into_iter().flatten();
        if pools.all(|pool| pool.get("name").is_some()) {
            return Ok(self);
        }
        self.changed(file, |document| {
            let pools = document.get_mut("pools").and_then(Value::as_array_mut);
            for fields in pools.into_iter().flatten().filter_map(Value::as_object_mut) {
                fields.entry("name").or_insert_with(|| name.into());
            }
        })
    }

    /// The same with servers elsewhere.
    pub(super) fn with_externals(
        self,
        externals: &[External],
        name: impl Fn(&External) -> String,
        file: &Path,
    ) -> Result<Self, Finished> {
        if externals.is_empty() {
            return Ok(self);
        }
        self.changed(file, |document| external::apply(document, externals, name))
    }

    /// The same without its admin surface, and that alone, if there are pools beside it.
    pub(super) fn without_admin(mut self, file: &Path) -> Result<(Self, Option<Value>), Finished> {
        if self.config.pools.is_empty() {
            return Ok((self, None));
        }
        let fields = self.document.as_object_mut();
        match fields.and_then(|fields| fields.remove("admin")) {
            Some(admin) => Ok((self.changed(file, |_| {})?, Some(admin))),
            None => Ok((self, None)),
        }
    }

    /// The hosts that the pools take, without ports; `None` where one takes any.
    pub(super) fn hosts(&self) -> Option<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        for (_, pool) in source::pools(&self.document) {
            let hosts = pool.pointer("/match/hosts").and_then(Value::as_array)?;
            for host in hosts.iter().filter_map(Value::as_str) {
                let host = host.split(':').next().unwrap_or_default().to_owned();
                if !all.contains(&host) {
                    all.push(host);
                }
            }
        }
        (!all.is_empty()).then_some(all)
    }
}
