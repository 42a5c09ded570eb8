//! The names under which workers share: `steerage/LAYOUT/…`.
//!
//! Every plugin with the same `vm_id` sees the same names (Istio leaves it empty for all of them),
//! so ours carry our name. They also carry the version of the layout: a new build that runs beside
//! the old one during an update reads nothing that it would misunderstand.

/// To be raised whenever the bytes of a record change, or what they mean.
pub(crate) const LAYOUT: u32 = 12;

/// Slot number `number`, in which one worker publishes.
#[must_use]
pub fn slot(number: usize) -> String {
    format!("steerage/{LAYOUT}/slot/{number}")
}

/// What a pool looks like as configured.
#[must_use]
pub fn description(pool: &str) -> String {
    format!("steerage/{LAYOUT}/description/{pool}")
}

/// What the workers agree on for a pool.
#[must_use]
pub fn agreement(pool: &str) -> String {
    format!("steerage/{LAYOUT}/pool/{pool}")
}

/// The cool-downs of a pool that hold for a scope.
#[must_use]
pub fn scopes(pool: &str) -> String {
    format!("steerage/{LAYOUT}/scopes/{pool}")
}
