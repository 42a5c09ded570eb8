//! The cool-downs of a pool that hold for a scope, on the wire.
//!
//! There may be thousands, and all are alike: each is five numbers of eight bytes, the least
//! significant first. These are the hash of the endpoint's cluster, the scope, and the three times.

use steerage_policy::endpoint::{CoolDown, Scope, ScopedCoolDowns};
use steerage_policy::time::Instant;

use super::{CHECKSUM_LENGTH, Unreadable, checksum, verify};

/// Those of each endpoint, by the hash of its cluster.
pub(crate) type Endpoints = Vec<(u64, ScopedCoolDowns)>;

/// The bytes of a record.
pub(crate) fn encode(endpoints: &Endpoints) -> Vec<u8> {
    let mut bytes = vec![0; CHECKSUM_LENGTH];
    for (cluster, cool_downs) in endpoints {
        for (scope, it) in cool_downs.iter() {
            for number in [
                *cluster,
                scope.0,
                it.until.as_nanos(),
                it.requested.as_nanos(),
                it.asked.as_nanos(),
            ] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
    if let Some((sum, payload)) = bytes.split_at_mut_checked(CHECKSUM_LENGTH) {
        sum.copy_from_slice(&checksum(payload));
    }
    bytes
}

/// The record in `bytes`.
///
/// # Errors
/// [`Unreadable`] if they are none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Endpoints, Unreadable> {
    let (_, payload) = verify(bytes)?;
    let (numbers, rest) = payload.as_chunks::<8>();
    let (cool_downs, more) = numbers.as_chunks::<5>();
    if !rest.is_empty() || !more.is_empty() {
        return Err(Unreadable);
    }
    let mut endpoints: Vec<(u64, Vec<(Scope, CoolDown)>)> = Vec::new();
    for numbers in cool_downs {
        let [cluster, scope, until, requested, asked] = numbers.map(u64::from_le_bytes);
        let cooling = CoolDown {
            until: Instant::from_nanos(until),
            requested: Instant::from_nanos(requested),
            asked: Instant::from_nanos(asked),
        };
        match endpoints.last_mut() {
            Some((last, all)) if *last == cluster => all.push((Scope(scope), cooling)),
            _ => endpoints.push((cluster, vec![(Scope(scope), cooling)])),
        }
    }
    let endpoints = endpoints.into_iter();
    Ok(endpoints
        .map(|(cluster, all)| (cluster, all.into()))
        .collect())
}
