//! The endpoints of a pool, and how one of them is chosen.

use steerage_policy::balance::{HashOn, Strategy};
use steerage_policy::endpoint::{Endpoint, MAX_ENDPOINTS, Weight};

use super::duplicate;
use crate::check;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};
use crate::schema;

pub(super) fn endpoints(
    pool: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<Vec<Endpoint>, Reported> {
    let Some(Json::List(list)) = pool.get("endpoints") else {
        return Err(Reported);
    };
    // Reported too. Every endpoint is compared with every other: not with endless lists.
    if list.len() > MAX_ENDPOINTS {
        return Err(Reported);
    }
    let path = pool.path("endpoints");
    let mut unusable = list.is_empty();
    let mut endpoints: Vec<(Endpoint, String)> = Vec::new();
    for (index, json) in list.iter().enumerate() {
        let path = check::item(&path, index);
        let Ok(endpoint) = endpoint(json, &path) else {
            unusable = true;
            continue;
        };
        let cluster = |(other, _): &&(Endpoint, String)| other.cluster == endpoint.cluster;
        let name = |(other, _): &&(Endpoint, String)| other.name == endpoint.name;
        if let Some((_, of)) = endpoints.iter().find(cluster) {
            errors.push(duplicate(path, &endpoint.cluster, of));
        } else if let Some((_, of)) = endpoints.iter().find(name) {
            let path = check::member(&path, "name");
            errors.push(duplicate(path, &endpoint.name, &check::member(of, "name")));
        } else {
            endpoints.push((endpoint, path));
        }
    }
    if unusable {
        return Err(Reported);
    }
    Ok(endpoints
        .into_iter()
        .map(|(endpoint, _)| endpoint)
        .collect())
}

fn endpoint(json: &Json, path: &str) -> Result<Endpoint, Reported> {
    match json {
        Json::Text(cluster) if check::holds(&CLUSTER, json) => Ok(Endpoint::new(cluster)),
        Json::Object(object) => described(object, path),
        _ => Err(Reported),
    }
}

fn described(object: &Object, path: &str) -> Result<Endpoint, Reported> {
    let fields = Fields::new(object, &schema::ENDPOINT, path.to_owned());
    let default = Endpoint::new(fields.text("cluster")?.ok_or(Reported)?);
    let weight = match fields.number("weight")? {
        Some(weight) => Weight::new(weight).ok_or(Reported)?,
        None => default.weight,
    };
    Ok(Endpoint {
        name: fields
            .text("name")?
            .map_or_else(|| default.name.clone(), Into::into),
        weight,
        priority: fields.whole("priority")?.unwrap_or(default.priority),
        authority: fields.text("authority")?.map(Into::into),
        path_prefix: fields.text("path_prefix")?.map(Into::into),
        health_check_path: fields.text("health_check_path")?.map(Into::into),
        ..default
    })
}

pub(super) fn strategy(
    load_balancer: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<Strategy, Reported> {
    let hash_on = load_balancer.read("hash_on", hash_on);
    let Some(name) = load_balancer.text("strategy")? else {
        return Ok(Strategy::RoundRobin);
    };
    match name {
        "round_robin" => Ok(Strategy::RoundRobin),
        "weighted_round_robin" => Ok(Strategy::WeightedRoundRobin),
        "least_connections" => Ok(Strategy::LeastConnections),
        "least_response_time" => Ok(Strategy::LeastResponseTime),
        "random" => Ok(Strategy::Random),
        "weighted_random" => Ok(Strategy::WeightedRandom),
        "health_based" => Ok(Strategy::HealthBased),
        "consistent_hash" => hash_on?.map(Strategy::ConsistentHash).ok_or_else(|| {
            let (field, value) = ("strategy", "consistent_hash");
            let problem = Problem::RequiredWith { field, value };
            errors.push(load_balancer.error("hash_on", problem));
            Reported
        }),
        _ => Err(Reported),
    }
}

fn hash_on(json: &Json) -> Option<HashOn> {
    let object = match json {
        Json::Object(object) => object,
        Json::Text(text) => {
            return match &**text {
                "source_ip" => Some(HashOn::SourceIp),
                "path" => Some(HashOn::Path),
                _ => None,
            };
        }
        _ => return None,
    };
    let name = |key| object.get(key).and_then(Json::text);
    if let Some(header) = name("header") {
        return Some(HashOn::Header(header.to_ascii_lowercase().into()));
    }
    if let Some(cookie) = name("cookie") {
        return Some(HashOn::Cookie(cookie.into()));
    }
    name("query").map(|query| HashOn::Query(query.into()))
}

const CLUSTER: schema::Kind = schema::Kind::Text(schema::TextRule::Label);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, pool};
    use core::time::Duration;

    #[test]
    fn endpoints_are_names_or_objects() {
        let config = crate::parse(
            br#"{"endpoints": ["outbound|80||svc.ns.svc.cluster.local",
                {"cluster": "b", "weight": 2.5, "priority": 1, "authority": "b.example.com:8080",
                 "path_prefix": "/v1", "name": "beta"}, {"cluster": "c", "weight": 0}]}"#,
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

    #[test]
    fn every_strategy_has_its_name() {
        let strategies = Strategy::NAMES.map(|name| {
            let strategy = format!(r#"{{"strategy": "{name}", "hash_on": "path"}}"#);
            pool(&format!(r#""load_balancer": {strategy}"#)).strategy
        });
        let expected = [
            Strategy::RoundRobin,
            Strategy::WeightedRoundRobin,
            Strategy::LeastConnections,
            Strategy::LeastResponseTime,
            Strategy::Random,
            Strategy::WeightedRandom,
            Strategy::HealthBased,
            Strategy::ConsistentHash(HashOn::Path),
        ];
        assert_eq!(strategies, expected);
    }

    #[test]
    fn consistent_hash_needs_something_to_hash() {
        for (hash_on, expected) in [
            (r#"{"header": "X-User"}"#, HashOn::Header("x-user".into())),
            (r#"{"cookie": "Session"}"#, HashOn::Cookie("Session".into())),
            (r#"{"query": "Q"}"#, HashOn::Query("Q".into())),
            (r#""source_ip""#, HashOn::SourceIp),
            (r#""path""#, HashOn::Path),
        ] {
            let fields = format!(r#"{{"strategy": "consistent_hash", "hash_on": {hash_on}}}"#);
            let strategy = pool(&format!(r#""load_balancer": {fields}"#)).strategy;
            assert_eq!(strategy, Strategy::ConsistentHash(expected));
        }
        check(
            r#"{"endpoints": ["a"], "load_balancer": {"strategy": "consistent_hash"}}"#,
            &["load_balancer.hash_on: must be given when strategy is consistent_hash"],
        );
        check(
            r#"{"pools": [
                {"name": "a", "endpoints": ["a"], "load_balancer": {"hash_on": "host"}},
                {"name": "b", "endpoints": ["a"], "load_balancer": {"hash_on": {}}},
                {"name": "c", "endpoints": ["a"], "load_balancer": {"strategy": "consistent_hash",
                    "hash_on": {"header": "a", "cookie": "b"}}},
                {"name": "d", "endpoints": ["a"], "load_balancer": {"hash_on": {"query": "a=b"}}}
            ]}"#,
            &[
                "pools[0].load_balancer.hash_on: must be an object, or one of source_ip, path, got \
                 \"host\"",
                "pools[1].load_balancer.hash_on: must have exactly one of header, cookie, query",
                "pools[2].load_balancer.hash_on: must have exactly one of header, cookie, query",
                "pools[3].load_balancer.hash_on.query: must be the name of a query parameter, got \
                 \"a=b\"",
            ],
        );
    }

    #[test]
    fn decay_is_a_time() {
        let decay = pool(r#""load_balancer": {"decay": "500ms"}"#).decay;
        assert_eq!(decay, Duration::from_millis(500));
        check(
            r#"{"endpoints": ["a"], "load_balancer": {"decay": 0}}"#,
            &[
                "load_balancer.decay: must be a duration above 0 and at most 24 h: seconds (0.25) or \
               text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
            ],
        );
    }
}
