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

mod brown_out;
mod capacity_loss;
mod cold_start;
mod flapping;
mod one_slow;
mod overload;
mod steady;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Pool;

use crate::log::count;
use crate::upstream::Upstream;
use crate::world::World;

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
