//! `interceptors`: what is done to the headers of messages, and what is logged of attempts.
//!
//! An attempt has no answer before it is sent. So a condition on an answer, and a template with its
//! time, are errors in `interceptors.request`. In both lists it is an error to change a header that
//! the filter or the proxy needs, such as the routing header.
//!
//! Example: `{"request": [{"remove_header": "x-a", "when": {"status": ["5xx"]}}]}` is the error
//! that `interceptors.request[0].when.status` is known only in `interceptors.response`.

use core::time::Duration;

use steerage_policy::headers::is_changeable;
use steerage_policy::retry::Statuses;
use steerage_policy::retry::backoff::MAX_ATTEMPTS;

use super::matching::{HEADER_RULES, HeaderRules};
use crate::error::{ConfigError, Problem};
use crate::fields::Fields;
use crate::from_value::Headers;
use crate::interceptors::{
    Change, HeaderAction, Interceptors, Level, Logging, Template, Variable, When,
};
use crate::json::excerpt;
use crate::key::{Entries, Key, Nested};
use crate::kind::{Kind, MOST, STATUS, any_number_of, some};
use crate::place::{item, member};
use crate::report::{Errors, Reported};
use crate::text_rule::TextRule;
use crate::value::{Checked, FromValue, Header, Value};
use crate::{choice, section};

section! {
    /// `interceptors`.
    pub static INTERCEPTORS: InterceptorsSection;
    REQUEST: Entries = Key::new(
        "request",
        any_number_of(&ACTION_KIND),
        "[]",
        "changes to the request of an attempt",
    );
    RESPONSE: Entries = Key::new(
        "response",
        any_number_of(&ACTION_KIND),
        "[]",
        "changes to the answer to the client",
    );
    LOGS: Logs = Key::new(
        "logging",
        LOGS_KIND,
        "false",
        "whether attempts are logged, and which",
    );
}

section! {
    /// An entry of `interceptors.request` and `interceptors.response`.
    pub static ACTION: Action, exactly one of SET_HEADER, ADD_HEADER, REMOVE_HEADER;
    SET_HEADER: Headers<Template> = Key::new(
        "set_header",
        TEMPLATES,
        "–",
        "sets these headers, whatever they were",
    );
    ADD_HEADER: Headers<Template> = Key::new(
        "add_header",
        TEMPLATES,
        "–",
        "adds these headers to those of the same name",
    );
    REMOVE_HEADER: Box<str> = Key::text(
        "remove_header",
        TextRule::ChangeableHeader,
        "–",
        "removes this header",
    );
    WHEN_KEY: Nested<ActionWhen> = Key::object(
        "when",
        "always",
        "only then; all conditions given must hold",
    );
}

section! {
    /// `when` of an interceptor.
    pub static WHEN: ActionWhen;
    STATUSES: Statuses = Key::new(
        "status",
        some(&STATUS),
        "–",
        "the answer's status is one of these, as retry_on_status_codes; only in response",
    );
    HEADER: HeaderRules = Key::new("header", HEADER_RULES, "–", "as match.headers");
    ATTEMPTS: Vec<u8> = Key::new(
        "attempt",
        Kind::Either(&[ATTEMPT, some(&ATTEMPT)]),
        "–",
        "the number of the attempt is this, or one of these",
    );
    SLOWER_THAN: Duration = Key::span(
        "slower_than",
        "–",
        "the attempt took longer; only in response",
    );
}

section! {
    /// `interceptors.logging`, where it is an object.
    pub static LOGGING: LoggingSection;
    LEVEL: Level = Key::choice("level", "\"info\"", "the level of the log lines");
    LOG_SLOWER_THAN: Duration = Key::span_or_zero(
        "slower_than",
        "0",
        "only attempts that took longer are logged",
    );
}

choice!(Level);

const ACTION_KIND: Kind = Kind::Object(&ACTION);

/// Whether attempts are logged, or how.
const LOGS_KIND: Kind = Kind::Either(&[Kind::Flag, Kind::Object(&LOGGING)]);

/// The number of an attempt.
const ATTEMPT: Kind = Kind::Whole {
    min: 1,
    max: MAX_ATTEMPTS as u64,
};

/// Headers whose values may contain variables.
const TEMPLATES: Kind = Kind::Headers(&Kind::Text(TextRule::Template));

/// The interceptors of a pool whose routing header is `cluster_header`. `or_logging`: the other
/// spelling of `logging`, a field of the pool.
#[inline(never)]
pub(super) fn interceptors(
    fields: &Fields<'_, InterceptorsSection>,
    or_logging: Result<Option<bool>, Reported>,
    cluster_header: &str,
    errors: &mut Errors,
) -> Result<Interceptors, Reported> {
    let mut list = |key, answered| {
        let mut reader = Reader {
            cluster_header,
            answered,
            errors,
        };
        reader.actions(fields, key)
    };
    let request = list(&REQUEST, false);
    let response = list(&RESPONSE, true);
    let or_logging = or_logging?.unwrap_or(false);
    Ok(Interceptors {
        request: request?,
        response: response?,
        logging: match fields.get(&LOGS)? {
            Some(Logs(Some(logging))) => Some(logging),
            _ => or_logging.then(Logging::default),
        },
    })
}

/// `logging`, which may be a flag.
pub(crate) struct Logs(Option<Logging>);

impl FromValue for Logs {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        if let Some(flag) = bool::from_value(checked) {
            return Some(Self(flag.then(Logging::default)));
        }
        let fields = Fields::of(checked, String::new());
        Some(Self(Some(Logging {
            level: fields.get(&LEVEL).ok()?.unwrap_or_default(),
            slower_than: fields.get(&LOG_SLOWER_THAN).ok()?.unwrap_or_default(),
        })))
    }
}

/// Headers with their values, names in lower case.
type Values = Vec<(Box<str>, Template)>;

/// Reads the entries of one list.
struct Reader<'a> {
    cluster_header: &'a str,
    /// Whether there is an answer.
    answered: bool,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn actions(
        &mut self,
        fields: &Fields<'_, InterceptorsSection>,
        key: &Key<InterceptorsSection, Entries>,
    ) -> Result<Vec<HeaderAction>, Reported> {
        let path = fields.path(key);
        let mut actions = Vec::new();
        for (index, checked) in fields.entries(key)?.iter().enumerate() {
            actions.push(match (&checked.value, checked.reported) {
                (Value::Nothing, Some(reported)) => Err(reported),
                _ => self.action(&Fields::of(checked, item(&path, index))),
            });
        }
        actions.into_iter().collect()
    }

    fn action(&mut self, fields: &Fields<'_, Action>) -> Result<HeaderAction, Reported> {
        let when = self.when(&fields.object(&WHEN_KEY));
        let set = self.values(fields, &SET_HEADER);
        let add = self.values(fields, &ADD_HEADER);
        let remove = self.removed(fields);
        let change = match (set?, add?, remove?) {
            (Some(set), None, None) => Change::Set(set),
            (None, Some(add), None) => Change::Add(add),
            (None, None, Some(name)) => Change::Remove(name),
            _ => {
                let problem = Problem::ExactlyOne(ACTION.exactly_one);
                return Err(fields.refuse(self.errors, problem));
            }
        };
        Ok(HeaderAction {
            change,
            when: when?,
        })
    }

    fn when(&mut self, fields: &Fields<'_, ActionWhen>) -> Result<When, Reported> {
        let mut when = When {
            status: fields.get(&STATUSES)?,
            headers: fields.get(&HEADER)?.map_or_else(Vec::new, |rules| rules.0),
            attempt: fields.get(&ATTEMPTS)?,
            slower_than: fields.get(&SLOWER_THAN)?,
        };
        if !self.answered {
            let problem = || Problem::OnlyOfAnswers;
            if when.status.take().is_some() {
                self.errors.report(fields.error(&STATUSES, problem()));
            }
            if when.slower_than.take().is_some() {
                self.errors.report(fields.error(&SLOWER_THAN, problem()));
            }
        }
        Ok(when)
    }

    /// The headers of `set_header` or `add_header`.
    fn values(
        &mut self,
        fields: &Fields<'_, Action>,
        key: &Key<Action, Headers<Template>>,
    ) -> Result<Option<Values>, Reported> {
        let Some(headers) = fields.headers(key)? else {
            return Ok(None);
        };
        if headers.is_empty() {
            let problem = Problem::Length { min: 1, max: MOST };
            return Err(self.errors.report(fields.error(key, problem)));
        }
        let path = fields.path(key);
        let mut values = Vec::new();
        for header in headers {
            if let Value::Template(template) = &header.checked.value {
                values.push(self.value(header, template, &member(&path, header.name)));
            }
        }
        values.into_iter().collect::<Result<_, _>>().map(Some)
    }

    fn value(
        &mut self,
        header: &Header<'_>,
        template: &Template,
        path: &str,
    ) -> Result<(Box<str>, Template), Reported> {
        let name = self.changeable(header.name, path)?;
        if !self.answered && template.names(Variable::ResponseTime) {
            let error = ConfigError::at(path.into(), header.json, Problem::OnlyOfAnswers);
            return Err(self.errors.report(error));
        }
        Ok((name, template.clone()))
    }

    fn removed(&mut self, fields: &Fields<'_, Action>) -> Result<Option<Box<str>>, Reported> {
        match fields.get(&REMOVE_HEADER)? {
            Some(name) => {
                let path = fields.path(&REMOVE_HEADER);
                self.changeable(&name, &path).map(Some)
            }
            None => Ok(None),
        }
    }

    /// `name` in lower case, if an operator may change this header.
    fn changeable(&mut self, name: &str, path: &str) -> Result<Box<str>, Reported> {
        let lower = name.to_ascii_lowercase();
        if is_changeable(lower.as_bytes()) && lower != self.cluster_header {
            return Ok(lower.into());
        }
        let problem = Problem::MustBe(Kind::Text(TextRule::ChangeableHeader));
        Err(self.errors.report(ConfigError {
            value: Some(excerpt(name)),
            ..ConfigError::new(path.into(), problem)
        }))
    }
}

#[cfg(test)]
mod tests;
