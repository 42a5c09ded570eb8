//! What stands around configurations: whether it fits them.
//!
//! | file | looks at |
//! |---|---|
//! | `scene` | what all of them look at |
//! | `handed` | how the filter gets the configuration, and what happens when it crashes |
//! | `routes` | the routes of an Envoy |
//! | `clusters` | the clusters of an Envoy |
//! | `istio` | VirtualServices and EnvoyFilters |
//! | `destinations` | DestinationRules: subsets and limits |
//! | `gateway` | HTTPRoutes and BackendTrafficPolicies of an Envoy Gateway |
//! | `store` | pools that several plugins share without wanting to |
//!
//! Why errors and warnings: where no request can succeed it is an error, as a cluster that does
//! not exist. Whatever may be wanted is a warning.
//!
//! Limits: what is not in the files is not missed. An Envoy that discovers its routes or clusters
//! is not checked for those.

mod clusters;
mod destinations;
mod gateway;
mod handed;
mod istio;
mod routes;
mod scene;
mod store;

use steerage_config::Role;

use super::plugins::Home;
use super::report::Report;
pub(crate) use scene::Scene;
use scene::Subject;

/// Checks what is around all of them.
pub(crate) fn check(scene: &Scene<'_>, report: &mut Report<'_>) {
    for plugin in scene.plugins {
        handed::check(plugin, report);
        let Ok(Role::Filter(config)) = &plugin.found.parsed else {
            continue;
        };
        if config.pools.is_empty() {
            continue;
        }
        let subject = Subject { plugin, config };
        if let Home::Envoy { manager, .. } = plugin.home {
            if let Some(manager) = manager {
                routes::check(&subject, manager, scene, report);
            }
            clusters::check(&subject, scene, report);
        }
        istio::check(&subject, scene, report);
        destinations::check(&subject, scene, report);
        gateway::check(&subject, scene, report);
    }
    store::check(scene, report);
}
