//! The values of one object, read by key.
//!
//! A read has one of three results: a value, no value because none is given, or [`Reported`]
//! because the value breaks a rule. A rule between two values is judged only if both can be used,
//! so that one mistake is one error and not two.
//!
//! Example: `fields.get(&MAX_ATTEMPTS)?.unwrap_or(default.max_attempts)`.

use core::marker::PhantomData;

use crate::error::{ConfigError, Problem};
use crate::key::{Describe, Key, Nested};
use crate::place::member;
use crate::report::{Errors, Reported};
use crate::value::{Checked, FromValue, Header, Members, Value};

/// The values of one object of the section `S`.
#[derive(Debug)]
pub struct Fields<'a, S> {
    members: &'a Members<'a>,
    path: String,
    section: PhantomData<fn(S)>,
}

impl<'a, S: Describe> Fields<'a, S> {
    /// Those of the object at `path`.
    pub(crate) const fn new(members: &'a Members<'a>, path: String) -> Self {
        Self {
            members,
            path,
            section: PhantomData,
        }
    }

    /// Those of an object, or of none where the value is none.
    pub(crate) fn of(checked: &'a Checked<'a>, path: String) -> Self {
        Self::new(members(Some(checked)), path)
    }

    /// The same object as one of the section `N`, which is a part of `S`.
    pub(crate) fn part<N: Describe>(&self) -> Fields<'a, N> {
        Fields::new(self.members, self.path.clone())
    }

    /// The fields of the object in this field; none if it is not given.
    pub(crate) fn object<N: Describe>(&self, key: &Key<S, Nested<N>>) -> Fields<'a, N> {
        self.inner(key)
    }

    /// The same where the field may hold an object of the section `N` or something else.
    pub(crate) fn inner<T, N: Describe>(&self, key: &Key<S, T>) -> Fields<'a, N> {
        Fields::new(members(self.checked(key)), self.path(key))
    }

    /// The path of this field.
    pub(crate) fn path<T>(&self, key: &Key<S, T>) -> String {
        member(&self.path, key.field.name)
    }

    /// The path of the object.
    pub(crate) fn place(&self) -> &str {
        &self.path
    }

    /// Whether this field is given, right or wrong.
    pub(crate) fn given<T>(&self, key: &Key<S, T>) -> bool {
        self.members.json(key.field.name).is_some()
    }

    /// Whether a field of the section `N` is given.
    pub(crate) fn any_given<N: Describe>(&self) -> bool {
        let mut fields = N::SECTION.fields.iter();
        fields.any(|field| self.members.json(field.name).is_some())
    }

    /// The values without their section.
    pub(crate) const fn members(&self) -> &'a Members<'a> {
        self.members
    }

    /// The checked value of this field, which may be broken inside.
    pub(crate) fn checked<T>(&self, key: &Key<S, T>) -> Option<&'a Checked<'a>> {
        self.members
            .find(key.field.name)
            .map(|entry| &entry.checked)
    }

    /// The value of this field.
    ///
    /// # Errors
    /// [`Reported`]: it is given, and breaks a rule.
    pub fn get<T: FromValue>(&self, key: &Key<S, T>) -> Result<Option<T>, Reported> {
        read(self.members, key.field.name)
    }

    /// The value of a field that must be given.
    ///
    /// # Errors
    /// [`Reported`]: it breaks a rule, or is missing.
    pub fn required<T: FromValue>(
        &self,
        key: &Key<S, T>,
        errors: &mut Errors,
    ) -> Result<T, Reported> {
        match self.get(key)? {
            Some(value) => Ok(value),
            None => Err(self.refuse(errors, Problem::Required)),
        }
    }

    /// The entries of a list, each with what is wrong with it.
    pub(crate) fn entries<T>(&self, key: &Key<S, T>) -> Result<&'a [Checked<'a>], Reported> {
        entries(self.checked(key))
    }

    /// The entries of an object of headers.
    pub(crate) fn headers<T>(&self, key: &Key<S, T>) -> Result<Option<&'a [Header<'a>]>, Reported> {
        Ok(
            match usable(self.members, key.field.name)?.map(|checked| &checked.value) {
                Some(Value::Headers(headers)) => Some(headers),
                _ => None,
            },
        )
    }

    /// The error that this field breaks a rule. It shows the value, if one is given.
    pub fn error<T>(&self, key: &Key<S, T>, problem: Problem) -> ConfigError {
        error(self.members, self.path(key), key.field.name, problem)
    }

    /// Refuses the whole object: for an error that is on the list already, or else for this one.
    pub(crate) fn refuse(&self, errors: &mut Errors, problem: Problem) -> Reported {
        refuse(self.members, &self.path, errors, problem)
    }
}

// Generic in as little as possible: each instance is code in the module.

fn read<T: FromValue>(members: &Members<'_>, name: &str) -> Result<Option<T>, Reported> {
    let value = usable(members, name)?.map(T::from_value);
    debug_assert!(
        !matches!(value, Some(None)),
        "{name} has another kind than its type"
    );
    Ok(value.flatten())
}

fn error(members: &Members<'_>, path: String, name: &str, problem: Problem) -> ConfigError {
    match members.json(name) {
        Some(json) => ConfigError::at(path, json, problem),
        None => ConfigError::new(path, problem),
    }
}

fn members<'a>(checked: Option<&'a Checked<'a>>) -> &'a Members<'a> {
    match checked.map(|checked| &checked.value) {
        Some(Value::Object(members)) => members,
        _ => NONE,
    }
}

fn entries<'a>(checked: Option<&'a Checked<'a>>) -> Result<&'a [Checked<'a>], Reported> {
    match checked {
        None => Ok(&[]),
        Some(Checked {
            value: Value::List(list),
            ..
        }) => Ok(list),
        Some(checked) => checked.reported.map_or(Ok(&[]), Err),
    }
}

fn refuse(members: &Members<'_>, path: &str, errors: &mut Errors, problem: Problem) -> Reported {
    match members.reported() {
        Some(reported) => reported,
        None => errors.report(ConfigError::new(path.to_owned(), problem)),
    }
}

fn usable<'a>(members: &'a Members<'a>, name: &str) -> Result<Option<&'a Checked<'a>>, Reported> {
    match members.find(name).map(|entry| &entry.checked) {
        Some(Checked {
            reported: Some(reported),
            ..
        }) => Err(*reported),
        usable => Ok(usable),
    }
}

const NONE: &Members<'static> = &Members::none();
