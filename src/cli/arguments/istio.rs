//! The arguments of `render istio`: which proxies get the module, from where, and how their routes
//! follow it.
//!
//! Which arguments are needed depends on the target: [`RenderIstio::contradiction`] names those
//! that are missing.
//!
//! Example: `--target sidecar` alone lacks `--host` and `--selector`; `--target gateway` needs
//! neither.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{External, external, kubernetes_name, module_url, sha256};

/// Resources for Istio: the plugin, its routes, and, if asked for, the clusters' limits
///
/// The endpoints of the configuration must be Istio's clusters, outbound|PORT|SUBSET|HOST, or be
/// given with --external; at a waypoint those of its own services are called
/// inbound-vip|PORT|http|HOST. An admin surface is left out: it would answer clients.
#[derive(Debug, Args)]
#[command(after_help = RENDER_ISTIO)]
pub(crate) struct RenderIstio {
    /// The configuration, as JSON; `-` for the standard input
    pub(crate) file: PathBuf,
    /// Where Istio finds the module: oci://, https:// or file://
    #[arg(long, value_parser = module_url)]
    pub(crate) url: String,
    /// The checksum of the module or of its image, in hexadecimal
    #[arg(long, value_parser = sha256)]
    pub(crate) sha256: Option<String>,
    /// Which resource brings the module, by default a WasmPlugin; TrafficExtension needs Istio 1.30
    #[arg(long, value_enum)]
    kind: Option<IstioKind>,
    /// Which proxies run the filter
    #[arg(long, value_enum, default_value_t)]
    pub(crate) target: IstioTarget,
    /// How a request gets to the cluster that the filter has chosen; by default by routes
    #[arg(long, value_enum)]
    routing: Option<IstioRouting>,
    /// Who makes the retries, in place of what the configuration says; for the router the proxies
    /// need Envoy 1.39, and an EnvoyFilter brings the module and changes the route
    #[arg(long, value_enum)]
    pub(crate) retries: Option<Retries>,
    /// What the resources are called
    #[arg(long, default_value = "steerage")]
    pub(crate) name: String,
    /// The namespace of the resources, and of the proxies; by default istio-system for a gateway,
    /// else default
    #[arg(long)]
    namespace: Option<String>,
    /// Labels of the proxies that run the filter; by default istio=ingressgateway for a gateway
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    selector: Vec<(String, String)>,
    /// What a waypoint runs the filter for: the kind Gateway (all of it), Service or ServiceEntry,
    /// and its name
    #[arg(long, value_name = "KIND/NAME", default_value = "Gateway/waypoint", value_parser = target_ref)]
    pub(crate) target_ref: (TargetKind, String),
    /// The Gateway of the routes, for a gateway
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        default_value = "istio-system/ingress"
    )]
    pub(crate) gateway: String,
    /// The host of the routes; for a gateway by default the hosts that the pools match, or all
    #[arg(long)]
    host: Vec<String>,
    /// Whether a gateway's routes take what no pool takes, too: it goes to the first endpoint
    #[arg(long)]
    pub(crate) catch_all: bool,
    /// Whether to write the clusters' limits and timeouts, as DestinationRules; a host can have one
    /// only
    #[arg(long)]
    pub(crate) destination_rules: bool,
    /// A server outside of the mesh that a cluster is, with TLS for https
    #[arg(long, value_name = "CLUSTER=https://HOST", value_parser = external)]
    pub(crate) external: Vec<External>,
    /// The secret with which the image is fetched
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name)]
    pub(crate) image_pull_secret: Option<String>,
}

impl RenderIstio {
    pub(crate) fn kind(&self) -> IstioKind {
        self.kind.unwrap_or_default()
    }

    pub(crate) fn routing(&self) -> IstioRouting {
        self.routing.unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        let otherwise = match self.target {
            IstioTarget::Gateway => "istio-system",
            IstioTarget::Sidecar | IstioTarget::Waypoint => "default",
        };
        self.namespace.as_deref().unwrap_or(otherwise)
    }

    /// The hosts of the routes, if they are given.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.host
    }

    pub(crate) fn selector(&self) -> Vec<(String, String)> {
        if self.selector.is_empty() {
            return vec![("istio".into(), "ingressgateway".into())];
        }
        self.selector.clone()
    }

    /// Whether the filter sees requests that the routes are not for.
    pub(crate) fn sees_other_hosts(&self) -> bool {
        match self.target {
            IstioTarget::Gateway => false,
            IstioTarget::Sidecar => true,
            IstioTarget::Waypoint => self.target_ref.0 == TargetKind::Gateway,
        }
    }

    /// What is missing, or cannot be together.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        match self.target {
            IstioTarget::Gateway => None,
            _ if self.host.is_empty() => {
                Some("--host: routes within the mesh are for one host, which must be given")
            }
            IstioTarget::Sidecar if self.selector.is_empty() => {
                Some("--selector: must say which sidecars are meant")
            }
            IstioTarget::Waypoint if !self.selector.is_empty() => {
                Some("--selector: a waypoint is chosen with --target-ref")
            }
            IstioTarget::Waypoint if self.routing() == IstioRouting::ClusterHeader => {
                Some("--routing: Istio does not patch the routes of a waypoint")
            }
            IstioTarget::Sidecar | IstioTarget::Waypoint => None,
        }
    }

    /// What cannot be together with retries by the router.
    pub(crate) fn contradiction_by_router(&self) -> Option<&'static str> {
        if self.target == IstioTarget::Waypoint {
            return Some(
                "--target: Istio does not patch the routes of a waypoint, so its router cannot make the \
                 retries: use --retries calls",
            );
        }
        if self.image_pull_secret.is_some() {
            return Some("--image-pull-secret: an EnvoyFilter has none: use --retries calls");
        }
        if self.kind.is_some() {
            return Some("--kind: with retries by the router an EnvoyFilter brings the module");
        }
        if self.routing.is_some() {
            return Some("--routing: with retries by the router an EnvoyFilter changes the route");
        }
        None
    }
}

/// Who makes the retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Retries {
    /// The filter, by calls of its own
    Calls,
    /// The proxy's router
    Router,
}

impl Retries {
    /// As the configuration has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Router => "router",
        }
    }
}

/// A resource of Istio that brings modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IstioKind {
    /// For all versions
    #[default]
    WasmPlugin,
    /// Its successor
    TrafficExtension,
}

/// A kind of proxies of Istio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IstioTarget {
    /// At the edge, with the routes of a Gateway
    #[default]
    Gateway,
    /// Beside an application, for what it sends to the host
    Sidecar,
    /// In front of services, without sidecars
    Waypoint,
}

/// How the route follows the filter's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IstioRouting {
    /// A route for each cluster, in a VirtualService
    #[default]
    Routes,
    /// One route, which an EnvoyFilter makes follow the header
    ClusterHeader,
}

/// What a resource can be attached to at a waypoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Gateway,
    Service,
    ServiceEntry,
}

impl TargetKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::Service => "Service",
            Self::ServiceEntry => "ServiceEntry",
        }
    }

    /// The API's group.
    pub(crate) const fn group(self) -> &'static str {
        match self {
            Self::Gateway => "gateway.networking.k8s.io",
            Self::Service => "",
            Self::ServiceEntry => "networking.istio.io",
        }
    }
}

fn target_ref(text: &str) -> Result<(TargetKind, String), String> {
    let (kind, name) = text.split_once('/').ok_or("must be KIND/NAME")?;
    let kind = match kind {
        "Gateway" => TargetKind::Gateway,
        "Service" => TargetKind::Service,
        "ServiceEntry" => TargetKind::ServiceEntry,
        _ => return Err("must begin with Gateway/, Service/ or ServiceEntry/".into()),
    };
    Ok((kind, kubernetes_name(name)?))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

const RENDER_ISTIO: &str = "\
Examples:
  steerage render istio policy.json --url oci://registry.example.com/steerage:0.1.0 > steerage.yaml
  steerage render istio policy.json --url https://example.com/steerage.wasm --kind traffic-extension
  steerage render istio policy.json --url file:///steerage.wasm --selector app=edge --gateway edge/edge
  steerage render istio policy.json --url oci://registry.example.com/steerage:0.1.0 \
    --external openai=https://api.openai.com --image-pull-secret registry
  steerage render istio policy.json --url oci://registry.example.com/steerage:0.1.0 --retries router
  steerage render istio policy.json --url oci://registry.example.com/steerage:0.1.0 --target sidecar \
    --selector app=shop --host api.default.svc.cluster.local
  steerage render istio policy.json --url oci://registry.example.com/steerage:0.1.0 --target waypoint \
    --target-ref Service/api --host api.default.svc.cluster.local";
