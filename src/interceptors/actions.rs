//! The header actions of a configuration, as interceptors.
//!
//! Conditions are tested in order of cost. Headers come last, because reading them may take a
//! hostcall.
//!
//! Example: `{"set_header": {"x-try": "{attempt} at {endpoint}"}, "when": {"attempt": [2, 3]}}`
//! adds nothing to the first attempt and `x-try: 2 at api_west` to the second.

use core::fmt::Write as _;
use core::time::Duration;

use steerage_config::interceptors::{Change, HeaderAction, Piece, Template, Variable, When};

use super::info::Seconds;
use super::{
    AnswerInfo, AttemptInfo, Configured, Headers, RequestInterceptor, ResponseInterceptor,
};

impl RequestInterceptor for Configured {
    fn on_attempt(&self, attempt: &AttemptInfo<'_>, headers: &mut Headers<'_>) {
        let known = Known {
            pool: attempt.pool,
            endpoint: attempt.endpoint,
            attempt: attempt.number,
            answer: None,
        };
        act(&self.0, &known, headers);
    }
}

impl ResponseInterceptor for Configured {
    fn on_answer(&self, answer: &AnswerInfo<'_>, headers: &mut Headers<'_>) {
        let known = Known {
            pool: answer.pool,
            endpoint: answer.endpoint,
            attempt: answer.attempts,
            answer: Some((answer.status, answer.response_time)),
        };
        act(&self.0, &known, headers);
    }
}

/// What conditions and templates can name.
struct Known<'a> {
    pool: &'a str,
    endpoint: &'a str,
    attempt: u8,
    /// The answer's status, and how long the attempt took.
    answer: Option<(u16, Duration)>,
}

fn act(action: &HeaderAction, known: &Known<'_>, headers: &mut Headers<'_>) {
    if !holds(&action.when, known, headers) {
        return;
    }
    match &action.change {
        Change::Set(values) => {
            for (name, template) in values {
                headers.set(name, &filled(template, known));
            }
        }
        Change::Add(values) => {
            for (name, template) in values {
                headers.add(name, &filled(template, known));
            }
        }
        Change::Remove(name) => headers.remove(name),
    }
}

fn holds(when: &When, known: &Known<'_>, headers: &Headers<'_>) -> bool {
    let attempt = when.attempt.as_ref();
    let status = when.status.as_ref();
    attempt.is_none_or(|numbers| numbers.contains(&known.attempt))
        && status.is_none_or(|statuses| {
            let answer = known.answer;
            answer.is_some_and(|(status, _)| statuses.contains(status))
        })
        && when.slower_than.is_none_or(|limit| {
            let answer = known.answer;
            answer.is_some_and(|(_, took)| took > limit)
        })
        && when
            .headers
            .iter()
            .all(|(name, rule)| rule.matches(headers.get(name)))
}

/// The text of a template. Variables without a value are left out.
fn filled(template: &Template, known: &Known<'_>) -> String {
    let mut text = String::new();
    for piece in template.pieces() {
        // OK to ignore because writing to a string does not fail.
        let _ = match piece {
            Piece::Text(plain) => text.write_str(plain),
            Piece::Variable(Variable::Attempt) => write!(text, "{}", known.attempt),
            Piece::Variable(Variable::Endpoint) => text.write_str(known.endpoint),
            Piece::Variable(Variable::Pool) => text.write_str(known.pool),
            Piece::Variable(Variable::ResponseTime) => match known.answer {
                Some((_, took)) => write!(text, "{}", Seconds(took)),
                None => Ok(()),
            },
        };
    }
    text
}
