//! The verdict on an endpoint's health, from active checks or from an operator.
//!
//! No checker writes it yet: every endpoint is [`Health::Unknown`], which is available. The verdict
//! stands here because strategies already weigh it.

/// The verdict on one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// Fully operational.
    Healthy,
    /// Has issues but is still usable.
    Degraded,
    /// Not to be used.
    Unhealthy,
    /// No verdict yet; usable.
    #[default]
    Unknown,
}

impl Health {
    /// How much of its weight an endpoint in this state is worth to `health_based`, 0.0..=1.0.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::Healthy => 1.0,
            Self::Unknown => 0.5,
            Self::Degraded => 0.25,
            Self::Unhealthy => 0.0,
        }
    }
}
