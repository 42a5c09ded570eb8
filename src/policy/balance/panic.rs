//! When breakers and health are ignored.
//!
//! They are inferences. Where they would leave nothing available they are ignored, as the last
//! resort: traffic then flows as without them, because an endpoint that may have recovered is
//! better than none. With a threshold above 0 they are ignored already when less than that share of
//! the pool's weight is available: they then say more of the checks than of the endpoints, and the
//! few available ones would be crushed by the whole load. What is stated and not inferred (the
//! configuration, an operator, a cool-down, a limit) holds in panic. Endpoints that it excludes are
//! not counted at all, neither as available nor as missing.
//!
//! Example: four endpoints of equal weight, of which an operator has taken one out and two have
//! open breakers: 1/3 is available. There is panic with a threshold of 0.5, and none with 0.

/// How an endpoint counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is available.
    Available,
    /// Only its breaker or its health excludes it.
    Missing,
    /// Something that holds in panic excludes it.
    Excluded,
}

/// Whether breakers and health are ignored, given every endpoint's weight and standing. `threshold`
/// is that of [`crate::balance::Rules::panic_threshold`].
#[must_use]
pub fn panics(
    threshold: Option<f64>,
    endpoints: impl IntoIterator<Item = (f64, Standing)>,
) -> bool {
    let Some(threshold) = threshold else {
        return false;
    };
    let (mut available, mut missing) = (0.0, 0.0);
    let (mut none_available, mut any_missing) = (true, false);
    for (weight, standing) in endpoints {
        match standing {
            Standing::Available => {
                available += weight;
                none_available = false;
            }
            Standing::Missing => {
                missing += weight;
                any_missing = true;
            }
            Standing::Excluded => {}
        }
    }
    any_missing && (none_available || available < threshold * (available + missing))
}
