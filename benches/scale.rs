//! How the cost of a request grows with what is configured and with what is under way.
//!
//! One Steerage at a time, at its defaults but for what is varied, and processor time a request as in
//! [`cost`](crate::cost). Each line is measured once in every round, so that a bad moment of the machine is one
//! value of many.
//!
//! | varied | what a request sees |
//! |---|---|
//! | endpoints | 2 to 200 clusters in one pool, by `round_robin` and `least_response_time` |
//! | pools | the request belongs to the last of 1 to 100 |
//! | under way | so many requests at a time, whose answers take long enough for about 5,000 a second |
//! | retries | so many requests at a time wait for their second attempt, after both endpoints answer 503 |
//! | workers | 1 to 4, which share the proxy's processor: what more of them cost, not what they gain |

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::{Envoy, repository};

use crate::arguments::Arguments;
use crate::cost::warm_up;
use crate::load::Client;
use crate::machine::Machine;
use crate::plot::{Line, Plot};
use crate::statistics::{Spread, count};
use crate::table::Table;
use crate::upstream::{Conduct, Server};
use crate::{Failed, Findings};

/// What is varied, from the least to the most.
#[derive(Clone, Debug)]
struct Series {
    name: &'static str,
    /// What the numbers count.
    of: &'static str,
    cases: Vec<Case>,
}

/// A point of a series.
#[derive(Clone, Debug)]
struct Case {
    number: u32,
    endpoints: u32,
    /// The filter's configuration.
    config: String,
    workers: u32,
    connections: u32,
    conduct: Conduct,
    /// How long a request takes.
    takes: Duration,
}

impl Case {
    fn new(number: u32) -> Self {
        Self {
            number,
            endpoints: 4,
            config: pool(4, "round_robin"),
            workers: 1,
            connections: 16,
            conduct: Conduct::Prompt,
            takes: Duration::ZERO,
        }
    }
}

/// Measures all series.
pub(crate) async fn measure(arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    let servers = Server::four().await?;
    let series = all_series(arguments.check);
    let mut figures: Vec<Vec<Vec<f64>>> = series
        .iter()
        .map(|series| vec![Vec::new(); series.cases.len()])
        .collect();
    let mut wrong = Vec::new();
    let rounds = arguments.rounds.div_ceil(2);
    for round in 1..=rounds {
        for (series, figures) in series.iter().zip(&mut figures) {
            for (case, values) in series.cases.iter().zip(figures) {
                match cost(case, &servers, arguments, machine).await {
                    Ok(micros) => values.push(micros),
                    Err(failed) => wrong.push(format!("{} {}: {failed}", series.name, case.number)),
                }
            }
        }
        eprint!("\rscale: round {round} of {rounds} is over ");
    }
    eprintln!();
    let plot = plotted(&series, &figures);
    if let Some(file) = &arguments.svg {
        std::fs::write(file, plot.svg())?;
    }
    Ok(findings(&series, &figures, wrong))
}

fn all_series(check: bool) -> Vec<Series> {
    let upto = |most: u32, numbers: &[u32]| -> Vec<u32> {
        let most = if check { most.min(100) } else { most };
        numbers.iter().copied().filter(|&n| n <= most).collect()
    };
    let series = |name, of, numbers: &[u32], case: &dyn Fn(u32) -> Case| Series {
        name,
        of,
        cases: upto(10_000, numbers).into_iter().map(case).collect(),
    };
    let by = |strategy: &'static str| {
        move |number| Case {
            endpoints: number,
            config: pool(number, strategy),
            ..Case::new(number)
        }
    };
    vec![
        series(
            "round_robin",
            "endpoints",
            &[2, 4, 20, 200],
            &by("round_robin"),
        ),
        series(
            "least_response_time",
            "endpoints",
            &[2, 4, 20, 200],
            &by("least_response_time"),
        ),
        series("pools", "pools", &[1, 10, 100], &|number| Case {
            config: pools(number),
            ..Case::new(number)
        }),
        series("under way", "requests", MANY, &|number| {
            let takes = Duration::from_micros(200) * number;
            Case {
                connections: number,
                conduct: Conduct::Slow(takes),
                takes,
                ..Case::new(number)
            }
        }),
        series("waiting retries", "requests", MANY, &|number| {
            let takes = Duration::from_micros(400) * number;
            Case {
                endpoints: 2,
                config: retrying(takes),
                connections: number,
                conduct: Conduct::Ill {
                    after: Duration::ZERO,
                    failures: 10,
                },
                takes,
                ..Case::new(number)
            }
        }),
        series("workers", "workers", &[1, 2, 4], &|number| Case {
            workers: number,
            ..Case::new(number)
        }),
    ]
}

fn names(endpoints: u32) -> Vec<String> {
    (0..endpoints).map(|number| format!("c{number}")).collect()
}

/// A pool whose endpoints take as much as comes.
fn pool(endpoints: u32, strategy: &str) -> String {
    json!({
        "endpoints": names(endpoints),
        "load_balancer": {"strategy": strategy},
        "max_connections": 10_000,
    })
    .to_string()
}

/// The last of them takes all.
fn pools(number: u32) -> String {
    let pool = |n: u32| {
        let path = if n == number {
            "/".to_owned()
        } else {
            format!("/service-{n}/")
        };
        json!({"name": format!("p{n}"), "match": {"prefix": path}, "endpoints": names(4)})
    };
    let pools: Vec<Value> = (1..=number).map(pool).collect();
    json!({"pools": pools}).to_string()
}

/// Every request is tried twice, with this delay, whatever comes.
fn retrying(delay: Duration) -> String {
    let never = json!({"failure_threshold": 1_000_000, "minimum_requests": 1_000_000});
    json!({
        "endpoints": names(2),
        "retry_policy": {
            "max_attempts": 2,
            "strategy": "fixed",
            "base_delay": delay.as_secs_f64().max(0.001),
            "jitter": "none",
            "budget": false,
        },
        "circuit_breaker": never,
        "max_connections": 10_000,
    })
    .to_string()
}

/// Microseconds of processor time a request.
async fn cost(
    case: &Case,
    servers: &[Server; 4],
    arguments: &Arguments,
    machine: &Machine,
) -> Result<f64, Failed> {
    for server in servers {
        server.set(Conduct::Prompt);
    }
    let addresses = servers.each_ref().map(Server::addr);
    let envoy = start(case, &addresses, arguments, machine).await?;
    let connections = usize::try_from(case.connections).unwrap_or(1);
    let mut client = Client::open(envoy.addr(), connections.min(16)).await?;
    warm_up(&mut client).await;
    for server in servers {
        server.set(case.conduct.clone());
    }
    client.widen(connections);
    // All of them are connected, and have their rhythm, when it is measured.
    client.closed(2 * case.takes).await;
    let lasting = arguments.during.max(2 * case.takes);
    let before = envoy.cpu_time()?;
    let report = client.closed(lasting).await;
    let spent = envoy.cpu_time()?.saturating_sub(before);
    let expected = match case.conduct {
        Conduct::Ill { .. } => 503,
        _ => 200,
    };
    let as_expected = report.statuses.get(&expected).copied();
    if as_expected != Some(report.total()) {
        let why = report.first_error.unwrap_or_default();
        let statuses = &report.statuses;
        return Err(Failed::new(format!(
            "not all {expected}: {statuses:?} {why}"
        )));
    }
    Ok(spent.as_secs_f64() * 1e6 / count(report.total()))
}

async fn start(
    case: &Case,
    servers: &[SocketAddr; 4],
    arguments: &Arguments,
    machine: &Machine,
) -> Result<Envoy, Failed> {
    let shipped = repository().join("target/steerage.wasm");
    let module: &PathBuf = arguments.modules.first().unwrap_or(&shipped);
    let mut builder = Envoy::builder()
        .wasm(module)
        .concurrency(case.workers)
        .pinned_to(machine.proxy.clone())
        .config(case.config.clone());
    for (name, addr) in names(case.endpoints)
        .into_iter()
        .zip(servers.iter().cycle())
    {
        let lifted = steerage_harness::Cluster::new(name)
            .host(*addr)
            .max_connections(100_000)
            .max_pending_requests(100_000)
            .max_requests(100_000);
        builder = builder.cluster_with(lifted);
    }
    Ok(builder.start().await?)
}

fn plotted(series: &[Series], figures: &[Vec<Vec<f64>>]) -> Plot {
    let mut plot = Plot::new("Processor time a request, µs", "how many");
    for (series, figures) in series.iter().zip(figures) {
        let points = series
            .cases
            .iter()
            .zip(figures)
            .filter_map(|(case, values)| {
                Some((f64::from(case.number), Spread::of(values)?.median))
            });
        plot.line(Line {
            name: match series.name == series.of {
                true => series.name.to_owned(),
                false => format!("{}: {}", series.name, series.of),
            },
            points: points.collect(),
        });
    }
    plot
}

fn findings(series: &[Series], figures: &[Vec<Vec<f64>>], wrong: Vec<String>) -> Findings {
    let mut table = Table::new(
        "**How the cost grows**: processor time of the proxy a request, µs.",
        &["varied", "number", "µs a request"],
    );
    let mut all = Vec::new();
    for (series, figures) in series.iter().zip(figures) {
        for (case, values) in series.cases.iter().zip(figures) {
            let spread = Spread::of(values);
            table.row(vec![
                series.name.to_owned(),
                format!("{} {}", case.number, series.of),
                spread.map_or_else(|| "–".to_owned(), |spread| format!("{spread:.1}")),
            ]);
            all.push(json!({"varied": series.name, "number": case.number, "cpu_us": values}));
        }
    }
    Findings {
        tables: vec![table],
        json: json!({"part": "scale", "cases": all}),
        wrong,
    }
}

/// Up to what a process with 20,000 open files can have under way.
const MANY: &[u32] = &[1, 100, 1_000, 9_000];
