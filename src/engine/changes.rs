//! How a pool changes what the workers agree on, and how it hears of changes.
//!
//! A change is made on the newest state and written back, again if another worker was faster. What
//! came of it is copied into the pool's state, which every choice reads.

use steerage_policy::breaker::StateName;
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::pool::Pool;
use steerage_shared::agreement::Lost;

use crate::action::{Action, Trouble};
use crate::debug_log;
use crate::pool::{SteeredPool, TakesOver};
use crate::turn::Turn;

impl SteeredPool {
    /// Changes what the workers agree on for an endpoint; `None` if the change was lost. If another
    /// worker writes in between, `change` is made again on what it has written.
    pub(crate) fn change<T>(
        &mut self,
        index: EndpointIndex,
        turn: &mut Turn<'_>,
        change: impl Fn(&Pool, &mut Agreed) -> T,
    ) -> Option<T> {
        let mut answer = None;
        let mut change = |pool: &Pool, agreed: &mut Agreed| answer = Some(change(pool, agreed));
        self.write(index, turn, &mut change).ok()?;
        answer
    }

    /// The part of [`SteeredPool::change`] that is the same for every change. It is long, so it is
    /// not compiled anew for each.
    #[inline(never)]
    pub(crate) fn write(
        &mut self,
        index: EndpointIndex,
        turn: &mut Turn<'_>,
        change: &mut dyn FnMut(&Pool, &mut Agreed),
    ) -> Result<(), Lost> {
        let pool = &self.settings.pool;
        let Some(endpoint) = pool.endpoint(index) else {
            return Ok(());
        };
        let (before, written) =
            self.agreement
                .change_among(turn.store, &endpoint.cluster, |agreed, others| {
                    let is_open = |(cluster, agreed): &(&str, &Agreed)| {
                        let closed = agreed.breaker.name() == StateName::Closed;
                        !closed && pool.endpoints.iter().any(|it| &*it.cluster == *cluster)
                    };
                    let others_open = others.filter(is_open).count();
                    let before = agreed.clone();
                    pool.bring_in_force(agreed, others_open, turn.now);
                    let bounded = agreed.clone();
                    change(pool, agreed);
                    pool.limit_open(&bounded, agreed, others_open);
                    before
                });
        let after = self.agreement.get(&endpoint.cluster);
        if let Some(state) = self.state.endpoint_mut(index) {
            let (from, to) = (before.breaker.name(), after.breaker.name());
            if written.is_ok() && from != to {
                state.totals_mut().breaker_became(to);
            }
            pool.agree(state, after.clone(), turn.now);
        }
        match written {
            Ok(()) if turn.debug => {
                let lines = debug_log::changed(pool, endpoint, &before, &after, turn.now);
                turn.actions.extend(lines.map(Action::Debug));
            }
            Ok(()) => {}
            Err(lost) => turn.actions.push_back(Action::Trouble(lost.into())),
        }
        written
    }

    /// Reads what has been agreed on, and takes it over if there is news: says whether there was.
    #[inline(never)]
    pub(crate) fn refresh_agreed(&mut self, turn: &mut Turn<'_>) -> bool {
        self.refresh_scopes(turn);
        self.agreement.refresh(turn.store);
        if self.agreement.take_unreadable() {
            let trouble = Trouble::UnreadableRecord;
            turn.actions.push_back(Action::Trouble(trouble));
        }
        if !self.agreement.take_news() {
            return false;
        }
        let pool = &self.settings.pool;
        for (endpoint, state) in pool.endpoints.iter().zip(self.state.endpoints_mut()) {
            pool.agree(state, self.agreement.get(&endpoint.cluster), turn.now);
        }
        true
    }

    /// Brings what was agreed on before this configuration within its bounds, and has endpoints
    /// checked anew where it checks in another way. If another worker has begun to, it is checked.
    #[inline(never)]
    pub(crate) fn take_over(&mut self, turn: &mut Turn<'_>) {
        let TakesOver { rechecks, due, .. } = core::mem::replace(
            &mut self.takes_over,
            TakesOver {
                is_done: true,
                ..TakesOver::default()
            },
        );
        let known: Vec<EndpointIndex> = (self.settings.pool.endpoints.iter())
            .zip(self.state.endpoints())
            .filter(|(endpoint, _)| self.agreement.get(&endpoint.cluster) != Agreed::default())
            .map(|(_, (index, _))| index)
            .collect();
        let now = turn.now;
        for index in known {
            let before = due.get(index.position()).copied().flatten();
            self.change(index, turn, |_, agreed| {
                if rechecks && agreed.health.due() == before {
                    agreed.health.check_soon(now);
                }
            });
        }
    }
}
