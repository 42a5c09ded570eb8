//! The headers of a message, as an interceptor sees and changes them.
//!
//! Changes are recorded first and carried out later: the message may be in the host, or a list that
//! is not sent yet. An interceptor reads the message with the changes made so far. The host's map
//! is read once, completely, and only when an interceptor reads a header. A chain that only sets
//! headers costs one hostcall for each change and no other.
//!
//! Example: the message has `x-a: 1`. After `add("x-a", "2")` and `set("x-b", "3")` the first `x-a`
//! is still `1`, and the shell has two changes to carry out. After `remove("x-a")` there is no
//! `x-a`.

use core::cell::OnceCell;

use steerage_engine::headers::HeaderMap;
use steerage_policy::headers::{is_changeable, is_token};

use crate::host::{self, Map, Refused};
use crate::metrics::hostcall_refused;

/// The headers of a message. Names are in lower case.
///
/// A request's pseudo-headers (`:method`, `:path`, `:authority`, `:scheme`) can be read. Some
/// changes are dropped, because they would route the message, frame its body or steer the filter:
/// those of pseudo-headers, `host`, `content-length`, hop-by-hop headers, the routing header,
/// `x-steerage-*` and the `x-envoy-*` headers that steer the router. So are invalid names and
/// values.
#[derive(Debug)]
pub struct Headers<'a> {
    source: Source<'a>,
    /// The host's map, once it has been read.
    read: OnceCell<HeaderMap>,
    cluster_header: &'a str,
    edits: Edits,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(source: Source<'a>, cluster_header: &'a str) -> Self {
        Self {
            source,
            read: OnceCell::new(),
            cluster_header,
            edits: Edits::default(),
        }
    }

    pub(crate) fn into_edits(self) -> Edits {
        self.edits
    }

    /// The first value of `name`, which must be in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(candidate, _)| *candidate == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let edits = &self.edits.0;
        let (listed, mapped) = match self.source {
            Source::List(list) => (Some(list), None),
            Source::Host(map) => (None, Some(self.host(map))),
        };
        let there = listed.into_iter().flatten().copied();
        let there = there.chain(mapped.into_iter().flat_map(HeaderMap::iter));
        let kept = there.filter(|(name, _)| !edits.iter().any(|edit| edit.replaces(name)));
        let written = edits.iter().enumerate().filter_map(move |(at, edit)| {
            let mut later = edits.iter().skip(at + 1);
            let name = edit.name.as_bytes();
            let value = edit.value.as_deref()?;
            (!later.any(|edit| edit.replaces(name))).then_some((name, value.as_bytes()))
        });
        kept.chain(written)
    }

    /// Sets the header `name`, in place of all its values.
    pub fn set(&mut self, name: &str, value: &str) {
        self.edit(name, Some(value), true);
    }

    /// Adds a value to those of the header `name`.
    pub fn add(&mut self, name: &str, value: &str) {
        self.edit(name, Some(value), false);
    }

    /// Removes all values of the header `name`.
    pub fn remove(&mut self, name: &str) {
        self.edit(name, None, true);
    }

    fn edit(&mut self, name: &str, value: Option<&str>, replaces: bool) {
        let name = name.to_ascii_lowercase();
        let valid = is_token(name.as_bytes())
            && value.is_none_or(|value| !value.contains(char::is_control));
        if !valid || !is_changeable(name.as_bytes()) || name == self.cluster_header {
            // The value is not logged: it may be a secret.
            log::debug!("an interceptor's change of {name:?} is dropped");
            return;
        }
        self.edits.0.push(Edit {
            name: name.into(),
            value: value.map(Into::into),
            replaces,
        });
    }

    fn host(&self, map: Map) -> &HeaderMap {
        self.read.get_or_init(|| {
            host::header_map(map).unwrap_or_else(|refused| {
                hostcall_refused("to read headers for an interceptor", refused);
                HeaderMap::default()
            })
        })
    }
}

/// Where a chain finds the headers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// In a map of the host.
    Host(Map),
    /// In a list that is not sent yet.
    List(&'a [(&'a [u8], &'a [u8])]),
}

/// Changes, in order. They are valid, and none is of a header that the filter owns.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    name: Box<str>,
    /// `None` removes.
    value: Option<Box<str>>,
    /// Whether earlier values are replaced.
    replaces: bool,
}

impl Edit {
    /// Whether it replaces earlier values of `name`.
    fn replaces(&self, name: &[u8]) -> bool {
        self.replaces && self.name.as_bytes() == name
    }
}

impl Edits {
    /// Carries them out on a map of the host. If the host refuses one, the others are still made.
    pub(crate) fn write(&self, map: Map) -> Result<(), Refused> {
        let mut done = Ok(());
        for edit in &self.0 {
            let written = match &edit.value {
                None => host::remove_header(map, edit.name.as_bytes()),
                Some(value) if edit.replaces => host::set_header(map, &edit.name, value.as_bytes()),
                Some(value) => host::add_header(map, &edit.name, value.as_bytes()),
            };
            done = done.and(written);
        }
        done
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the headers that they have changed on a map of the host the values that they had
    /// before, in `original`.
    pub(crate) fn undo(&self, map: Map, original: &HeaderMap) -> Result<(), Refused> {
        let mut done = Ok(());
        for (at, edit) in self.0.iter().enumerate() {
            let earlier = self.0.iter().take(at);
            if earlier
                .map(|edit| &edit.name)
                .any(|name| *name == edit.name)
            {
                continue;
            }
            let removed = host::remove_header(map, edit.name.as_bytes());
            done = done.and(removed);
            for (name, value) in original.iter() {
                if name == edit.name.as_bytes() {
                    let added = host::add_header(map, &edit.name, value);
                    done = done.and(added);
                }
            }
        }
        done
    }

    /// Carries them out on a list.
    pub(crate) fn apply<'a>(&'a self, headers: &mut Vec<(&'a [u8], &'a [u8])>) {
        for edit in &self.0 {
            let name = edit.name.as_bytes();
            if edit.replaces {
                headers.retain(|(other, _)| *other != name);
            }
            if let Some(value) = &edit.value {
                headers.push((name, value.as_bytes()));
            }
        }
    }
}
