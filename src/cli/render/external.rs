//! Servers outside of the mesh or the cluster, that endpoints are (`--external`).
//!
//! An endpoint that is such a server is asked for the server's host name, unless it has an
//! `authority` of its own.
//!
//! Example: `--external openai=https://api.openai.com` makes the endpoint `openai` the cluster
//! `outbound|443||api.openai.com` of Istio.

use serde_json::{Value, json};

use crate::arguments::External;

/// Writes the servers into the configuration: their hosts, and their clusters' names by `name`.
pub(super) fn apply(
    policy: &mut Value,
    externals: &[External],
    name: impl Fn(&External) -> String,
) {
    for endpoint in endpoints(policy) {
        let cluster = match &*endpoint {
            Value::String(cluster) => cluster.clone(),
            object => object["cluster"].as_str().unwrap_or_default().to_owned(),
        };
        let Some(external) = externals.iter().find(|it| it.cluster == cluster) else {
            continue;
        };
        if let Value::String(_) = endpoint {
            *endpoint = json!({});
        }
        if let Some(fields) = endpoint.as_object_mut() {
            let written = name(external);
            if written != cluster {
                fields.entry("name").or_insert_with(|| json!(cluster));
            }
            fields.insert("cluster".into(), json!(written));
            fields
                .entry("authority")
                .or_insert_with(|| json!(external.host));
        }
    }
}

/// The endpoints of all pools.
fn endpoints(policy: &mut Value) -> impl Iterator<Item = &mut Value> {
    let is_list = policy.get("pools").is_some_and(Value::is_array);
    let pools: Vec<_> = if is_list {
        let pools = policy.get_mut("pools").and_then(Value::as_array_mut);
        pools.into_iter().flatten().collect()
    } else {
        vec![policy]
    };
    let lists = pools
        .into_iter()
        .filter_map(|pool| pool.get_mut("endpoints"));
    lists.filter_map(Value::as_array_mut).flatten()
}
