//! Where a strategy stands in its turn, and how a new configuration takes that over.
//!
//! A turn begins at a random place in each worker. If every worker began with the first endpoint,
//! that one would get more than its share whenever workers serve few requests each; and with a
//! configuration that is reloaded every few requests, an endpoint of a small weight would never get
//! any. For the same reason a new configuration goes on where the old one stood, for the endpoints
//! that stay.
//!
//! Example: a b c d, and c was chosen last. The new configuration has d e a: d is next. It has e a:
//! the endpoint chosen before c that stays is a, which was the first, so e is next.

use alloc::vec::Vec;

use crate::endpoint::{Endpoint, EndpointIndex};

/// Where a strategy stands in its turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// So much of a whole turn has passed, from 0.0 to 1.0: where a worker begins.
    Begin(f64),
    /// This endpoint was chosen last.
    After(EndpointIndex),
    /// How much of a whole turn each endpoint is owed, by position.
    Owed(Vec<f64>),
}

impl Turn {
    /// The same among the endpoints of a new configuration; `None` if none of the old ones that it
    /// depends on is left.
    #[must_use]
    pub fn among(&self, old: &[Endpoint], new: &[Endpoint]) -> Option<Self> {
        match self {
            Self::Begin(part) => Some(Self::Begin(*part)),
            Self::After(last) => {
                let until = old.get(..=last.position())?;
                let stays = |gone: &Endpoint| {
                    let mut new = new.iter();
                    new.position(|kept| kept.cluster == gone.cluster)
                };
                let position = until.iter().rev().find_map(stays)?;
                EndpointIndex::new(position).map(Self::After)
            }
            Self::Owed(owed) => {
                let before = |kept: &Endpoint| {
                    let mut old = old.iter().zip(owed);
                    old.find_map(|(gone, owed)| (gone.cluster == kept.cluster).then_some(*owed))
                };
                let owed: Vec<_> = new.iter().map(before).collect();
                let any_stays = owed.iter().any(Option::is_some);
                any_stays
                    .then(|| Self::Owed(owed.into_iter().map(Option::unwrap_or_default).collect()))
            }
        }
    }
}
