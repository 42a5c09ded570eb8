//! What a worker takes over from that of an older configuration of its VM.

use crate::settings::PoolSettings;
use crate::worker::{PoolWorker, Worker};

impl Worker {
    /// Goes on in the turns of the worker of another configuration of its VM, for pools of the same
    /// name, and counts the attempts that are under way there. Called before the first request.
    pub fn resume(&mut self, before: &Self) {
        for pool in &mut self.pools {
            let PoolSettings { pool: new, .. } = &*pool.steered.settings;
            let same = |old: &&PoolWorker| old.steered.pool().name == new.name;
            if let Some(old) = before.pools.iter().find(same) {
                let old = &old.steered;
                pool.steered.state.resume(new, old.pool(), &old.state);
                pool.steered.takes_over.rechecks = new.checks_otherwise_than(old.pool());
            }
        }
    }

    /// Checks what the worker of an older configuration of its VM would check: what that one asks
    /// for is not in force any more.
    pub fn checks_for(&self, before: &mut Self) {
        let checking = self.pools.iter().map(|pool| pool.steered.pool());
        for new in checking.filter(|pool| pool.checks.is_some()) {
            for old in before.pools.iter_mut().map(|pool| &mut pool.steered) {
                old.is_checked_elsewhere |= old.pool().name == new.name;
            }
        }
    }
}
