//! The names under which workers share: `steerage/LAYOUT/…`.
//!
//! Every plugin with the same `vm_id` sees the same names (Istio leaves it empty for all of them),
//! so ours carry our name. They carry the version of the layout, so that a new build that runs beside
//! the old one during an update reads nothing that it would misunderstand.

/// Changes whenever the meaning of the bytes does.
const LAYOUT: u32 = 5;

/// Slot number `number` of those in which workers publish.
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
