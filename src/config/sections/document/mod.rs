//! The whole document: one pool or several, and what is beside them.
//!
//! A section with a field that cannot be used is [`Reported`]. The other sections are read all the
//! same, so that their errors are found as well.
//!
//! Example: `{"endpoints": ["a", "a"]}` is right value by value; here it is found that
//! `endpoints[1]` is the same as `endpoints[0]`.

use core::time::Duration;

use steerage_policy::retry::by::RetriesBy;

use super::admin::{self, AdminSurface};
use super::endpoint::duplicate;
use super::pool::{self, Common, POOL, Pool};
use crate::config::{Config, ConfiguredPool, Role};
use crate::error::{ConfigError, Problem};
use crate::fields::Fields;
use crate::key::{Entries, Key, Nested, Unread};
use crate::kind::{Kind, some};
use crate::place::{item, member};
use crate::report::{Errors, Reported};
use crate::text_rule::TextRule;
use crate::value::{Checked, Value};
use crate::{choice, section};

section! {
    /// The whole document: `pools`, or the fields of one pool.
    pub static ROOT: Root, and POOL;
    POOLS: Entries = Key::new(
        "pools",
        some(&POOL_KIND),
        "–",
        "several pools, asked in order; excludes the fields of a pool beside it",
    );
    CLUSTER_HEADER: Box<str> = Key::text(
        "cluster_header",
        TextRule::RoutingHeader,
        "\"x-steerage-cluster\"",
        "the request header in which the route looks for the cluster",
    );
    HOST_REWRITE_HEADER: bool = Key::flag(
        "host_rewrite_header",
        "false",
        "whether the route has host_rewrite_header: x-steerage-authority, so that an endpoint's \
         authority does not choose another virtual host",
    );
    ADMIN: Nested<AdminSurface> = Key::object(
        "admin",
        "off",
        "answers requests for status and operation under a path",
    );
    SYNC_INTERVAL: Duration = Key::new(
        "sync_interval",
        Kind::SpanWithin {
            min: Duration::from_millis(10),
            max: Duration::from_secs(10),
        },
        "0.1",
        "how often a worker publishes and reads shared state",
    );
    MAX_KEPT_BYTES: usize = Key::whole(
        "max_kept_bytes",
        0,
        268_435_456,
        "67108864",
        "request bodies and answers that one worker keeps at a time; what is beyond is not repeated",
    );
    RETRIES: RetriesBy = Key::choice(
        "retries",
        "\"calls\"",
        "who makes the attempts after the first: the filter, by calls of its own, or Envoy's router, \
         which needs Envoy 1.39 and a second load of the module in the router's upstream filters",
    );
    SCHEMA: Unread = Key::new(
        "$schema",
        Kind::Text(TextRule::HeaderValue),
        "–",
        "the JSON Schema by which an editor checks the document; the filter ignores it",
    );
    ROLE: RoleName = Key::choice(
        "role",
        "–",
        "\"attempts\": this is the second load, in the router's upstream filters; excludes every \
         other field but `$schema`",
    );
}

/// The names of the roles. That of the filter itself has none.
#[derive(Clone, Copy)]
pub(crate) enum RoleName {
    Attempts,
}

impl RoleName {
    const ALL: [Self; 1] = [Self::Attempts];

    const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
        }
    }
}

choice!(RoleName);
choice!(RetriesBy);

const POOL_KIND: Kind = Kind::Object(&POOL);

/// The configuration of a document, of whatever role.
#[inline(never)]
pub(crate) fn role(root: &Fields<'_, Root>, errors: &mut Errors) -> Result<Role, Reported> {
    match root.get(&ROLE)? {
        None => config(root, errors).map(Role::Filter),
        Some(RoleName::Attempts) => {
            refuse_fields_beside_role(root, errors);
            Ok(Role::Attempts)
        }
    }
}

/// The configuration of the filter itself.
fn config(root: &Fields<'_, Root>, errors: &mut Errors) -> Result<Config, Reported> {
    // If it cannot be used, interceptors are checked against the default.
    let cluster_header = root.get(&CLUSTER_HEADER);
    let routing = match &cluster_header {
        Ok(Some(header)) => header,
        _ => DEFAULT_CLUSTER_HEADER,
    };
    let routing = routing.to_ascii_lowercase();
    let retries = root.get(&RETRIES).map(Option::unwrap_or_default);
    let common = &Common {
        cluster_header: &routing,
        retries,
    };
    let pools = if root.given(&POOLS) {
        refuse_flat_fields(root, errors);
        root.entries(&POOLS)
            .and_then(|list| pools(list, common, errors))
    } else if root.given(&ADMIN) && !root.any_given::<Pool>() {
        Ok(Vec::new())
    } else {
        let fields = root.part();
        // The table requires `endpoints` in the entries of `pools` only.
        let missing = (!fields.given(&pool::ENDPOINTS))
            .then(|| errors.report(fields.error(&pool::ENDPOINTS, Problem::Required)));
        pool::pool(&fields, missing, common, errors).map(|pool| vec![pool])
    };
    let admin = if root.given(&ADMIN) {
        Some(admin::admin(&root.object(&ADMIN))?)
    } else {
        None
    };
    let sync_interval = root.get(&SYNC_INTERVAL)?;
    let max_kept_bytes = root.get(&MAX_KEPT_BYTES)?;
    let route_rewrites_host = root.get(&HOST_REWRITE_HEADER)?;
    cluster_header?;
    retries?;
    Ok(Config {
        cluster_header: routing.into(),
        route_rewrites_host: route_rewrites_host.unwrap_or(false),
        sync_interval: sync_interval.unwrap_or(DEFAULT_SYNC_INTERVAL),
        max_kept_bytes: max_kept_bytes.unwrap_or(DEFAULT_MAX_KEPT_BYTES),
        pools: pools?,
        admin,
    })
}

/// Reports whatever is given beside `role`: it would be ignored.
fn refuse_fields_beside_role(root: &Fields<'_, Root>, errors: &mut Errors) {
    let allowed = [ROLE.field.name, SCHEMA.field.name];
    for field in ROOT.all().filter(|field| !allowed.contains(&field.name)) {
        if root.members().json(field.name).is_some() {
            let path = member("", field.name);
            errors.report(ConfigError::new(path, Problem::BesideRole));
        }
    }
}

/// Reports the fields of a pool beside `pools`: it would not be clear to which pool they belong.
fn refuse_flat_fields(root: &Fields<'_, Root>, errors: &mut Errors) {
    for field in POOL.fields {
        if root.members().json(field.name).is_some() {
            let path = member("", field.name);
            errors.report(ConfigError::new(path, Problem::OutsidePool));
        }
    }
}

fn pools(
    list: &[Checked<'_>],
    common: &Common<'_>,
    errors: &mut Errors,
) -> Result<Vec<ConfiguredPool>, Reported> {
    let mut names: Vec<(Box<str>, String)> = Vec::new();
    let mut pools = Vec::new();
    for (index, checked) in list.iter().enumerate() {
        if let (Value::Nothing, Some(reported)) = (&checked.value, checked.reported) {
            pools.push(Err(reported));
            continue;
        }
        let fields = Fields::of(checked, item(POOLS.field.name, index));
        pools.push(pool::pool(&fields, None, common, errors));
        if let Ok(name) = fields.get(&pool::NAME) {
            let name = name.unwrap_or_else(|| pool::DEFAULT_NAME.into());
            let path = fields.path(&pool::NAME);
            match names.iter().find(|(other, _)| *other == name) {
                Some((_, of)) => {
                    errors.report(duplicate(path, &name, of));
                }
                None => names.push((name, path)),
            }
        }
    }
    pools.into_iter().collect()
}

const DEFAULT_CLUSTER_HEADER: &str = "x-steerage-cluster";
const DEFAULT_SYNC_INTERVAL: Duration = Duration::from_millis(100);
const DEFAULT_MAX_KEPT_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
