//! `retry_policy.retry_on_first_event`: first messages that are failures.
//!
//! Example: `[{"event": "error"}, {"data": "overloaded_error"}]`: a stream of events that begins
//! with the event `error`, and an answer in whose first message `overloaded_error` stands.

use steerage_policy::retry::first_message::EventRule;

use crate::fields::Fields;
use crate::key::Key;
use crate::kind::Kind;
use crate::section;
use crate::text_rule::TextRule;
use crate::value::{Checked, FromValue};

section! {
    /// An entry of `retry_policy.retry_on_first_event`.
    pub static FIRST_EVENT: FirstEvent, exactly one of EVENT, DATA;
    EVENT: Box<str> = Key::text(
        "event",
        TextRule::Words,
        "–",
        "the answer's first event has this name; one that gives none is called \"message\"",
    );
    DATA: Box<str> = Key::text(
        "data",
        TextRule::Words,
        "–",
        "the answer's first message has this text within its first 16 KiB",
    );
}

/// A list of them. Every answer's first message is searched for each, so there must not be many.
pub(super) const FIRST_EVENT_LIST: Kind = Kind::List {
    of: &FIRST_EVENT_KIND,
    min: 0,
    max: 16,
};

const FIRST_EVENT_KIND: Kind = Kind::Object(&FIRST_EVENT);

impl FromValue for EventRule {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        let fields = Fields::of(checked, String::new());
        if let Some(name) = fields.get(&EVENT).ok()? {
            return Some(Self::Event(name));
        }
        fields.get(&DATA).ok()?.map(Self::Data)
    }
}
