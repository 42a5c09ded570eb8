//! Reads the values of one object whose errors have been reported.
//!
//! Every reader answers one of three: a value, that none was given, or [`Reported`]: one was given
//! that breaks its rule. A rule between two values is judged only if both are usable, so that one
//! mistake is one error and not two.

use core::time::Duration;

use crate::check;
use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::json::{Json, Object};
use crate::schema::Section;

/// An error about this value is on the list already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported;

/// The fields of one object.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    object: &'a Object,
    section: &'static Section,
    path: String,
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(object: &'a Object, section: &'static Section, path: String) -> Self {
        Self {
            object,
            section,
            path,
        }
    }

    /// The fields of the object in this field; none if it is not given.
    pub(crate) fn object(&self, name: &str, section: &'static Section) -> Self {
        let object = match self.get(name) {
            Some(Json::Object(object)) => object,
            _ => EMPTY,
        };
        Self::new(object, section, self.path(name))
    }

    /// The path of this field.
    pub(crate) fn path(&self, name: &str) -> String {
        check::member(&self.path, name)
    }

    /// The value of this field as it is in the document, right or wrong.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Json> {
        debug_assert!(
            self.section.field(name).is_some(),
            "{name} is not in the schema"
        );
        self.object.get(name)
    }

    /// The value of this field as `convert` understands it.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        convert: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, Reported> {
        let Some(json) = self.get(name) else {
            return Ok(None);
        };
        let usable = self
            .section
            .field(name)
            .is_some_and(|field| check::holds(&field.kind, json));
        match convert(json) {
            Some(value) if usable => Ok(Some(value)),
            _ => Err(Reported),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Reported> {
        self.read(name, |json| match json {
            Json::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Reported> {
        self.read(name, |json| match json {
            Json::Number(number) => number.as_f64(),
            _ => None,
        })
    }

    pub(crate) fn whole<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, Reported> {
        self.read(name, |json| T::try_from(json.whole()?).ok())
    }

    pub(crate) fn span(&self, name: &str) -> Result<Option<Duration>, Reported> {
        self.read(name, duration::read)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Reported> {
        self.read(name, Json::text)
    }

    /// Every entry of a list, converted.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        convert: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Reported> {
        self.read(name, |json| match json {
            Json::List(list) => list.iter().map(convert).collect(),
            _ => None,
        })
    }

    /// The error that this field, which is or is not given, breaks a rule.
    pub(crate) fn error(&self, name: &str, problem: Problem) -> ConfigError {
        match self.get(name) {
            Some(json) => check::error_at(self.path(name), json, problem),
            None => check::error(self.path(name), problem),
        }
    }
}

const EMPTY: &Object = &Object(Vec::new());
