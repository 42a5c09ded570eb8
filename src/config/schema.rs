//! Every field that a configuration may have, as plain data.
//!
//! The reference documentation and the JSON Schema are made of it.
//!
//! Example: the field `read` of [`TIMEOUT`] has the kind [`Kind::Span`] and the default `30`.

pub use crate::kind::{Field, Kind, Section};
pub use crate::sections::admin::ADMIN;
pub use crate::sections::balance::{HASH_ON, LOAD_BALANCER};
pub use crate::sections::breaker::CIRCUIT_BREAKER;
pub use crate::sections::document::ROOT;
pub use crate::sections::endpoint::ENDPOINT;
pub use crate::sections::health::HEALTH_CHECK;
pub use crate::sections::interceptors::{ACTION, INTERCEPTORS, LOGGING, WHEN};
pub use crate::sections::limit::CONNECTION_POOL;
pub use crate::sections::matching::{HEADER_RULE, MATCH};
pub use crate::sections::pool::POOL;
pub use crate::sections::retry::{
    BUDGET, COOL_DOWN, FIRST_EVENT, HEDGE, RETRY_AFTER_SCOPE, RETRY_POLICY,
};
pub use crate::sections::retry_when::CONDITION;
pub use crate::sections::timeout::TIMEOUT;
pub use crate::text_rule::{RESERVED_HEADERS, TextRule};
