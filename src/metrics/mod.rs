//! Every metric, by name.
//!
//! A name carries its labels as `;label=value` parts, and Envoy's `stats_tags` take them out again.
//! So a value may contain the dots, pipes and underscores of cluster names. A `;` would end the
//! value, and is written as `_`.
//!
//! Nothing is published while a request is served. The counters exist for the status and the other
//! workers anyway; once a round their increase since the last round is added to the metrics.

mod name;

mod internal_error;

mod pool;

mod publish;

pub(crate) use internal_error::{InternalError, hostcall_refused};
pub(crate) use publish::Metrics;
