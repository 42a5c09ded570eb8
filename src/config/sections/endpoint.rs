//! `endpoints`: the clusters that a pool chooses from.

use steerage_policy::endpoint::{Endpoint, MAX_ENDPOINTS, Weight};
use steerage_policy::health::CheckPolicy;

use crate::error::{ConfigError, Problem};
use crate::fields::Fields;
use crate::json::excerpt;
use crate::key::Key;
use crate::kind::Kind;
use crate::place::{item, member};
use crate::report::{Errors, Reported};
use crate::section;
use crate::text::is_authority;
use crate::text_rule::TextRule;
use crate::value::{Checked, FromValue, Value};

section! {
    /// An entry of `endpoints`.
    pub static ENDPOINT: DescribedEndpoint;
    CLUSTER: Box<str> = Key::text(
        "cluster",
        TextRule::Label,
        "–",
        "the cluster's name in Envoy, unique in the pool",
    )
    .required();
    WEIGHT: Weight = Key::new(
        "weight",
        Kind::Number {
            zero: true,
            max: Weight::MAX,
        },
        "1",
        "share of the traffic; 0 drains: only used when every other endpoint is unavailable",
    );
    ENABLED: bool = Key::flag(
        "enabled",
        "true",
        "when false it is never selected; it is still shown, checked and counted",
    );
    PRIORITY: u32 = Key::whole(
        "priority",
        0,
        u32::MAX as u64,
        "0",
        "higher tiers are used when the lower ones are not enough",
    );
    AUTHORITY: Box<str> = Key::text(
        "authority",
        TextRule::Authority,
        "–",
        "rewrites :authority for this endpoint",
    );
    PATH_PREFIX: Box<str> = Key::text(
        "path_prefix",
        TextRule::PathPrefix,
        "–",
        "goes in front of :path for this endpoint",
    );
    HEALTH_CHECK_PATH: Box<str> = Key::text(
        "health_check_path",
        TextRule::PathAndQuery,
        "health_check.path",
        "the path of this endpoint's health checks",
    );
    HEALTH_CHECK_HOST: Box<str> = Key::text(
        "health_check_host",
        TextRule::Authority,
        "authority, else health_check.host",
        ":authority of this endpoint's health checks",
    );
    HEALTH_CHECK_CLUSTER: Box<str> = Key::text(
        "health_check_cluster",
        TextRule::Label,
        "the cluster",
        "the cluster whose answers to health checks speak for this endpoint",
    );
    NAME: Box<str> = Key::text(
        "name",
        TextRule::Label,
        "the cluster's name",
        "the label in metrics and status, unique in the pool",
    );
}

impl FromValue for Weight {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        f64::from_value(checked).and_then(Self::new)
    }
}

/// The kind of `endpoints`.
pub(super) const ENDPOINTS: Kind = Kind::List {
    of: &Kind::Either(&[Kind::Text(TextRule::Label), Kind::Object(&ENDPOINT)]),
    min: 1,
    max: MAX_ENDPOINTS,
};

/// The endpoints of a list at `path`. `checks`: how they are checked, if they are; then each must
/// have a host that can be asked for.
#[inline(never)]
pub(super) fn endpoints(
    list: &Checked<'_>,
    path: &str,
    checks: Option<&CheckPolicy>,
    errors: &mut Errors,
) -> Result<Vec<Endpoint>, Reported> {
    let Value::List(entries) = &list.value else {
        return list.reported.map_or(Ok(Vec::new()), Err);
    };
    // Every endpoint is compared with every other, so there must not be too many.
    if let Some(reported) = list.reported.filter(|_| entries.len() > MAX_ENDPOINTS) {
        return Err(reported);
    }
    let mut unusable = list.reported.filter(|_| entries.is_empty());
    let mut endpoints: Vec<(Endpoint, String)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = item(path, index);
        let endpoint = match endpoint(entry, &path, errors) {
            Ok(endpoint) => endpoint,
            Err(reported) => {
                unusable = Some(reported);
                continue;
            }
        };
        if let Some(checks) = checks {
            refuse_without_host(&endpoint, &path, checks, errors);
        }
        let cluster = |(other, _): &&(Endpoint, String)| other.cluster == endpoint.cluster;
        let name = |(other, _): &&(Endpoint, String)| other.name == endpoint.name;
        if let Some((_, of)) = endpoints.iter().find(cluster) {
            errors.report(duplicate(path, &endpoint.cluster, of));
        } else if let Some((_, of)) = endpoints.iter().find(name) {
            let path = member(&path, NAME.field.name);
            errors.report(duplicate(
                path,
                &endpoint.name,
                &member(of, NAME.field.name),
            ));
        } else {
            endpoints.push((endpoint, path));
        }
    }
    match unusable {
        Some(reported) => Err(reported),
        None => Ok(endpoints
            .into_iter()
            .map(|(endpoint, _)| endpoint)
            .collect()),
    }
}

fn endpoint(checked: &Checked<'_>, path: &str, errors: &mut Errors) -> Result<Endpoint, Reported> {
    if let Value::Text(cluster) = checked.value {
        return Ok(Endpoint::new(cluster));
    }
    if let (Value::Nothing, Some(reported)) = (&checked.value, checked.reported) {
        return Err(reported);
    }
    let fields = Fields::of(checked, path.to_owned());
    let default = Endpoint::new(&fields.required(&CLUSTER, errors)?);
    Ok(Endpoint {
        name: fields.get(&NAME)?.unwrap_or_else(|| default.name.clone()),
        weight: fields.get(&WEIGHT)?.unwrap_or(default.weight),
        enabled: fields.get(&ENABLED)?.unwrap_or(default.enabled),
        priority: fields.get(&PRIORITY)?.unwrap_or(default.priority),
        authority: fields.get(&AUTHORITY)?,
        path_prefix: fields.get(&PATH_PREFIX)?,
        health_check_path: fields.get(&HEALTH_CHECK_PATH)?,
        health_check_host: fields.get(&HEALTH_CHECK_HOST)?,
        health_check_cluster: fields.get(&HEALTH_CHECK_CLUSTER)?,
        ..default
    })
}

/// Reports an endpoint whose health checks have nothing to ask for but a name that is no host.
fn refuse_without_host(endpoint: &Endpoint, path: &str, checks: &CheckPolicy, errors: &mut Errors) {
    let host = endpoint.checked_host(checks);
    if !is_authority(host) {
        errors.report(ConfigError {
            value: Some(excerpt(host)),
            ..ConfigError::new(path.to_owned(), Problem::NoHostToCheck)
        });
    }
}

/// Whether something is said of the checks of one of these endpoints.
pub(super) fn any_checked(entries: &[Checked<'_>]) -> bool {
    let fields = [
        HEALTH_CHECK_PATH.field.name,
        HEALTH_CHECK_HOST.field.name,
        HEALTH_CHECK_CLUSTER.field.name,
    ];
    entries.iter().any(|entry| match &entry.value {
        Value::Object(members) => fields.iter().any(|name| members.json(name).is_some()),
        _ => false,
    })
}

/// The error that `value` at `path` is also the value at `of`.
pub(super) fn duplicate(path: String, value: &str, of: &str) -> ConfigError {
    ConfigError {
        value: Some(excerpt(value)),
        ..ConfigError::new(path, Problem::Duplicate { of: of.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn endpoints_are_names_or_objects() {
        let config = crate::parse(
            br#"{"endpoints": ["outbound|80||svc.ns.svc.cluster.local",
                {"cluster": "b", "weight": 2.5, "priority": 1, "authority": "b.example.com:8080",
                 "path_prefix": "/v1", "name": "beta"}, {"cluster": "c", "weight": 0, "enabled": false}]}"#,
        );
        let expected = [
            Endpoint::new("outbound|80||svc.ns.svc.cluster.local"),
            Endpoint {
                name: "beta".into(),
                weight: Weight::new(2.5).unwrap(),
                priority: 1,
                authority: Some("b.example.com:8080".into()),
                path_prefix: Some("/v1".into()),
                ..Endpoint::new("b")
            },
            Endpoint {
                weight: Weight::new(0.0).unwrap(),
                enabled: false,
                ..Endpoint::new("c")
            },
        ];
        assert_eq!(config.unwrap().pools[0].pool.endpoints, expected);
    }

    #[test]
    fn each_field_of_an_endpoint_has_its_rule() {
        check(
            r#"{"endpoints": ["", {"cluster": " b"}, {"cluster": "c", "weight": 1000001},
                {"cluster": "d", "priority": 1.5}, {"cluster": "e", "authority": "http://e"},
                {"cluster": "f", "path_prefix": "/f/"}, {"cluster": "g", "name": "\n"}, {}]}"#,
            &[
                "endpoints[0]: must be a name without control characters and spaces around it, or \
                 an object, got \"\"",
                "endpoints[1].cluster: must be a name without control characters and spaces around \
                 it, got \" b\"",
                "endpoints[2].weight: must be a number from 0 to 1000000, got 1000001",
                "endpoints[3].priority: must be a whole number from 0 to 4294967295, got 1.5",
                "endpoints[4].authority: must be a host such as `example.com` or \
                 `example.com:8080`, got \"http://e\"",
                "endpoints[5].path_prefix: must be a path that begins with `/` and does not end \
                 with `/`, without query, got \"/f/\"",
                "endpoints[6].name: must be a name without control characters and spaces around \
                 it, got \"\\n\"",
                "endpoints[7].cluster: must be given",
            ],
        );
    }

    #[test]
    fn endpoints_differ_in_cluster_and_name() {
        check(
            r#"{"endpoints": ["a", {"cluster": "a", "name": "other"}, {"cluster": "b", "name": "a"},
                {"cluster": "c", "name": "x"}, {"cluster": "d", "name": "x"}]}"#,
            &[
                "endpoints[1]: must be unique, is the same as endpoints[0], got \"a\"",
                "endpoints[2].name: must be unique, is the same as endpoints[0].name, got \"a\"",
                "endpoints[4].name: must be unique, is the same as endpoints[3].name, got \"x\"",
            ],
        );
        // In another pool the same cluster is another endpoint.
        check(
            r#"{"pools": [{"name": "x", "endpoints": ["a"]}, {"name": "y", "endpoints": ["a"]}]}"#,
            &[],
        );
    }

    #[test]
    fn there_are_not_too_many_endpoints() {
        let list = |count: usize| {
            let names: Vec<_> = (0..count).map(|n| format!("\"c{n}\"")).collect();
            format!("{{\"endpoints\": [{}]}}", names.join(","))
        };
        check(&list(MAX_ENDPOINTS), &[]);
        check(
            &list(MAX_ENDPOINTS + 1),
            &["endpoints: must have 1 to 1000 entries, got a list of 1001"],
        );
    }
}
