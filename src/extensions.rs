//! What a filter brings along in Rust, for each pool by its name.
//!
//! A configuration chooses among what is built in; code can do more. Such a filter is a small package
//! that links this library, implements the traits that it needs and names them in one function; the
//! macro [`filter!`](crate::filter!) makes a module of it. `examples/custom-filter` is one.
//!
//! Limits: what is plugged in sees what its trait hands it and nothing of the host. Workers share
//! nothing through it.
//!
//! Example: with a backoff of 1 s, 2 s, 3 s … and `max_delay` 2.5, retries are delayed by 1, 2 and 2.5 s.

use steerage_policy::pool::{Pool, PoolState};

use crate::interceptors::Chains;
use crate::{Backoff, Balancer, RequestInterceptor, ResponseInterceptor};

/// What a pool uses in place of what is built in, or besides.
///
/// - A [`Backoff`] takes the place of the strategy of `retry_policy`. The cap, jitter, budget and
///   deadline hold as configured, and a `throttling_base_delay` that differs from `base_delay`.
/// - A [`Balancer`] takes the place of the strategy of `load_balancer`. It gets the available endpoints
///   of the best rank only, and what it answers is checked.
/// - A [`RequestInterceptor`] sees every attempt, a [`ResponseInterceptor`] every answer to a client. They
///   run after those of the configuration, and what they may not change is the same.
///
/// They are made for each pool, anew in every worker and for every configuration: what they remember
/// belongs to one worker and ends with its configuration.
///
/// One that panics traps its VM, as anything does that panics there: Envoy answers the requests under
/// way with an error and starts a new VM.
///
/// ```no_run
/// use std::time::Duration;
/// use steerage::{Backoff, Extensions};
///
/// /// A second, and as much again for each retry before.
/// #[derive(Debug)]
/// struct Patient;
///
/// impl Backoff for Patient {
///     fn delay(&self, n: u8) -> Duration {
///         Duration::from_secs(n.into())
///     }
/// }
///
/// fn extensions(pool: &str) -> Extensions {
///     match pool {
///         "reports" => Extensions::new().backoff(Patient),
///         _ => Extensions::new(),
///     }
/// }
///
/// steerage::filter!(extensions);
/// ```
#[derive(Debug, Default)]
pub struct Extensions {
    backoff: Option<Box<dyn Backoff>>,
    balancer: Option<Box<dyn Balancer>>,
    request: Vec<Box<dyn RequestInterceptor>>,
    response: Vec<Box<dyn ResponseInterceptor>>,
}

impl Extensions {
    /// None: the pool is as configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Retries are delayed by `backoff`.
    #[must_use]
    pub fn backoff(self, backoff: impl Backoff + 'static) -> Self {
        Self {
            backoff: Some(Box::new(backoff)),
            ..self
        }
    }

    /// Endpoints are chosen by `balancer`.
    #[must_use]
    pub fn balancer(self, balancer: impl Balancer + 'static) -> Self {
        Self {
            balancer: Some(Box::new(balancer)),
            ..self
        }
    }

    /// Attempts also go through `interceptor`, after those of the configuration and those added before.
    #[must_use]
    pub fn request_interceptor(mut self, interceptor: impl RequestInterceptor + 'static) -> Self {
        self.request.push(Box::new(interceptor));
        self
    }

    /// Answers also go through `interceptor`, after those of the configuration and those added before.
    #[must_use]
    pub fn response_interceptor(mut self, interceptor: impl ResponseInterceptor + 'static) -> Self {
        self.response.push(Box::new(interceptor));
        self
    }

    /// Puts them into a pool of which nothing is known yet, and into its chains of interceptors.
    pub(crate) fn install(self, pool: &mut Pool, chains: &mut Chains) -> PoolState {
        chains.extend(self.request, self.response);
        if let Some(backoff) = &self.backoff {
            pool.retry.follow(&**backoff);
        }
        let state = PoolState::new(pool);
        match self.balancer {
            Some(balancer) => state.balanced_by(balancer),
            None => state,
        }
    }
}
