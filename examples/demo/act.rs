//! The two acts: the same traffic, steered in two ways.

/// One half of the demo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    /// The strategy of its pool in `envoy/demo.yaml`.
    pub(crate) strategy: &'static str,
    /// What the strategy does, in a few words.
    pub(crate) meaning: &'static str,
    /// What its requests' paths begin with, by which the pool is found.
    pub(crate) path: &'static str,
}

/// Round robin comes first: it shows the trouble that the second act avoids.
pub(crate) const ACTS: [Act; 2] = [
    Act {
        strategy: "round_robin",
        meaning: "each endpoint in its turn",
        path: "/in-turn/",
    },
    Act {
        strategy: "least_response_time",
        meaning: "where the answer comes soonest",
        path: "/by-speed/",
    },
];
