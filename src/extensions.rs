//! What a filter brings along in Rust: [`Extensions`], for each pool by its name.
//!
//! A configuration chooses among what is built in; code can do more. Such a filter is a small package
//! that links this library, implements the traits that it needs and names them in one function; the
//! macro [`filter!`](crate::filter!) makes a module of it. `examples/custom-filter` is one.
//!
//! The function is called for each pool, anew in every worker and for every configuration: what an
//! extension remembers belongs to one worker and ends with its configuration. Workers share nothing
//! through it.
//!
//! ## What holds in spite of it
//! - A **backoff** takes the place of the strategy of `retry_policy`. The cap, jitter, budget and
//!   deadline hold as configured, and `throttling_base_delay` if it is given.
//! - A **balancer** takes the place of the strategy of `load_balancer`. It gets the available
//!   endpoints only, and what it answers is checked.
//! - **Interceptors** run after those of the configuration, and what they may not change is the same.
//!
//! An extension that panics traps its VM, as anything does that panics there: Envoy answers the requests
//! under way with an error and starts a new VM.

use steerage_policy::pool::{Pool, PoolState};

use crate::interceptors::Chains;
use crate::{Backoff, Balancer, RequestInterceptor, ResponseInterceptor};

/// What a pool uses in place of what is built in, or besides.
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
