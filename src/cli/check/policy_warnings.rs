//! Settings that the filter accepts and that are probably mistakes.
//!
//! A warning needs a cause in the document: there is none about a default, or the smallest
//! configuration would have warnings.
//!
//! | about | because |
//! |---|---|
//! | attempts × read > total | the last attempts do not get the time that `read` promises |
//! | delays ≥ total | the last attempts are never made |
//! | no jitter; no budget | clients come back together; a failure is multiplied |
//! | a method that is not idempotent | what was done may be done again |
//! | cool-downs without a scope, in one tier | one client's 429 keeps an endpoint from all |
//! | retries with one endpoint | there is no other endpoint to try |
//! | weights that the strategy ignores; all drained | traffic does not follow the weights |
//! | hedges where the router retries; statuses of gRPC where calls do | they go another way; nothing retries them |
//! | first events that are failures, of POSTs that are not repeated | the client gets the failure |
//! | hedge ≥ read; check timeout ≥ interval | it never happens; checks overlap |
//! | a pool after one that takes everything | it never gets a request |
//!
//! Limits: matchers are not compared with each other, except with one that has no conditions.
//!
//! Example: `max_attempts` 4 and `read` 30 s with a `total` of 60 s: 4 × 30 s is more than 60 s.

use serde_json::Value;
use steerage_config::Config;
use steerage_config::place::item;
use steerage_policy::balance::Strategy;
use steerage_policy::matching::Matcher;
use steerage_policy::pool::Pool;
use steerage_policy::retry::backoff::Backoff as _;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::{CommitOn, FirstMessage};
use steerage_policy::retry::hedge::HedgeDelay;
use steerage_policy::retry::idempotency::Methods;
use steerage_policy::retry::jitter::Jitter;

use super::report::Remark;
use crate::source::{self, path_in, pools};
use crate::text::{decimal, span};

/// Those about `config`, of which `json` is the text.
pub(crate) fn of(config: &Config, json: &[u8]) -> Vec<Remark> {
    let document = &source::document(json);
    let mut found = Vec::new();
    let mut open: Option<&str> = None;
    for ((path, written), configured) in pools(document).iter().zip(&config.pools) {
        let mut place = Place {
            path,
            written,
            found: &mut found,
        };
        if let Some(name) = open {
            let message = format!("gets no request: the pool {name} before it takes everything");
            place.warn("", message, "put it before the pool that takes everything");
        } else if takes_everything(&configured.pool.matcher) {
            open = Some(&configured.pool.name);
        }
        place.attempts(&configured.pool);
        place.retries(&configured.pool);
        place.engine(&configured.pool);
        place.cool_downs(&configured.pool);
        place.endpoints(&configured.pool);
        place.checks(&configured.pool);
    }
    found
}

/// A pool of the document.
struct Place<'a> {
    path: &'a str,
    written: &'a Value,
    found: &'a mut Vec<Remark>,
}

impl Place<'_> {
    /// Warns about a field, by its path from the pool.
    fn warn(&mut self, field: &str, message: String, help: impl Into<String>) {
        let path = if field.is_empty() {
            self.path.to_owned()
        } else {
            path_in(self.path, field)
        };
        self.found
            .push(Remark::new("policy", message).at(path).help(help));
    }

    /// Whether a field is given, by its path from the pool.
    fn has(&self, field: &str) -> bool {
        let mut names = field.split('.');
        names
            .try_fold(self.written, |value, name| value.get(name))
            .is_some()
    }

    /// Warns about the first of these fields that is given. What follows from defaults alone is not
    /// a mistake of the user.
    fn warn_first(&mut self, fields: &[&str], message: String, help: impl Into<String>) {
        if let Some(field) = fields.iter().find(|field| self.has(field)) {
            self.warn(field, message, help);
        }
    }

    /// Attempts, delays and the deadline.
    fn attempts(&mut self, pool: &Pool) {
        let (attempts, timeouts) = (pool.retry.max_attempts, pool.timeouts);
        let (read, total) = (timeouts.read(), timeouts.total());
        if read * u32::from(attempts) > total {
            let message = format!(
                "{attempts} attempts of {} each do not fit into timeout.total of {}: the last ones are cut short",
                span(read),
                span(total),
            );
            let fields = ["retry_policy.max_attempts", "timeout.read", "timeout.total"];
            let most = (total.as_secs_f64() / read.as_secs_f64()).floor().max(1.0);
            let help = format!(
                "write \"max_attempts\": {most}, or \"total\": \"{}s\" in timeout",
                (read * u32::from(attempts)).as_secs_f64().ceil()
            );
            self.warn_first(&fields, message, help);
        }
        let mut waited = std::time::Duration::ZERO;
        for n in 1..attempts {
            waited = waited.saturating_add(pool.retry.backoff.delay(n));
            if waited >= total {
                let message = format!(
                    "without jitter the delays before attempt {} come to {}, and timeout.total is {}: it is never made",
                    n + 1,
                    span(waited),
                    span(total),
                );
                let fields = [
                    "retry_policy.base_delay",
                    "retry_policy.custom_retry_function",
                    "retry_policy.max_attempts",
                    "timeout.total",
                ];
                let help = format!("write \"max_attempts\": {n}, or a shorter base_delay");
                return self.warn_first(&fields, message, help);
            }
        }
    }

    /// Other problems with retries.
    fn retries(&mut self, pool: &Pool) {
        let retry = &pool.retry;
        if retry.max_attempts < 2 {
            return;
        }
        let range = "retry_policy.jitter_range";
        match retry.jitter {
            Jitter::None | Jitter::Range(0.0) => self.warn_first(
                &["retry_policy.jitter", range],
                "without jitter, requests that fail together are repeated together".into(),
                "write \"jitter\": \"full\"",
            ),
            Jitter::Range(_) => {}
            _ => self.warn_first(
                &[range],
                "has no effect unless jitter is true".into(),
                "write \"jitter\": true",
            ),
        }
        if retry.budget.is_none() {
            let message = format!(
                "without a budget, an upstream that fails gets up to {} times its load",
                retry.max_attempts
            );
            self.warn(
                "retry_policy.budget",
                message,
                "write \"budget\": {\"ratio\": 0.2}",
            );
        }
        let unsafe_methods: Vec<_> = ["POST", "PATCH", "CONNECT"]
            .into_iter()
            .filter(|method| repeats(&retry.methods, method))
            .collect();
        if !unsafe_methods.is_empty() {
            let message = format!(
                "{} may be repeated after it was carried out; with an Idempotency-Key it is repeated anyway",
                unsafe_methods.join(", ")
            );
            let help = format!("leave out {}", unsafe_methods.join(", "));
            self.warn("retry_policy.retry_methods", message, help);
        }
        if pool.endpoints.len() == 1 {
            let fields = ["retry_policy.max_attempts", "retry_policy"];
            let message = "there is one endpoint only: retries go to the one that has failed";
            self.warn_first(
                &fields,
                message.into(),
                "write \"max_attempts\": 1, or add an endpoint",
            );
        }
        if let Some(hedge) = retry.hedge {
            match hedge.delay {
                HedgeDelay::Fixed(delay) if delay >= pool.timeouts.read() => {
                    let message = format!(
                        "no attempt is under way that long: timeout.read is {}",
                        span(pool.timeouts.read())
                    );
                    self.warn(
                        "retry_policy.hedge.delay",
                        message,
                        "write \"delay\": \"p95\"",
                    );
                }
                _ if pool.endpoints.len() == 1 => {
                    let message = "there is no other endpoint to ask".into();
                    self.warn(
                        "retry_policy.hedge",
                        message,
                        "leave \"hedge\" out, or add an endpoint",
                    );
                }
                _ => {}
            }
        }
    }

    /// What depends on who makes the retries.
    fn engine(&mut self, pool: &Pool) {
        let retry = &pool.retry;
        match retry.by {
            RetriesBy::Calls if retry.max_attempts > 1 && !retry.grpc_statuses.is_empty() => {
                let message = "no call repeats gRPC: these statuses only count as failures of the \
                               endpoint, unless retries is router";
                let fields = ["retry_policy.retry_on_grpc_statuses"];
                self.warn_first(&fields, message.into(), "write \"retries\": \"router\"");
            }
            RetriesBy::Router if retry.hedge.is_some() => {
                let message = "hedges are calls of the filter all the same: their answers do not \
                               stream, and bypass the route and the other filters";
                self.warn("retry_policy.hedge", message.into(), "leave \"hedge\" out");
            }
            _ => {}
        }
        let CommitOn::FirstMessage(FirstMessage { rules, .. }) = &retry.commit_on else {
            return;
        };
        let takes_posts = pool.matcher.methods.as_ref();
        let takes_posts = takes_posts.is_none_or(|methods| repeats(methods, "POST"));
        if !rules.is_empty() && takes_posts && !repeats(&retry.methods, "POST") {
            let message = "no POST is repeated, unless it has an Idempotency-Key, and requests to \
                           models are POSTs: list it in retry_methods if that does no harm";
            let help = "write \"retry_methods\": [\"GET\", \"POST\"]";
            self.warn("retry_policy.retry_on_first_event", message.into(), help);
        }
    }

    /// Cool-downs that one client can start for all.
    fn cool_downs(&mut self, pool: &Pool) {
        let mut tiers = pool.endpoints.iter().map(|endpoint| endpoint.priority);
        let first = tiers.next();
        let is_one_tier = tiers.all(|tier| Some(tier) == first);
        let starts = pool.retry.max_cool_down.is_some() || !pool.retry.cool_downs.is_empty();
        if is_one_tier && starts && pool.retry.retry_after_scope.is_none() {
            let fields = [
                "retry_policy.respect_retry_after",
                "retry_policy.max_retry_after",
                "retry_policy.retry_after_statuses",
                "retry_policy.cool_down",
            ];
            let message = "what one client's requests are answered with keeps an endpoint from all clients; \
                 if each has limits of its own, give retry_after_scope the header that tells them apart";
            let help = "write \"retry_after_scope\": {\"header\": \"x-tenant\"}";
            self.warn_first(&fields, message.into(), help);
        }
    }

    /// Weights.
    fn endpoints(&mut self, pool: &Pool) {
        let mut weights = pool.endpoints.iter().map(|endpoint| endpoint.weight);
        if weights.clone().all(|weight| weight.is_drained()) {
            let message = "every endpoint is drained, so that all are used alike".into();
            return self.warn(
                "endpoints",
                message,
                "write a \"weight\" above 0 for one of them",
            );
        }
        let strategy = match pool.strategy {
            Strategy::RoundRobin => "round_robin",
            Strategy::Random => "random",
            _ => return,
        };
        // A weight of 0 drains with every strategy.
        let odd = weights.position(|weight| !weight.is_drained() && weight.value() != 1.0);
        if let (Some(index), Some(weight)) = (
            odd,
            odd.and_then(|index| pool.endpoints.get(index))
                .map(|endpoint| endpoint.weight.value()),
        ) {
            let field = format!("{}.weight", item("endpoints", index));
            let message = format!(
                "{} is ignored by the strategy {strategy}; weighted_{strategy} heeds it",
                decimal(weight, 3)
            );
            let help = format!("write \"strategy\": \"weighted_{strategy}\"");
            self.warn(&field, message, help);
        }
    }

    /// Health checks.
    fn checks(&mut self, pool: &Pool) {
        let Some(checks) = &pool.checks else { return };
        if checks.timeout >= checks.interval {
            let message = format!(
                "a check may take {} and the next is due after {}",
                span(checks.timeout),
                span(checks.interval)
            );
            let fields = [
                "health_check.timeout",
                "load_balancer.health_check_timeout",
                "health_check.interval",
                "load_balancer.health_check_interval",
            ];
            let help = format!("write \"interval\": \"{}s\"", checks.timeout.as_secs() * 2);
            self.warn_first(&fields, message, help);
        }
    }
}

fn repeats(methods: &Methods, method: &str) -> bool {
    methods.contains(method.as_bytes())
}

fn takes_everything(matcher: &Matcher) -> bool {
    matcher.prefix.as_deref().is_none_or(|prefix| prefix == "/")
        && matcher.path.is_none()
        && matcher.regex.is_none()
        && matcher.hosts.is_empty()
        && matcher.methods.is_none()
        && matcher.headers.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: &[(&str, &str)]) {
        let config = steerage_config::parse(document.as_bytes()).unwrap();
        let found = of(&config, document.as_bytes());
        let paths: Vec<_> = found.iter().map(|warning| &*warning.path).collect();
        let wanted: Vec<_> = expected.iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, wanted, "{found:?}");
        for (warning, (_, part)) in found.iter().zip(expected) {
            assert!(warning.message.contains(part), "{warning:?}");
        }
    }

    /// The same for the fields of a pool of two endpoints.
    #[track_caller]
    fn check_pool(fields: &str, expected: &[(&str, &str)]) {
        check(
            &format!(r#"{{"endpoints": ["a", "b"], {fields}}}"#),
            expected,
        );
    }

    #[test]
    fn defaults_are_not_warned_about() {
        check(r#"{"endpoints": ["a", "b"]}"#, &[]);
        check(r#"{"endpoints": ["a"]}"#, &[]);
        check(r#"{"admin": {}}"#, &[]);
        check_pool(r#""retry_policy": {"base_delay": 1}"#, &[]);
    }

    #[test]
    fn what_does_not_fit_into_the_deadline() {
        let cut = "4 attempts of 30 s each do not fit into timeout.total of 60 s";
        check_pool(
            r#""retry_policy": {"max_attempts": 4}"#,
            &[("retry_policy.max_attempts", cut)],
        );
        check_pool(
            r#""timeout": {"connect": 1, "read": 2, "total": 5}"#,
            &[("timeout.read", "3 attempts of 2 s")],
        );
        check_pool(
            r#""timeout": {"connect": 1, "read": 2, "total": 6},
               "retry_policy": {"base_delay": 2, "max_delay": 9}"#,
            &[("retry_policy.base_delay", "before attempt 3 come to 6 s")],
        );
    }

    #[test]
    fn what_makes_retries_dangerous_or_useless() {
        check_pool(
            r#""retry_policy": {"jitter": false, "budget": false, "retry_methods": ["GET", "POST"]}"#,
            &[
                ("retry_policy.jitter", "repeated together"),
                ("retry_policy.budget", "up to 3 times its load"),
                ("retry_policy.retry_methods", "POST may be repeated"),
            ],
        );
        check_pool(
            r#""retry_policy": {"max_attempts": 1, "jitter": "none", "budget": false}"#,
            &[],
        );
        check_pool(
            r#""retry_policy": {"jitter_range": 0.2}"#,
            &[("retry_policy.jitter_range", "no effect")],
        );
        check_pool(
            r#""retry_policy": {"hedge": {"delay": "30s"}}"#,
            &[("retry_policy.hedge.delay", "timeout.read is 30 s")],
        );
        check(
            r#"{"endpoints": ["a"], "retry_policy": {"hedge": {}}}"#,
            &[
                ("retry_policy", "one endpoint only"),
                ("retry_policy.hedge", "no other endpoint"),
            ],
        );
    }

    #[test]
    fn what_goes_another_way_than_it_seems() {
        let statuses = r#""retry_policy": {"retry_on_grpc_statuses": ["UNAVAILABLE"]}"#;
        check_pool(
            statuses,
            &[(
                "retry_policy.retry_on_grpc_statuses",
                "no call repeats gRPC",
            )],
        );
        let router = r#""retries": "router""#;
        check_pool(&format!("{router}, {statuses}"), &[]);
        check_pool(r#""retry_policy": {"retry_on_grpc_statuses": []}"#, &[]);
        check_pool(
            &format!(r#"{router}, "retry_policy": {{"hedge": {{}}}}"#),
            &[("retry_policy.hedge", "calls of the filter")],
        );
        check_pool(r#""retry_policy": {"hedge": {}}"#, &[]);
    }

    #[test]
    fn first_events_of_requests_that_are_not_repeated() {
        let check_with = |more: &str, expected: &[(&str, &str)]| {
            let events =
                r#""commit_on": "first_message", "retry_on_first_event": [{"event": "error"}]"#;
            check_pool(
                &format!(r#""retries": "router", "retry_policy": {{{events}{more}"#),
                expected,
            );
        };
        let no_post = [(
            "retry_policy.retry_on_first_event",
            "no POST is repeated, unless it has an Idempotency-Key",
        )];
        check_with("}", &no_post);
        check_with(r#", "retry_methods": ["GET"]}"#, &no_post);
        let repeated = [("retry_policy.retry_methods", "POST may be repeated")];
        check_with(r#", "retry_methods": ["GET", "POST"]}"#, &repeated);
        check_with(r#"}, "match": {"methods": ["GET"]}"#, &[]);
    }

    #[test]
    fn cool_downs_that_one_client_starts_for_all() {
        let all = "keeps an endpoint from all clients";
        for (fields, path) in [
            (
                r#""max_retry_after": "10m""#,
                "retry_policy.max_retry_after",
            ),
            (
                r#""respect_retry_after": true"#,
                "retry_policy.respect_retry_after",
            ),
            (
                r#""cool_down": [{"status": [401], "for": 60}]"#,
                "retry_policy.cool_down",
            ),
            (
                r#""respect_retry_after": false, "cool_down": [{"status": [401], "for": 60}]"#,
                "retry_policy.respect_retry_after",
            ),
        ] {
            let policy = format!(r#""retry_policy": {{{fields}}}"#);
            check_pool(&policy, &[(path, all)]);
            let scope = r#""retry_after_scope": {"header": "x-tenant"}"#;
            check_pool(&format!(r#""retry_policy": {{{fields}, {scope}}}"#), &[]);
            check(
                &format!(r#"{{"endpoints": ["a", {{"cluster": "b", "priority": 1}}], {policy}}}"#),
                &[],
            );
        }
        check_pool(r#""retry_policy": {"respect_retry_after": false}"#, &[]);
    }

    #[test]
    fn weights_without_effect() {
        let ignored = "2.5 is ignored by the strategy round_robin";
        check(
            r#"{"pools": [{"endpoints": ["a", {"cluster": "b", "weight": 2.5}]}]}"#,
            &[("pools[0].endpoints[1].weight", ignored)],
        );
        check(
            r#"{"endpoints": ["a", {"cluster": "b", "weight": 0}]}"#,
            &[],
        );
        check(
            r#"{"endpoints": [{"cluster": "b", "weight": 0}]}"#,
            &[("endpoints", "drained")],
        );
    }

    #[test]
    fn checks_that_overlap() {
        check_pool(
            r#""load_balancer": {"health_check_interval": 2}"#,
            &[("load_balancer.health_check_interval", "may take 5 s")],
        );
    }

    #[test]
    fn pools_without_requests() {
        check(
            r#"{"pools": [{"name": "all", "endpoints": ["a"]}, {"endpoints": ["b"]}]}"#,
            &[("pools[1]", "the pool all before it")],
        );
        check(
            r#"{"pools": [{"match": {"prefix": "/a"}, "name": "a", "endpoints": ["a"]}, {"endpoints": ["b"]}]}"#,
            &[],
        );
    }
}
