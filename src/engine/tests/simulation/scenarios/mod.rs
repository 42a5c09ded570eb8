//! What may happen on a bad day, a file each: the load of many workers, as clients see it.
//!
//! - [`steady`]: three endpoints of 10, 20 and 40 ms, with room for all. Expected: traffic by
//!   speed, no herd.
//! - [`one_slow`]: one becomes 20 times slower, or stalls now and then. Expected: not seen after 2
//!   s; a stall costs no traffic.
//! - [`brown_out`]: one becomes 20 times slower and fails 30 %. Expected: not seen after 2 s; its
//!   share returns.
//! - [`flapping`]: one is bad every other three seconds. Expected: next to no failures; not its
//!   full share.
//! - [`cold_start`]: all start anew, or one joins a busy pool. Expected: no endpoint is flooded,
//!   none starves.
//! - [`capacity_loss`]: one loses three quarters of its servers. Expected: the others take over.
//! - [`overload`]: 120 % of the capacity for 5 s. Expected: it ends with the overload, given a
//!   budget.
//! - [`common_failure`]: all endpoints fail at once for a second. Expected: everybody is served
//!   within two seconds after.
//! - [`one_client`]: a client's requests fail everywhere, or are in a great hurry. Expected: nobody
//!   else notices.
//! - [`burst`]: more for a second than the proxy's clusters take. Expected: nobody is blamed for
//!   what the proxy refuses.
//! - [`drained`]: all but a drained endpoint fail. Expected: it gets no retries, until the others
//!   are left alone.
//! - [`throttled`]: all endpoints ask to be left alone, or one client is throttled everywhere.
//!   Expected: no breaker opens, and all others are served again within two seconds.

mod brown_out;
mod burst;
mod capacity_loss;
mod cold_start;
mod common_failure;
mod drained;
mod flapping;
mod one_client;
mod one_slow;
mod overload;
mod steady;
mod throttled;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Pool;

use steerage_engine::action::Reason;

use crate::log::count;
use crate::upstream::Upstream;
use crate::world::World;

/// So many workers in one proxy, where their number may matter.
const UP_TO_EIGHT: [usize; 5] = [1, 2, 3, 5, 8];
/// Eight workers, each in how many proxies.
const PROXIES: [usize; 2] = [1, 4];
const WORKERS: usize = 8;

/// A pool with as many endpoints as upstreams, chosen by this strategy and with the defaults
/// otherwise.
fn pool(strategy: Strategy, upstreams: &[Upstream]) -> Pool {
    let mut pool = crate::pool(upstreams.len());
    pool.strategy = strategy;
    pool
}

/// [`WORKERS`] in so many proxies, with `rate` requests a second in all, by response time.
fn world(upstreams: &[Upstream], proxies: usize, rate: f64, seed: u64) -> World {
    let pool = pool(Strategy::LeastResponseTime, upstreams);
    of(pool, upstreams, proxies, rate, seed)
}

/// The same with any pool.
fn of(pool: Pool, upstreams: &[Upstream], proxies: usize, rate: f64, seed: u64) -> World {
    let each = rate / count(WORKERS);
    World::new(pool, upstreams.to_vec(), WORKERS, each, seed).with_proxies(proxies)
}

/// So many workers in one proxy, with `rate` requests a second in all.
fn in_one_proxy(pool: Pool, upstreams: &[Upstream], workers: usize, rate: f64, seed: u64) -> World {
    World::new(
        pool,
        upstreams.to_vec(),
        workers,
        rate / count(workers),
        seed,
    )
}

/// How many clients the filter has refused although an endpoint could have served them.
fn refused(world: &World) -> usize {
    let log = world.log.borrow();
    let refused = |reason: Option<Reason>| reason == Some(Reason::NoEndpointAvailable);
    log.answers.iter().filter(|it| refused(it.reason)).count()
}
