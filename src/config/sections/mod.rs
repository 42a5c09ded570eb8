//! The sections of a configuration, one file each: a field's name, kind, default, meaning and
//! limits stand there once, beside what its value is made into and the rules between values.
//!
//! | file | section |
//! |---|---|
//! | `document` | the document itself |
//! | `pool` | a pool, as an entry of `pools` or as the document |
//! | `admin` | `admin` |
//! | `endpoint` | an entry of `endpoints` |
//! | `matching` | `match`, and the rules of headers |
//! | `balance` | `load_balancer` |
//! | `retry` | `retry_policy` with its delays, `budget` and `hedge` |
//! | `retry_when` | an entry of `retry_policy.retry_when` |
//! | `timeout` | `timeout` |
//! | `breaker` | `circuit_breaker` |
//! | `health` | `health_check` |
//! | `limit` | `connection_pool` |
//! | `interceptors` | `interceptors` |

pub(crate) mod admin;
pub(crate) mod balance;
pub(crate) mod breaker;
pub(crate) mod document;
pub(crate) mod endpoint;
pub(crate) mod health;
pub(crate) mod interceptors;
pub(crate) mod limit;
pub(crate) mod matching;
pub(crate) mod pool;
pub(crate) mod retry;
pub(crate) mod retry_when;
pub(crate) mod timeout;

#[cfg(test)]
mod tests;
