//! What a configuration comes to.

use core::time::Duration;

use steerage_policy::pool::Pool;

use crate::admin::Admin;
use crate::interceptors::Interceptors;

/// What one load of the module is there for.
#[derive(Clone, Debug)]
pub enum Role {
    /// The filter itself, before the router.
    Filter(Config),
    /// `{"role": "attempts"}`: the second load, in the router's upstream filters. It sees each
    /// attempt of the router. What is to be done with it is told by the filter, in the same VM.
    Attempts,
}

/// A valid configuration of the filter itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header in which the route looks for the cluster, in lower case.
    pub cluster_header: Box<str>,
    /// Whether the route rewrites the host to what `x-steerage-authority` says.
    pub route_rewrites_host: bool,
    /// How often a worker publishes and reads what is shared, 10 ms to 10 s.
    pub sync_interval: Duration,
    /// Most bytes of requests and answers that a worker keeps at a time.
    pub max_kept_bytes: usize,
    /// In the order in which requests are matched; none only if there is `admin`.
    pub pools: Vec<ConfiguredPool>,
    /// The admin surface, if there is one.
    pub admin: Option<Admin>,
}

/// A pool, and what is done beside steering its requests.
#[derive(Clone, Debug)]
pub struct ConfiguredPool {
    /// Its endpoints and its policy.
    pub pool: Pool,
    /// What is done to the headers of its messages, and what is logged.
    pub interceptors: Interceptors,
    /// Whether metrics are kept.
    pub metrics: bool,
    /// What extensions in Rust are told, as JSON; an object, without content if there is none.
    pub params: Box<str>,
}
