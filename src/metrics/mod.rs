//! Every metric, by name.
//!
//! A name carries its labels as `;label=value` parts, for Envoy's `stats_tags` to take out again: a
//! value may then contain the dots, pipes and underscores of cluster names. A `;` in a value would
//! end it, and is written as `_`.
//!
//! Nothing is published while a request is served. What is counted anyway, for status and for the
//! other workers, is compared once a round with what was published last, and the difference is added.

mod name;

mod internal_error;

mod pool;

mod publish;

pub(crate) use internal_error::{InternalError, hostcall_refused};
pub(crate) use publish::Metrics;
