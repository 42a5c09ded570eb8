//! The document, a pool, its endpoints, and which requests belong to it.

use core::time::Duration;

use steerage_policy::endpoint::{MAX_ENDPOINTS, Weight};

use super::{
    CIRCUIT_BREAKER, CONNECTION_POOL, COUNT, HEADER_RULES, HEALTH_CHECK, INTERCEPTORS, Kind,
    LOAD_BALANCER, METHOD, RETRY_POLICY, SPAN, Section, TextRule, field, some,
};

/// The whole document: `pools`, or the fields of one pool.
pub static ROOT: Section = Section {
    fields: &[
        field(
            "pools",
            some(&Kind::Object(&POOL)),
            "–",
            "several pools, asked in order; excludes the fields of a pool beside it",
        ),
        field(
            "cluster_header",
            Kind::Text(TextRule::RoutingHeader),
            "\"x-steerage-cluster\"",
            "the request header in which the route looks for the cluster",
        ),
        field(
            "admin",
            Kind::Object(&ADMIN),
            "off",
            "answers requests for status and operation under a path",
        ),
        field(
            "sync_interval",
            Kind::SpanWithin {
                min: Duration::from_millis(10),
                max: Duration::from_secs(10),
            },
            "0.1",
            "how often a worker publishes and reads shared state",
        ),
    ],
    and: Some(&POOL),
    exactly_one: &[],
};

/// `admin`.
pub static ADMIN: Section = Section::of(&[
    field(
        "path",
        Kind::Text(TextRule::PathBelow),
        "\"/steerage\"",
        "requests for paths under it are answered by the filter",
    ),
    field(
        "token",
        Kind::Text(TextRule::Secret),
        "–",
        "the bearer token that is asked for; without it nothing can be changed",
    ),
]);

/// What an operator says of an endpoint's health.
pub static HEALTH_WORD: Section = Section::of(&[field(
    "health",
    Kind::Choice(&["healthy", "degraded", "unhealthy", "auto"]),
    "–",
    "what the endpoint's health is to be; auto gives it back to checks and traffic",
)
.required()]);

/// What an operator says of an endpoint's circuit.
pub static CIRCUIT_WORD: Section = Section::of(&[
    field(
        "state",
        Kind::Choice(&["open", "closed", "auto"]),
        "–",
        "what the circuit is to be; auto gives it back to the breaker",
    )
    .required(),
    field("timeout", SPAN, "for ever", "for how long"),
]);

/// A pool, as an entry of `pools` or as the document itself.
pub static POOL: Section = Section::of(&[
    field(
        "name",
        Kind::Text(TextRule::PoolName),
        "\"default\"",
        "the pool's name, unique; pools of the same name and VM share health",
    ),
    field(
        "match",
        Kind::Object(&MATCH),
        "everything",
        "which requests belong to the pool; all conditions given must hold",
    ),
    field(
        "endpoints",
        Kind::List {
            of: &Kind::Either(&[Kind::Text(TextRule::Label), Kind::Object(&ENDPOINT)]),
            min: 1,
            max: MAX_ENDPOINTS,
        },
        "–",
        "the clusters to choose from, as names or as objects",
    )
    .required(),
    field(
        "load_balancer",
        Kind::Object(&LOAD_BALANCER),
        "{}",
        "how the endpoint of an attempt is chosen",
    ),
    field(
        "retry_policy",
        Kind::Object(&RETRY_POLICY),
        "{}",
        "whether and when a failed attempt is followed by another",
    ),
    field("timeout", Kind::Object(&TIMEOUT), "{}", "limits in time"),
    field(
        "circuit_breaker",
        Kind::Object(&CIRCUIT_BREAKER),
        "{}",
        "when an endpoint that fails is left alone",
    ),
    field(
        "health_check",
        Kind::Object(&HEALTH_CHECK),
        "{}",
        "requests that ask whether an endpoint works",
    ),
    field(
        "connection_pool",
        Kind::Object(&CONNECTION_POOL),
        "{}",
        "how many attempts an endpoint takes at a time",
    ),
    field(
        "interceptors",
        Kind::Object(&INTERCEPTORS),
        "{}",
        "changes to the headers of attempts and answers; logging",
    ),
    field("max_connections", COUNT, "100", "see connection_pool")
        .same_as("connection_pool.max_connections"),
    field(
        "max_keepalive_connections",
        COUNT,
        "20",
        "see connection_pool",
    )
    .same_as("connection_pool.max_keepalive_connections"),
    field("keepalive_expiry", SPAN, "5", "see connection_pool")
        .same_as("connection_pool.keepalive_expiry"),
    field(
        "enable_logging_interceptor",
        Kind::Flag,
        "false",
        "see interceptors.logging",
    )
    .same_as("interceptors.logging"),
    field(
        "enable_metrics_interceptor",
        Kind::Flag,
        "true",
        "whether metrics are kept",
    ),
    field(
        "enable_health_checks",
        Kind::Flag,
        "true iff any health_check* field is given",
        "whether endpoints are checked",
    ),
    field(
        "response_headers",
        Kind::Flag,
        "false",
        "whether the answer to the client carries x-steerage-endpoint and x-steerage-attempts",
    ),
    field(
        "on_exhausted",
        Kind::Choice(&["last_response"]),
        "\"last_response\"",
        "what the client gets when retries end in failure: the last upstream answer as it came",
    ),
]);

/// `match`.
pub static MATCH: Section = Section::of(&[
    field(
        "prefix",
        Kind::Text(TextRule::Path),
        "–",
        "the path begins with this",
    ),
    field("path", Kind::Text(TextRule::Path), "–", "the path is this"),
    field(
        "regex",
        Kind::Text(TextRule::Regex),
        "–",
        "the whole path without its query matches this",
    ),
    field(
        "hosts",
        some(&Kind::Text(TextRule::Host)),
        "–",
        "the host is one of these, or ends as a `*.suffix` says",
    ),
    field("methods", some(&METHOD), "–", "the method is one of these"),
    field(
        "headers",
        HEADER_RULES,
        "{}",
        "for each header its exact value, or {\"present\": true}, or {\"prefix\": …}",
    ),
]);

/// What a header must be, where it is not simply its value.
pub static HEADER_RULE: Section = Section {
    fields: &[
        field(
            "present",
            Kind::Flag,
            "–",
            "it is there, or it is not there",
        ),
        field(
            "prefix",
            Kind::Text(TextRule::HeaderValue),
            "–",
            "its value begins with this",
        ),
    ],
    and: None,
    exactly_one: &["present", "prefix"],
};

/// An entry of `endpoints`.
pub static ENDPOINT: Section = Section::of(&[
    field(
        "cluster",
        Kind::Text(TextRule::Label),
        "–",
        "the cluster's name in Envoy, unique in the pool",
    )
    .required(),
    field(
        "weight",
        Kind::Number {
            zero: true,
            max: Weight::MAX,
        },
        "1",
        "share of the traffic; 0 drains: only used when nothing else is left",
    ),
    field(
        "priority",
        Kind::Whole {
            min: 0,
            max: u32::MAX as u64,
        },
        "0",
        "higher tiers are used when the lower ones are not enough",
    ),
    field(
        "authority",
        Kind::Text(TextRule::Authority),
        "–",
        "rewrites :authority for this endpoint",
    ),
    field(
        "path_prefix",
        Kind::Text(TextRule::PathPrefix),
        "–",
        "goes in front of :path for this endpoint",
    ),
    field(
        "health_check_path",
        Kind::Text(TextRule::PathAndQuery),
        "health_check.path",
        "the path of this endpoint's health checks",
    ),
    field(
        "name",
        Kind::Text(TextRule::Label),
        "the cluster's name",
        "the label in metrics and status, unique in the pool",
    ),
]);

/// `timeout`.
pub static TIMEOUT: Section = Section::of(&[
    field(
        "connect",
        SPAN,
        "5",
        "for a connection to be made; set on the clusters",
    ),
    field(
        "read",
        SPAN,
        "30",
        "for an attempt to begin to answer once the request is sent",
    ),
    field("write", SPAN, "30", "for the client to finish its request"),
    field(
        "total",
        SPAN,
        "60",
        "for the answer to the client to begin, all attempts and delays included; at least \
         connect + read",
    ),
]);
