//! Cool-downs that hold for some requests only: those with the same value of a header, such as a
//! tenant, a key or a model.
//!
//! Values are kept as hashes. An endpoint has at most [`MOST_SCOPES`] of these cool-downs; of more,
//! the one that ends first makes room.
//!
//! Example: with the scope `x-tenant` an endpoint answers tenant A with 429 and `retry-after: 30`.
//! It gets no request of A for 30 s, and all of the others'. Requests without the header are like
//! those of one tenant more.

use alloc::vec::Vec;

use twox_hash::XxHash64;

use super::EndpointIndex;
use super::cool_down::CoolDown;
use crate::time::Instant;

/// Most cool-downs of one endpoint that hold for a scope.
pub const MOST_SCOPES: usize = 1_000;

/// The requests that a cool-down holds for: the hash of what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(pub u64);

impl Scope {
    /// That of requests whose header has these values, or none.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        // Each hash is the seed of the next, so "a", "b" is not "ab".
        Self(values.fold(SCOPE_SEED, XxHash64::oneshot))
    }
}

/// The cool-downs of one endpoint, by their scope; some may be past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopedCoolDowns(Vec<(Scope, CoolDown)>);

impl ScopedCoolDowns {
    /// The cool-down of a scope.
    #[must_use]
    pub fn get(&self, scope: Scope) -> Option<CoolDown> {
        let at = self.0.binary_search_by_key(&scope, |entry| entry.0).ok()?;
        self.0.get(at).map(|entry| entry.1)
    }

    /// Changes the cool-down of a scope, and forgets all that are over `now`.
    pub fn change(
        &mut self,
        scope: Scope,
        now: Instant,
        change: &mut dyn FnMut(&mut Option<CoolDown>),
    ) {
        let mut cooling = self.get(scope);
        change(&mut cooling);
        self.0
            .retain(|(other, it)| *other != scope && it.until > now);
        let Some(cooling) = cooling.filter(|it| it.until > now) else {
            return;
        };
        let at = self.0.partition_point(|(other, _)| *other < scope);
        self.0.insert(at, (scope, cooling));
        if self.0.len() > MOST_SCOPES {
            let ends = self.0.iter().map(|(_, it)| it.until);
            if let Some((first, _)) = ends.enumerate().min_by_key(|(_, until)| *until) {
                self.0.remove(first);
            }
        }
    }

    /// None of them is longer than until then.
    pub(crate) fn shorten(&mut self, longest: Instant) {
        for (_, cooling) in &mut self.0 {
            cooling.until = cooling.until.min(longest);
        }
    }

    /// Every cool-down, in the order of the scopes.
    pub fn iter(&self) -> impl Iterator<Item = (Scope, CoolDown)> + Clone + '_ {
        self.0.iter().copied()
    }

    /// Whether one of them is in force `now`.
    #[must_use]
    pub fn any_in_force(&self, now: Instant) -> bool {
        self.0.iter().any(|(_, it)| it.until > now)
    }
}

impl From<Vec<(Scope, CoolDown)>> for ScopedCoolDowns {
    /// In the order of the scopes, as [`ScopedCoolDowns::iter`] gives them. What is out of order,
    /// or more than there may be, is dropped.
    fn from(mut cool_downs: Vec<(Scope, CoolDown)>) -> Self {
        let mut last = None;
        cool_downs.retain(|(scope, _)| last.replace(*scope) < Some(*scope));
        cool_downs.truncate(MOST_SCOPES);
        Self(cool_downs)
    }
}

/// The cool-downs of a pool as a request of one scope sees them.
#[derive(Clone, Copy, Debug)]
pub struct InScope<'a> {
    scope: Scope,
    /// By the position of the endpoint.
    cool_downs: &'a [ScopedCoolDowns],
}

impl<'a> InScope<'a> {
    /// The view of a request; `None` if it has no scope, or if there are no such cool-downs.
    pub(crate) fn of(scope: Option<Scope>, cool_downs: &'a [ScopedCoolDowns]) -> Option<Self> {
        let scope = scope.filter(|_| !cool_downs.is_empty())?;
        Some(Self { scope, cool_downs })
    }

    /// The cool-down of an endpoint that is in force `now`.
    pub(crate) fn cooling(&self, index: EndpointIndex, now: Instant) -> Option<CoolDown> {
        let cool_downs = self.cool_downs.get(index.position())?;
        cool_downs.get(self.scope).filter(|it| it.until > now)
    }

    /// Whether any endpoint cools down `now`.
    pub(crate) fn any_cools(&self, now: Instant) -> bool {
        let mut cool_downs = self.cool_downs.iter();
        cool_downs.any(|it| it.get(self.scope).is_some_and(|it| it.until > now))
    }
}

/// Not the seed of other hashes: who sees one of those learns nothing of a key.
const SCOPE_SEED: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn scope(values: &[&str]) -> Scope {
        Scope::of(values.iter().map(|value| value.as_bytes()))
    }

    fn request(cool_downs: &mut ScopedCoolDowns, scope: Scope, until: u64, now: u64) {
        cool_downs.change(scope, at(now), &mut |cooling| {
            *cooling = Some(CoolDown::request(*cooling, at(until), at(now)));
        });
    }

    #[test]
    fn other_values_are_other_scopes() {
        let scopes = [
            scope(&[]),
            scope(&[""]),
            scope(&["a"]),
            scope(&["b"]),
            scope(&["a", "b"]),
            scope(&["ab"]),
            scope(&["a", ""]),
        ];
        for (n, one) in scopes.iter().enumerate() {
            for other in &scopes[..n] {
                assert_ne!(one, other);
            }
        }
        assert_eq!(scope(&["a"]), scope(&["a"]));
    }

    #[test]
    fn each_scope_has_its_own_and_what_is_over_is_forgotten() {
        let mut cool_downs = ScopedCoolDowns::default();
        let [a, b, c] = ["a", "b", "c"].map(|value| scope(&[value]));
        request(&mut cool_downs, a, 30, 0);
        request(&mut cool_downs, b, 10, 1);
        assert_eq!(cool_downs.get(a).unwrap().until, at(30));
        assert_eq!(cool_downs.get(b).unwrap().until, at(10));
        assert_eq!(cool_downs.get(c), None);
        request(&mut cool_downs, a, 20, 2);
        assert_eq!(
            cool_downs.get(a).unwrap().until,
            at(30),
            "the longest holds"
        );
        request(&mut cool_downs, c, 40, 10);
        assert_eq!(cool_downs.get(b), None);
        assert!(cool_downs.any_in_force(at(39)) && !cool_downs.any_in_force(at(40)));
        let view = [ScopedCoolDowns::default(), cool_downs];
        let of = |scope| InScope::of(Some(scope), &view).unwrap();
        let [first, second] = [0, 1].map(|n| EndpointIndex::new(n).unwrap());
        assert!(of(a).cooling(second, at(29)).is_some());
        assert!(of(a).cooling(second, at(30)).is_none());
        assert!(of(a).cooling(first, at(29)).is_none());
        assert!(of(a).any_cools(at(29)) && !of(b).any_cools(at(29)));
        assert!(InScope::of(None, &view).is_none());
        assert!(InScope::of(Some(a), &[]).is_none());
    }

    #[test]
    fn of_too_many_the_one_that_ends_first_makes_room() {
        let mut cool_downs = ScopedCoolDowns::default();
        let many = MOST_SCOPES as u64;
        for n in 0..many {
            // The one in the middle ends first.
            let until = if n == many / 2 { 50 } else { 100 + n };
            request(&mut cool_downs, Scope(n), until, 0);
        }
        assert_eq!(cool_downs.iter().count(), MOST_SCOPES);
        request(&mut cool_downs, Scope(many), 99, 0);
        assert_eq!(cool_downs.iter().count(), MOST_SCOPES);
        assert_eq!(cool_downs.get(Scope(many / 2)), None);
        request(&mut cool_downs, Scope(many + 1), 98, 0);
        assert_eq!(
            cool_downs.get(Scope(many + 1)),
            None,
            "it ends first itself"
        );
        assert!(cool_downs.get(Scope(many)).is_some());
        let scopes: Vec<_> = cool_downs.iter().map(|(scope, _)| scope).collect();
        assert!(scopes.is_sorted());
    }
}
