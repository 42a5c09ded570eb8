//! Turns by weight: nginx's smooth weighted round robin (`ngx_http_upstream_round_robin.c`, "smooth
//! weighted balancing algorithm").
//!
//! Every candidate has a credit. A choice adds each candidate's weight to its credit, takes the
//! highest credit (the first of equals) and subtracts the sum of all weights from it. A deadline
//! queue would give the same proportions, but needs an ordered structure where one short loop is
//! enough.
//!
//! Credits are whole millionths of a weight. Sums of fractions such as 0.1 would round differently
//! in different orders, and equal endpoints would no longer take strict turns.
//!
//! A candidate may be passed over for other reasons, and earns credit all the same: its turn comes
//! as soon as it may be chosen. It is never owed more than [`MOST_OWED`] choices, and the chosen
//! one pays only what all have earned.
//!
//! Only differences between credits matter, so an endpoint may leave or join without the others
//! being settled anew.
//!
//! Example, weights a 5, b 1, c 1:
//!
//! | credits after adding | chosen | credits after |
//! |---|---|---|
//! | 5 1 1 | a | −2 1 1 |
//! | 3 2 2 | a | −4 2 2 |
//! | 1 3 3 | b | 1 −4 3 |
//! | 6 −3 4 | a | −1 −3 4 |
//! | 4 −2 5 | c | 4 −2 −2 |
//! | 9 −1 −1 | a | 2 −1 −1 |
//! | 7 0 0 | a | 0 0 0 |

use alloc::vec::Vec;

use super::turn::Turn;
use crate::endpoint::EndpointIndex;

/// Every endpoint's credit.
#[derive(Clone, Debug, Default)]
pub(super) struct Credits {
    /// By position in the pool; grows when it is first needed.
    credits: Vec<i64>,
    /// The sum of the weights at the last choice; 0 before the first.
    total: i64,
    /// Taken over from another configuration, until the first choice.
    resumed: Option<Vec<f64>>,
    /// Where the turn begins if nothing is taken over: so much of it has passed.
    place: f64,
}

/// A candidate as this needs to know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighted {
    pub(super) index: EndpointIndex,
    pub(super) weight: f64,
    /// Whether it may be chosen now; it earns credit in any case.
    pub(super) eligible: bool,
}

impl Credits {
    /// The next in turn, which then has had its turn.
    pub(super) fn take<I>(&mut self, candidates: impl Fn() -> I) -> Option<EndpointIndex>
    where
        I: Iterator<Item = Weighted>,
    {
        if self.total == 0 {
            self.begin(&candidates);
        }
        self.step(candidates())
    }

    /// The next in turn, while the turn stays where it is.
    pub(super) fn peek(&self, candidates: impl Iterator<Item = Weighted>) -> Option<EndpointIndex> {
        let mut best: Option<(EndpointIndex, i64)> = None;
        for candidate in candidates.filter(|candidate| candidate.eligible) {
            let position = candidate.index.position();
            let credit = self.credits.get(position).copied().unwrap_or_default();
            let credit = credit.saturating_add(millionths(candidate.weight));
            if best.is_none_or(|(_, highest)| credit > highest) {
                best = Some((candidate.index, credit));
            }
        }
        best.map(|(index, _)| index)
    }

    /// Where it stands; `None` before the first choice.
    pub(super) fn turn(&self) -> Option<Turn> {
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let share = |credit: &i64| *credit as f64 / self.total as f64;
        (self.total > 0).then(|| Turn::Owed(self.credits.iter().map(share).collect()))
    }

    /// Goes on there.
    pub(super) fn resume(&mut self, turn: Turn) {
        *self = match turn {
            Turn::Owed(owed) => Self {
                resumed: Some(owed),
                ..Self::default()
            },
            Turn::Begin(place) => Self {
                place,
                ..Self::default()
            },
            Turn::After(_) => return,
        };
    }

    fn step(&mut self, candidates: impl Iterator<Item = Weighted>) -> Option<EndpointIndex> {
        let most = self.total.saturating_mul(MOST_OWED);
        let (mut total, mut paid) = (0, 0);
        let mut best: Option<(EndpointIndex, i64)> = None;
        for candidate in candidates {
            let weight = millionths(candidate.weight);
            let credit = self.credit(candidate.index)?;
            let earned = if candidate.eligible {
                weight
            } else {
                weight.min(most - *credit).max(0)
            };
            *credit += earned;
            total += weight;
            paid += earned;
            if candidate.eligible && best.is_none_or(|(_, highest)| *credit > highest) {
                best = Some((candidate.index, *credit));
            }
        }
        let (chosen, _) = best?;
        self.total = total;
        *self.credit(chosen)? -= paid;
        Some(chosen)
    }

    /// Takes over where another configuration stood, or begins where it is told.
    #[cold]
    fn begin<I>(&mut self, candidates: &impl Fn() -> I)
    where
        I: Iterator<Item = Weighted>,
    {
        let (mut total, mut divisor, mut count) = (0_i64, 0, 0_i64);
        for candidate in candidates() {
            let weight = millionths(candidate.weight);
            total += weight;
            divisor = greatest_common_divisor(weight, divisor);
            count += 1;
        }
        self.total = total;
        if count == 0 {
            return;
        }
        if let Some(resumed) = self.resumed.take() {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a place need not be exact"
            )]
            let credit = |owed: f64| (owed * total as f64) as i64;
            self.credits = resumed.into_iter().map(credit).collect();
            return;
        }
        // After so many choices all of them would be where they began.
        let period = total / divisor.max(1);
        let most = count.max(MOST_STEPS / count.max(1));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a place need not be exact"
        )]
        let steps = (self.place * period.min(most) as f64) as i64;
        for _ in 0..steps {
            let all = candidates().map(|candidate| Weighted {
                eligible: true,
                ..candidate
            });
            self.step(all);
        }
    }

    fn credit(&mut self, index: EndpointIndex) -> Option<&mut i64> {
        let position = index.position();
        if position >= self.credits.len() {
            self.credits.resize(position + 1, 0);
        }
        self.credits.get_mut(position)
    }
}

/// A weight in millionths, at least one.
fn millionths(weight: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights are at most a million"
    )]
    let millionths = (weight * 1e6 + 0.5) as i64;
    millionths.max(1)
}

const fn greatest_common_divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// How many choices an endpoint is owed at most: as many as pass in one round of the workers at a
/// thousand requests a second and a small weight.
const MOST_OWED: i64 = 32;

/// How many credits are changed at most to find a place. Where the weights are such that a
/// whole turn is longer, the place is one of its first.
const MOST_STEPS: i64 = 20_000;
