//! How things are: what a worker knows, what is agreed, what is under way.

use steerage_engine::settings::PoolIndex;
use steerage_policy::breaker::{Admission, Generation};
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::pool::PoolState;
use steerage_policy::time::Instant;

use super::{ROUND, World};
use crate::records::{Look, Records};

/// How things are before an event: of each endpoint, what a worker knows and what is agreed.
pub(super) struct Before {
    pub(super) known: Vec<Admission>,
    pub(super) agreed: Vec<Admission>,
}

impl World<'_> {
    pub(super) fn state(&self, number: usize) -> &PoolState {
        let pool = PoolIndex::new(0).unwrap();
        self.members[number].worker.pool_state(pool).unwrap()
    }

    /// What is agreed on an endpoint, as the store shows it.
    pub(super) fn agreed(&mut self, endpoint: EndpointIndex) -> Agreed {
        self.observer.refresh(&self.store);
        let endpoint = self.pool.endpoint(endpoint).unwrap();
        self.observer.get(&endpoint.cluster)
    }

    pub(super) fn all_agreed(&mut self) -> Vec<Agreed> {
        self.observer.refresh(&self.store);
        let endpoints = self.pool.endpoints.iter();
        endpoints
            .map(|endpoint| self.observer.get(&endpoint.cluster))
            .collect()
    }

    pub(super) fn before(&mut self, number: usize, now: Instant) -> Before {
        let policy = &self.pool.breaker;
        let agreed = self.all_agreed().into_iter();
        Before {
            agreed: agreed.map(|it| it.breaker.admission(policy, now)).collect(),
            known: self
                .state(number)
                .endpoints()
                .map(|(_, state)| state.breaker().admission(policy, now))
                .collect(),
        }
    }

    /// The endpoints that a worker takes for available: here only breakers exclude any.
    pub(super) fn available(
        &self,
        number: usize,
        now: Instant,
    ) -> impl Iterator<Item = EndpointIndex> {
        let policy = &self.pool.breaker;
        let states = self.state(number).endpoints();
        states
            .filter(move |(_, state)| state.breaker().admission(policy, now) != Admission::Refused)
            .map(|(index, _)| index)
    }

    /// Writes down how things are after an event.
    pub(super) fn look(&mut self, now: Instant) {
        let states = (0..self.members.len()).flat_map(|number| self.state(number).endpoints());
        let active = if self.case.workers == 1 {
            states.map(|(_, state)| state.active()).sum()
        } else {
            states.map(|(_, state)| state.report(now).active).sum()
        };
        let under_way = || {
            let clients = self.clients.iter();
            clients.filter_map(|client| client.under_way.as_ref())
        };
        let count = under_way().count();
        let trials: Vec<_> = under_way()
            .filter_map(|it| Some((it.sending.endpoint.position(), it.trial_of?)))
            .collect();
        self.records.active.push((count, active));
        for (position, Agreed { breaker, .. }) in self.all_agreed().iter().enumerate() {
            let of = |trial: &&(usize, Generation)| **trial == (position, breaker.generation());
            self.records.looks.push(Look {
                state: breaker.name(),
                admission: breaker.admission(&self.pool.breaker, now),
                trials: trials.iter().filter(of).count(),
            });
        }
        self.records.end = now;
    }

    pub(super) fn end(mut self) -> Records {
        self.records.agreed = self.all_agreed();
        // Twice: what one worker publishes last, the one before it reads in the second round.
        for round in 1..=2 {
            for number in 0..self.members.len() {
                self.sync(number, self.records.end + ROUND * round);
            }
        }
        let active = |number| -> u32 {
            let states = self.state(number).endpoints();
            states.map(|(_, state)| state.active()).sum()
        };
        self.records.left = (0..self.members.len()).map(active).collect();
        self.records
    }
}
