//! The commands, their arguments and their help.

mod istio;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use istio::{IstioKind, IstioRouting, IstioTarget, RenderIstio, Retries};
pub(crate) use values::{Address, External};

use values::{address, external, host_and_port, kubernetes_name, rate, sha256, span};

/// Checks and explains configurations of Steerage, the Envoy filter
#[derive(Debug, Parser)]
#[command(name = "steerage", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(Check),
    Delays(Delays),
    Size(Size),
    /// Write what deploys a configuration
    Render {
        #[command(subcommand)]
        target: Box<Target>,
    },
    Import(Import),
    Schema(Schema),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(after_help = MAN)]
    Man {
        /// Where the pages go; without it the program's own is printed
        folder: Option<PathBuf>,
    },
}

/// Find what is wrong with configurations, and with what stands around them
///
/// A file is a configuration as JSON, or what has one in it: an Envoy's configuration, a
/// WasmPlugin, TrafficExtension, EnvoyFilter or EnvoyExtensionPolicy, or values of a chart; YAML or
/// JSON, one document or several. Of a folder all such files are checked, together with the routes
/// and clusters in them.
///
/// The filter refuses a configuration with errors. A warning is about a configuration that it
/// accepts, and that probably does something else than expected.
#[derive(Debug, Args)]
#[command(after_help = CHECK)]
pub(crate) struct Check {
    /// Files or folders; `-` for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Whether warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
}

/// Show the delays before the retries of each pool
///
/// Delays are those of the filter, before jitter, their range with it, and an exchange drawn by
/// chance. The time in which attempts are answered is not part of them.
#[derive(Debug, Args)]
#[command(after_help = DELAYS)]
pub(crate) struct Delays {
    /// The configuration, as JSON; `-` for the standard input
    pub(crate) file: PathBuf,
    /// Attempts in total, in place of the configuration's max_attempts
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(crate) attempts: Option<u8>,
    /// What the drawn delays follow from: the same seed gives the same delays
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Find the connections that a load needs, by Little's law
///
/// Requests under way = requests a second × response time. A fifth is added for what is uneven.
#[derive(Debug, Args)]
#[command(after_help = SIZE)]
pub(crate) struct Size {
    /// Requests a second, of all endpoints together
    #[arg(long, value_parser = rate)]
    pub(crate) rps: f64,
    /// How long they take on average: 500ms, 0.5s, 0.5
    #[arg(long, value_parser = span)]
    pub(crate) response_time: Duration,
    /// How many endpoints share the requests
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) endpoints: u16,
    /// Most connections to an endpoint
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What is to be rendered.
#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    Envoy(RenderEnvoy),
    Istio(RenderIstio),
    Gateway(RenderGateway),
}

/// A configuration of Envoy: listener, route, filter, and clusters with their limits
#[derive(Debug, Args)]
#[command(after_help = RENDER_ENVOY)]
pub(crate) struct RenderEnvoy {
    /// The configuration, as JSON; `-` for the standard input
    pub(crate) file: PathBuf,
    /// Where Envoy finds the module
    #[arg(long, default_value = "target/steerage.wasm")]
    pub(crate) wasm: String,
    /// Where the servers of a cluster are; for several clusters several times
    #[arg(long, value_name = "CLUSTER=HOST:PORT", value_parser = address)]
    pub(crate) address: Vec<Address>,
    /// A server that a cluster is, with TLS for https; for several clusters several times
    #[arg(long, value_name = "CLUSTER=https://HOST", value_parser = external)]
    pub(crate) external: Vec<External>,
    /// Where Envoy listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:10000", value_parser = host_and_port)]
    pub(crate) listen: (String, u16),
    /// Where the admin surface listens, if the configuration has one beside pools
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:10001", value_parser = host_and_port)]
    pub(crate) admin_listen: (String, u16),
}

/// Resources for Envoy Gateway: the extension, a rule for each cluster, and the clusters' limits
///
/// The endpoints are services of Kubernetes. Their clusters get the names that the gateway gives
/// them.
#[derive(Debug, Args)]
#[command(after_help = RENDER_GATEWAY)]
pub(crate) struct RenderGateway {
    /// The configuration, as JSON; `-` for the standard input
    pub(crate) file: PathBuf,
    /// Where the gateway finds the module: oci://, https:// or http://
    #[arg(long)]
    pub(crate) url: String,
    /// The module's checksum, in hexadecimal
    #[arg(long, value_parser = sha256)]
    pub(crate) sha256: Option<String>,
    /// The secret with which the image is fetched
    #[arg(long, value_name = "NAME", value_parser = kubernetes_name)]
    pub(crate) image_pull_secret: Option<String>,
    /// The service behind a cluster; by default the one with the cluster's name, port 80
    #[arg(long, value_name = "CLUSTER=SERVICE:PORT", value_parser = address)]
    pub(crate) backend: Vec<Address>,
    /// A server outside of Kubernetes that a cluster is, with TLS for https
    #[arg(long, value_name = "CLUSTER=https://HOST", value_parser = external)]
    pub(crate) external: Vec<External>,
    /// The hosts of the route; by default those that the pools match, or all
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// Whether the route takes all paths, also those that no pool takes
    #[arg(long)]
    pub(crate) catch_all: bool,
    /// What the resources are called
    #[arg(long, default_value = "steerage", value_parser = kubernetes_name)]
    pub(crate) name: String,
    /// The namespace of the resources, the services and the gateway
    #[arg(long, default_value = "default", value_parser = kubernetes_name)]
    pub(crate) namespace: String,
    /// The Gateway of the route
    #[arg(long, default_value = "eg", value_parser = kubernetes_name)]
    pub(crate) gateway: String,
}

/// Make a configuration of what others are configured with
///
/// Files may be Envoy's configuration (routes with retry policies, outlier detection), Istio's
/// VirtualServices and DestinationRules, an Envoy Gateway's BackendTrafficPolicies with HTTPRoutes,
/// nginx's upstreams, or Resilience4j's YAML. The configuration goes to the standard output, and a
/// comment for each thing that has no equal to the standard error output.
#[derive(Debug, Args)]
#[command(after_help = IMPORT)]
pub(crate) struct Import {
    /// Files; `-` for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Print the JSON Schema of configurations, or their reference
#[derive(Debug, Args)]
#[command(after_help = SCHEMA)]
pub(crate) struct Schema {
    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: SchemaFormat,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For code scanning and editors
    Sarif,
    /// For workflows of GitHub: remarks beside the lines
    Github,
}

/// How the schema is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// JSON Schema, draft 2020-12
    #[default]
    Json,
    /// Tables for people
    Markdown,
}

/// The script for `shell`.
pub(crate) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "steerage", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

const EXAMPLES: &str = "\
Examples:
  steerage check policy.json
  steerage delays policy.json --attempts 6
  steerage size --rps 100 --response-time 500ms
  steerage render envoy policy.json > envoy.yaml
  steerage schema > schema.json

Exit codes:
  0  all is well
  1  the configuration is refused, or has warnings and --strict is given
  2  the command could not be carried out: wrong arguments, a file that cannot be read,
     output that cannot be written";

const CHECK: &str = "\
Examples:
  steerage check policy.json
  steerage check envoy.yaml
  steerage check --format github deploy/
  helm template chart | steerage check --strict -

Exit codes:
  0  all of it works
  1  the filter refuses a configuration, or no request can succeed; or, with --strict, there are warnings
  2  a file cannot be read, or there is no configuration in it";

const DELAYS: &str = "\
Examples:
  steerage delays policy.json
  steerage delays policy.json --attempts 10 --seed 7
  steerage delays policy.json --format json";

const SIZE: &str = "\
Examples:
  steerage size --rps 100 --response-time 500ms
  steerage size --rps 1200 --response-time 0.08 --endpoints 3 --max-connections 200";

const RENDER_ENVOY: &str = "\
Examples:
  steerage render envoy policy.json > envoy.yaml
  steerage render envoy policy.json --address east=10.0.1.7:8080 --address west=west.example.com:80
  steerage render envoy policy.json --external openai=https://api.openai.com
  envoy --mode validate --config-yaml \"$(steerage render envoy policy.json)\"";

const RENDER_GATEWAY: &str = "\
Examples:
  steerage render gateway policy.json --url oci://registry.example.com/steerage:0.1.0 > steerage.yaml
  steerage render gateway policy.json --url https://example.com/steerage.wasm --backend east=api-east:8080
  steerage render gateway policy.json --url oci://registry.example.com/steerage:0.1.0 \
    --external openai=https://api.openai.com";

const IMPORT: &str = "\
Examples:
  steerage import envoy.yaml > policy.json
  steerage import virtual-service.yaml destination-rule.yaml > policy.json
  steerage import nginx.conf > policy.json 2> comments.txt
  steerage import application.yml | steerage check -

Exit codes:
  0  there is a configuration
  1  what was made would be refused by the filter: the comments say why
  2  a file cannot be read, or there is nothing in it to import";

const SCHEMA: &str = "\
Examples:
  steerage schema > schema.json
  steerage schema --format markdown > configuration.md

An editor that knows the schema completes and checks a configuration while it is written.";

const COMPLETIONS: &str = "\
Examples:
  steerage completions bash > /etc/bash_completion.d/steerage
  steerage completions fish > ~/.config/fish/completions/steerage.fish";

const MAN: &str = "\
Examples:
  steerage man | man -l -
  steerage man /usr/local/share/man/man1";
