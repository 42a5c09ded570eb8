//! What is done to the headers of messages, and what is logged of attempts.
//!
//! An attempt that is yet to be sent has no answer: conditions on one, and templates that name its
//! time, are errors in `interceptors.request`. So is, in either list, a change of a header that is
//! not the operator's to change; the routing header is one of these whatever its name.
//!
//! Example: `{"request": [{"remove_header": "x-a", "when": {"status": ["5xx"]}}]}` is the error that
//! `interceptors.request[0].when.status` is known only in `interceptors.response`.

use steerage_policy::headers::is_changeable;
use steerage_policy::retry::Statuses;

use super::{condition, matching};
use crate::check;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::interceptors::{
    Change, HeaderAction, Interceptors, Level, Logging, Template, Variable, When,
};
use crate::json::Json;
use crate::schema::{self, Kind, MOST, TextRule};
use crate::status;

/// `interceptors` of a pool, whose routing header is `cluster_header`.
pub(super) fn interceptors(
    pool: &Fields<'_>,
    cluster_header: &str,
    errors: &mut Vec<ConfigError>,
) -> Result<Interceptors, Reported> {
    let fields = pool.object("interceptors", &schema::INTERCEPTORS);
    let request = actions(&fields, "request", cluster_header, errors);
    let response = actions(&fields, "response", cluster_header, errors);
    let wanted = pool.flag("enable_logging_interceptor")?.unwrap_or(false);
    Ok(Interceptors {
        request: request?,
        response: response?,
        logging: match logging(&fields)? {
            None if wanted => Some(Logging::default()),
            logging => logging,
        },
    })
}

fn logging(fields: &Fields<'_>) -> Result<Option<Logging>, Reported> {
    // That the value is usable is what `read` checks besides.
    match fields.read("logging", Some)? {
        None | Some(Json::Flag(false)) => Ok(None),
        Some(Json::Object(_)) => {
            let fields = fields.object("logging", &schema::LOGGING);
            let level = fields.read("level", |json| Level::from_name(json.text()?))?;
            Ok(Some(Logging {
                level: level.unwrap_or_default(),
                slower_than: fields.span("slower_than")?.unwrap_or_default(),
            }))
        }
        Some(_) => Ok(Some(Logging::default())),
    }
}

fn actions(
    fields: &Fields<'_>,
    name: &str,
    cluster_header: &str,
    errors: &mut Vec<ConfigError>,
) -> Result<Vec<HeaderAction>, Reported> {
    let list = match fields.get(name) {
        None => return Ok(Vec::new()),
        Some(Json::List(list)) => list,
        Some(_) => return Err(Reported),
    };
    let mut reader = Reader {
        cluster_header,
        answered: name == "response",
        errors,
    };
    let mut actions = Vec::new();
    for (index, json) in list.iter().enumerate() {
        let Json::Object(object) = json else {
            actions.push(Err(Reported));
            continue;
        };
        let path = check::item(&fields.path(name), index);
        actions.push(reader.action(&Fields::new(object, &schema::ACTION, path)));
    }
    actions.into_iter().collect()
}

/// Headers with their values, names in lower case.
type Values = Vec<(Box<str>, Template)>;

/// Reads the entries of one list.
struct Reader<'a> {
    cluster_header: &'a str,
    /// Whether there is an answer.
    answered: bool,
    errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    fn action(&mut self, fields: &Fields<'_>) -> Result<HeaderAction, Reported> {
        let when = self.when(&fields.object("when", &schema::WHEN));
        let set = self.values(fields, "set_header");
        let add = self.values(fields, "add_header");
        let remove = self.removed(fields);
        // Two of them have been reported as errors.
        let change = match (set?, add?, remove?) {
            (Some(set), None, None) => Change::Set(set),
            (None, Some(add), None) => Change::Add(add),
            (None, None, Some(name)) => Change::Remove(name),
            _ => return Err(Reported),
        };
        Ok(HeaderAction {
            change,
            when: when?,
        })
    }

    fn when(&mut self, fields: &Fields<'_>) -> Result<When, Reported> {
        let mut when = When {
            status: fields.list("status", status::read)?.map(Statuses::new),
            headers: fields
                .read("header", |json| match json {
                    Json::Object(object) => matching::headers(object),
                    _ => None,
                })?
                .unwrap_or_default(),
            attempt: fields.read("attempt", |json| {
                condition::one_or_more(json, |json| json.whole()?.try_into().ok())
            })?,
            slower_than: fields.span("slower_than")?,
        };
        if !self.answered {
            let given = [
                ("status", when.status.take().is_some()),
                ("slower_than", when.slower_than.take().is_some()),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                let error = fields.error(name, Problem::OnlyOfAnswers);
                self.errors.push(error);
            }
        }
        Ok(when)
    }

    /// The headers of `set_header` or `add_header`.
    fn values(&mut self, fields: &Fields<'_>, field: &str) -> Result<Option<Values>, Reported> {
        let Some(object) = fields.read(field, |json| match json {
            Json::Object(object) => Some(object),
            _ => None,
        })?
        else {
            return Ok(None);
        };
        let path = fields.path(field);
        if object.0.is_empty() {
            let problem = Problem::Length { min: 1, max: MOST };
            self.errors.push(fields.error(field, problem));
            return Err(Reported);
        }
        let values: Vec<_> = object
            .0
            .iter()
            .map(|(name, json)| self.value(name, json, &check::member(&path, name)))
            .collect();
        values.into_iter().collect::<Result<_, _>>().map(Some)
    }

    fn value(
        &mut self,
        name: &str,
        json: &Json,
        path: &str,
    ) -> Result<(Box<str>, Template), Reported> {
        let name = self.changeable(name, path)?;
        let template = json.text().and_then(|text| Template::new(text).ok());
        let template = template.ok_or(Reported)?;
        if !self.answered && template.names(Variable::ResponseTime) {
            let problem = Problem::OnlyOfAnswers;
            self.errors
                .push(check::error_at(path.into(), json, problem));
            return Err(Reported);
        }
        Ok((name, template))
    }

    fn removed(&mut self, fields: &Fields<'_>) -> Result<Option<Box<str>>, Reported> {
        let field = "remove_header";
        let Some(name) = fields.text(field)? else {
            return Ok(None);
        };
        self.changeable(name, &fields.path(field)).map(Some)
    }

    /// `name` in lower case, if it is the operator's to change.
    fn changeable(&mut self, name: &str, path: &str) -> Result<Box<str>, Reported> {
        let lower = name.to_ascii_lowercase();
        if is_changeable(lower.as_bytes()) && lower != self.cluster_header {
            return Ok(lower.into());
        }
        self.errors.push(ConfigError {
            path: path.into(),
            value: Some(crate::json::excerpt(name)),
            problem: Problem::MustBe(Kind::Text(TextRule::ChangeableHeader)),
        });
        Err(Reported)
    }
}

#[cfg(test)]
mod tests;
