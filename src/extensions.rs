//! Extensions in Rust, for each pool by its name.
//!
//! A configuration chooses among the built-in strategies; code can do more. A filter with
//! extensions is a small package that links this library, implements the traits that it needs and
//! lists them in one function. The macro [`filter!`](crate::filter!) makes a module of it. See
//! `examples/custom-filter`.
//!
//! What an extension can be told is `params` of the pool, see [`PoolInfo`].
//!
//! Limits: an extension sees what its trait hands it and nothing of the host. Workers share nothing
//! through it.
//!
//! Example: with a backoff of 1 s, 2 s, 3 s … and `max_delay` 2.5, retries are delayed by 1, 2 and
//! 2.5 s.

use steerage_policy::pool::{Pool, PoolState};

use crate::interceptors::Chains;
use crate::{Backoff, Balancer, Endpoint, RequestInterceptor, ResponseInterceptor};

/// The extensions of one pool. They replace built-in strategies or are added to them.
///
/// - A [`Backoff`] replaces the strategy of `retry_policy`. The cap, jitter, budget and deadline
///   hold as configured, and so does a `throttling_base_delay` that differs from `base_delay`.
/// - A [`Balancer`] replaces the strategy of `load_balancer`. It gets the available endpoints of
///   the best rank only, and its answer is checked.
/// - A [`RequestInterceptor`] sees every attempt, a [`ResponseInterceptor`] every answer to a
///   client. They run after those of the configuration, and the same headers are off limits to
///   them.
///
/// Every worker makes them anew for each pool of each configuration. Their state belongs to one
/// worker and ends with its configuration.
///
/// An extension that panics traps its VM, as any panic does: Envoy answers the requests under way
/// with an error and starts a new VM.
///
/// ```no_run
/// use std::time::Duration;
/// use steerage::{Backoff, Extensions};
///
/// /// One second, and one more for each earlier retry.
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

/// A pool that extensions are made for.
#[derive(Clone, Copy, Debug)]
pub struct PoolInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its `params`: a JSON object, `{}` if the configuration has none. Read it with a JSON crate
    /// of your own.
    pub params: &'a str,
    /// Its endpoints, in the order of the configuration.
    pub endpoints: &'a [Endpoint],
}

/// What makes the extensions of pools.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    /// By the pool's name.
    ByName(fn(&str) -> Extensions),
    /// By the pool's name and `params`.
    WithParams(fn(&PoolInfo<'_>) -> Result<Extensions, String>),
}

impl Maker {
    /// The extensions of a pool; or why its `params` are refused.
    pub(crate) fn make(self, pool: &PoolInfo<'_>) -> Result<Extensions, String> {
        match self {
            Self::ByName(make) => Ok(make(pool.name)),
            Self::WithParams(make) => make(pool),
        }
    }
}

impl Extensions {
    /// No extensions: the pool is as configured.
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

    /// Attempts also go through `interceptor`, after those of the configuration and those added
    /// earlier.
    #[must_use]
    pub fn request_interceptor(mut self, interceptor: impl RequestInterceptor + 'static) -> Self {
        self.request.push(Box::new(interceptor));
        self
    }

    /// Answers also go through `interceptor`, after those of the configuration and those added
    /// earlier.
    #[must_use]
    pub fn response_interceptor(mut self, interceptor: impl ResponseInterceptor + 'static) -> Self {
        self.response.push(Box::new(interceptor));
        self
    }

    /// Installs them in a new pool and its chains of interceptors, and makes the pool's state.
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
