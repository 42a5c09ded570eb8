//! Where the next attempt goes, settled ahead.
//!
//! A proxy may have to know where a retry would go before the attempt before it is sent. The plan
//! is made as the choice will be; when the retry is due, that endpoint is available still, or there
//! is no attempt to it.

use rand::Rng;

use super::Exchange;
use crate::endpoint::EndpointIndex;
use crate::pool::{Pool, PoolState};
use crate::time::Instant;

impl Exchange {
    /// Settles where the next attempt goes, while the newest is still under way. Until the plan is
    /// dropped, [`Exchange::choose`] chooses that endpoint or none.
    pub fn plan(
        &mut self,
        pool: &Pool,
        state: &mut PoolState,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        self.planned = None;
        let choice = self.choose(pool, state, now, rng).ok();
        self.planned = choice.map(|choice| choice.endpoint);
        self.planned
    }

    /// Whether it is settled where the next attempt goes.
    #[must_use]
    pub const fn has_plan(&self) -> bool {
        self.planned.is_some()
    }

    /// The next attempt may go anywhere again.
    pub const fn drop_plan(&mut self) {
        self.planned = None;
    }
}
