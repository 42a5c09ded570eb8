//! Makes policy values of a checked document, and judges what takes more than one value.
//!
//! | file | makes |
//! |---|---|
//! | this | the document, pools, timeouts |
//! | [`balance`] | endpoints and the load balancer's strategy |
//! | [`health`] | the circuit breaker's policy, and that of health checks |
//! | [`limit`] | how many attempts an endpoint takes at a time |
//! | [`interceptors`] | changes of headers, and logging |
//! | [`matching`] | which requests belong to a pool |
//! | [`retry`] | the retry policy |
//!
//! Every function reads all of its fields and returns [`Reported`] if one is unusable, so a caller
//! can go on and find the errors of other sections.
//!
//! Example: `{"endpoints": ["a", "a"]}` is right value by value; here it is found that
//! `endpoints[1]` is the same as `endpoints[0]`.

mod balance;
mod condition;
mod health;
mod interceptors;
mod limit;
mod matching;
mod retry;

use core::time::Duration;

use steerage_policy::pool::{Pool, Timeouts, TotalTooShort};

use crate::admin::Admin;
use crate::check;
use crate::decimal::Decimal;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};
use crate::schema::{self, Section};
use crate::{Config, ConfiguredPool};

/// The configuration of a document.
pub(crate) fn config(document: &Object, errors: &mut Vec<ConfigError>) -> Result<Config, Reported> {
    let root = Fields::new(document, &schema::ROOT, String::new());
    // One that is unusable is reported already; interceptors are then judged by the default.
    let cluster_header = root.text("cluster_header");
    let routing = cluster_header.ok().flatten();
    let routing = routing.unwrap_or(DEFAULT_CLUSTER_HEADER);
    let routing = routing.to_ascii_lowercase();
    let pools = match root.get("pools") {
        Some(Json::List(list)) => {
            refuse_flat_fields(&root, errors);
            pools(list, &routing, errors)
        }
        Some(_) => {
            refuse_flat_fields(&root, errors);
            Err(Reported)
        }
        None if is_only_admin(&root) => Ok(Vec::new()),
        None => {
            if root.get("endpoints").is_none() {
                errors.push(root.error("endpoints", Problem::Required));
            }
            pool(&root, &routing, errors).map(|pool| vec![pool])
        }
    };
    let admin = admin(&root)?;
    let sync_interval = root.span("sync_interval")?;
    cluster_header?;
    Ok(Config {
        cluster_header: routing.into(),
        sync_interval: sync_interval.unwrap_or(DEFAULT_SYNC_INTERVAL),
        pools: pools?,
        admin,
    })
}

/// Whether the document describes the admin surface and no pool.
fn is_only_admin(root: &Fields<'_>) -> bool {
    let mut fields_of_a_pool = schema::POOL.fields.iter();
    root.get("admin").is_some() && fields_of_a_pool.all(|field| root.get(field.name).is_none())
}

fn admin(root: &Fields<'_>) -> Result<Option<Admin>, Reported> {
    if root.get("admin").is_none() {
        return Ok(None);
    }
    let fields = root.object("admin", &schema::ADMIN);
    let path = fields.text("path")?.unwrap_or(DEFAULT_ADMIN_PATH);
    Ok(Some(Admin {
        path: path.trim_end_matches('/').into(),
        token: fields.text("token")?.map(Into::into),
    }))
}

/// The fields of a pool have no place beside `pools`: it would not be clear whose they are.
fn refuse_flat_fields(root: &Fields<'_>, errors: &mut Vec<ConfigError>) {
    for field in schema::POOL.fields {
        if root.get(field.name).is_some() {
            errors.push(check::error(root.path(field.name), Problem::OutsidePool));
        }
    }
}

fn pools(
    list: &[Json],
    cluster_header: &str,
    errors: &mut Vec<ConfigError>,
) -> Result<Vec<ConfiguredPool>, Reported> {
    let mut names: Vec<(&str, String)> = Vec::new();
    let mut pools = Vec::new();
    for (index, json) in list.iter().enumerate() {
        let Json::Object(object) = json else {
            pools.push(Err(Reported));
            continue;
        };
        let fields = Fields::new(object, &schema::POOL, check::item("pools", index));
        pools.push(pool(&fields, cluster_header, errors));
        if let Ok(name) = fields.text("name") {
            let name = name.unwrap_or(DEFAULT_POOL);
            let path = fields.path("name");
            match names.iter().find(|(other, _)| *other == name) {
                Some((_, of)) => errors.push(duplicate(path, name, of)),
                None => names.push((name, path)),
            }
        }
    }
    pools.into_iter().collect()
}

fn pool(
    fields: &Fields<'_>,
    cluster_header: &str,
    errors: &mut Vec<ConfigError>,
) -> Result<ConfiguredPool, Reported> {
    refuse_both_spellings(fields, &schema::POOL, fields, errors);
    let load_balancer = fields.object("load_balancer", &schema::LOAD_BALANCER);
    refuse_both_spellings(&load_balancer, &schema::LOAD_BALANCER, fields, errors);

    let matcher = matching::matcher(&fields.object("match", &schema::MATCH));
    let endpoints = balance::endpoints(fields, errors);
    let strategy = balance::strategy(&load_balancer, errors);
    let retry = retry::policy(
        &fields.object("retry_policy", &schema::RETRY_POLICY),
        errors,
    );
    let timeouts = timeouts(&fields.object("timeout", &schema::TIMEOUT), errors);
    let circuit_breaker = fields.object("circuit_breaker", &schema::CIRCUIT_BREAKER);
    let breaker = health::breaker(&circuit_breaker, &load_balancer, errors);
    let checks = health::checks(fields, &load_balancer);
    let connection_pool = fields.object("connection_pool", &schema::CONNECTION_POOL);
    let limit = limit::limit(fields, &connection_pool, errors);
    let keepalive = limit::keepalive(fields, &connection_pool);
    let interceptors = interceptors::interceptors(fields, cluster_header, errors);

    let name = fields.text("name")?.unwrap_or(DEFAULT_POOL);
    let default = Pool::new(name, endpoints?);
    let pool = Pool {
        matcher: matcher?,
        strategy: strategy?,
        decay: load_balancer.span("decay")?.unwrap_or(default.decay),
        retry: retry?,
        timeouts: timeouts?,
        breaker: breaker?,
        slow_start: load_balancer
            .span("slow_start")?
            .unwrap_or(default.slow_start),
        panic_threshold: load_balancer
            .number("panic_threshold")?
            .unwrap_or(default.panic_threshold),
        checks: checks?,
        limit: limit?,
        keepalive: keepalive?,
        response_headers: fields
            .flag("response_headers")?
            .unwrap_or(default.response_headers),
        ..default
    };
    Ok(ConfiguredPool {
        pool,
        interceptors: interceptors?,
        metrics: fields.flag("enable_metrics_interceptor")?.unwrap_or(true),
    })
}

/// Reports the fields of `section` whose other spelling, a path from `pool`, is given too.
fn refuse_both_spellings(
    fields: &Fields<'_>,
    section: &'static Section,
    pool: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) {
    for field in section.fields {
        let Some((section, name)) = field.same_as.and_then(|path| path.split_once('.')) else {
            continue;
        };
        let other = match pool.get(section) {
            Some(Json::Object(object)) => object.get(name),
            _ => None,
        };
        if fields.get(field.name).is_some() && other.is_some() {
            let other = check::member(&pool.path(section), name).into();
            errors.push(fields.error(field.name, Problem::BothSpellings { other }));
        }
    }
}

fn timeouts(fields: &Fields<'_>, errors: &mut Vec<ConfigError>) -> Result<Timeouts, Reported> {
    let default = Timeouts::default();
    let span = |name, default| Ok(fields.span(name)?.unwrap_or(default));
    let connect = span("connect", default.connect())?;
    let read = span("read", default.read())?;
    let write = span("write", default.write())?;
    let total = span("total", default.total())?;
    Timeouts::new(connect, read, write, total).map_err(|TotalTooShort { total, least }| {
        let what = "connect + read";
        let mut error = fields.error("total", Problem::AtLeast { what, least });
        if error.value.is_none() {
            error.value = Some(format!("{} (the default)", Decimal(total.as_secs_f64())).into());
        }
        errors.push(error);
        Reported
    })
}

fn duplicate(path: String, value: &str, of: &str) -> ConfigError {
    ConfigError {
        path: path.into(),
        value: Some(crate::json::excerpt(value)),
        problem: Problem::Duplicate { of: of.into() },
    }
}

const DEFAULT_CLUSTER_HEADER: &str = "x-steerage-cluster";
const DEFAULT_SYNC_INTERVAL: Duration = Duration::from_millis(100);
const DEFAULT_ADMIN_PATH: &str = "/steerage";
const DEFAULT_POOL: &str = "default";

#[cfg(test)]
mod tests;
