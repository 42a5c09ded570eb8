//! How the cost of a request grows with what is configured and with what is under way: charts of [`series`].
//!
//! A Steerage for each case, at its defaults but for what is varied, and processor time a request as in [`cost`].
//! Cases take turns of half a second, so that a bad moment of the machine is one of all. Those with many requests
//! at a time are measured alone, ordered by how many: together they would have too many connections. Where bare
//! Envoy, too, costs more the more there is, it is measured beside.
//!
//! [`cost`]: crate::cost
//! [`series`]: crate::series

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::{Cluster, Envoy, repository};

use crate::arguments::Arguments;
use crate::cost::warm_up;
use crate::findings::{Failed, Findings};
use crate::load::{Client, Report};
use crate::machine::Machine;
use crate::plot::{self, Line, Plot};
use crate::series::{self, Base, Case, Series, names};
use crate::statistics::Spread;
use crate::table::Table;
use crate::turns::{self, Turns};
use crate::upstream::{Conduct, Server};

/// A case, and what a request took in each round: microseconds of processor time.
#[derive(Debug)]
struct Point<'a> {
    series: &'a Series,
    case: &'a Case,
    micros: Vec<f64>,
}

/// Measures all series.
pub(crate) async fn measure(arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    let servers = Server::four().await?;
    let all = series::all(arguments.check);
    let mut points: Vec<Point<'_>> = all
        .iter()
        .flat_map(|series| {
            series
                .cases
                .iter()
                .map(move |case| Point::new(series, case))
        })
        .collect();
    let mut wrong = Vec::new();
    let rounds = arguments.rounds.div_ceil(2);
    for round in 1..=rounds {
        for group in groups(&mut points) {
            wrong.extend(in_turns(group, round, &servers, arguments, machine).await?);
        }
        eprint!("\rscale: round {round} of {rounds} is over ");
    }
    eprintln!();
    if let Some(file) = &arguments.svg {
        let charts = plotted(&all, &points);
        std::fs::write(file, plot::svg("Processor time a request, µs", &charts))?;
    }
    Ok(Findings {
        tables: vec![table(&points)],
        json: json!({
            "part": "scale",
            "cases": points.iter().map(Point::to_json).collect::<Value>(),
        }),
        wrong,
    })
}

/// Those that are measured at the same time.
fn groups<'a, 'b>(points: &'b mut [Point<'a>]) -> Vec<Vec<&'b mut Point<'a>>> {
    let (mut alone, together): (Vec<_>, Vec<_>) =
        points.iter_mut().partition(|point| point.case.is_held());
    alone.sort_by_key(|point| point.case.number);
    let alone = alone.into_iter().map(|point| vec![point]);
    std::iter::once(together).chain(alone).collect()
}

/// Measures a group once; what must not be is returned.
async fn in_turns(
    mut group: Vec<&mut Point<'_>>,
    round: u32,
    servers: &[Server; 4],
    arguments: &Arguments,
    machine: &Machine,
) -> Result<Vec<String>, Failed> {
    let have = |conduct: &Conduct| {
        for server in servers {
            server.set(conduct.clone());
        }
    };
    have(&Conduct::Prompt);
    let addresses = servers.each_ref().map(Server::addr);
    let mut seats = Vec::new();
    for point in &group {
        seats.push(Seat::take(point.case, &addresses, arguments, machine).await?);
    }
    for (point, seat) in group.iter().zip(&mut seats) {
        have(&point.case.conduct);
        seat.fill(point.case).await;
    }
    let (lasting, order) = turns::order(seats.len(), round, arguments.during);
    for position in order {
        if let (Some(seat), Some(point)) = (seats.get_mut(position), group.get(position)) {
            seat.turn(lasting.max(2 * point.case.takes)).await?;
        }
    }
    let mut wrong = Vec::new();
    for (point, seat) in group.iter_mut().zip(seats) {
        if let Some(why) = seat.odd(point.case) {
            let (name, number) = (point.series.name, point.case.number);
            wrong.push(format!("{name} {number}: {why}"));
        }
        point.micros.push(seat.turns.cpu_micros());
    }
    Ok(wrong)
}

/// A proxy at work, and what came of its turns so far.
#[derive(Debug)]
struct Seat {
    envoy: Envoy,
    client: Client,
    turns: Turns,
}

impl Seat {
    async fn take(
        case: &Case,
        servers: &[SocketAddr; 4],
        arguments: &Arguments,
        machine: &Machine,
    ) -> Result<Self, Failed> {
        let envoy = start(case, servers, arguments, machine).await?;
        let mut client = Client::open(envoy.addr(), case.connections().min(16)).await?;
        warm_up(&mut client).await;
        Ok(Self {
            envoy,
            client,
            turns: Turns::default(),
        })
    }

    /// All requests are connected, and have their rhythm, when it is measured.
    async fn fill(&mut self, case: &Case) {
        self.client.widen(case.connections());
        self.client.closed(2 * case.takes).await;
    }

    async fn turn(&mut self, lasting: Duration) -> Result<(), Failed> {
        let before = self.envoy.cpu_time()?;
        self.turns.report.add(self.client.closed(lasting).await);
        self.turns.cpu += self.envoy.cpu_time()?.saturating_sub(before);
        Ok(())
    }

    /// What came beside the answers that should.
    fn odd(&self, case: &Case) -> Option<String> {
        let expected = match case.conduct {
            Conduct::Ill { .. } => 503,
            _ => 200,
        };
        let Report {
            statuses,
            first_error,
            ..
        } = &self.turns.report;
        let as_expected = statuses.get(&expected).copied();
        (as_expected != Some(self.turns.report.total())).then(|| {
            let error = first_error.as_deref().unwrap_or_default();
            format!("not all {expected}: {statuses:?} {error}")
        })
    }
}

async fn start(
    case: &Case,
    servers: &[SocketAddr; 4],
    arguments: &Arguments,
    machine: &Machine,
) -> Result<Envoy, Failed> {
    let shipped = repository().join("target/steerage.wasm");
    let module: &PathBuf = arguments.modules.first().unwrap_or(&shipped);
    let names = names(case.endpoints);
    let builder = Envoy::builder()
        .concurrency(case.workers)
        .pinned_to(machine.proxy.clone());
    // Envoy's own limits are lifted, and thousands of connections are made at once.
    let cluster = |name: String| {
        Cluster::new(name)
            .connect_timeout(Duration::from_secs(10))
            .max_connections(100_000)
            .max_pending_requests(100_000)
            .max_requests(100_000)
    };
    let mut builder = match &case.config {
        Some(config) => builder.wasm(module).config(config.clone()),
        // One cluster is not what is wanted: the whole route is replaced.
        None => builder.without_filter("").merge_manager(spreading(&names)),
    };
    for (name, addr) in names.into_iter().zip(servers.iter().cycle()) {
        builder = builder.cluster_with(cluster(name).host(*addr));
    }
    Ok(builder.start().await?)
}

/// Of bare Envoy's connection manager: spreads requests over these clusters as Steerage does.
fn spreading(clusters: &[String]) -> Value {
    let clusters = clusters
        .iter()
        .map(|name| json!({"name": name, "weight": 1}));
    let route = json!({
        "weighted_clusters": {"clusters": clusters.collect::<Value>()},
        "timeout": "0s",
    });
    let routes = json!([{"match": {"prefix": "/"}, "route": route}]);
    json!({"route_config": {
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    }})
}

impl<'a> Point<'a> {
    fn new(series: &'a Series, case: &'a Case) -> Self {
        Self {
            series,
            case,
            micros: Vec::new(),
        }
    }

    /// With which of these it is compared, and what that is called.
    fn base<'b>(&self, points: &'b [Self]) -> (Option<&'b Self>, String) {
        let (name, number, title) = match self.series.base {
            Base::At(number) => (self.series.name, number, number.to_string()),
            Base::Beside(name) => (name, self.case.number, "bare Envoy".to_owned()),
        };
        let is_it = |point: &&Self| point.series.name == name && point.case.number == number;
        (points.iter().find(is_it), title)
    }

    fn to_json(&self) -> Value {
        let (name, number) = (self.series.name, self.case.number);
        json!({"varied": name, "number": number, "cpu_us": self.micros})
    }
}

fn table(points: &[Point<'_>]) -> Table {
    let mut table = Table::new(
        "**How the cost grows**: processor time of the proxy a request, µs. Medians over the rounds, with the \
         least and the most; ratios within a round.",
        &["varied", "number", "µs a request", "ratio", "to"],
    );
    let shown = |spread: Option<Spread>, digits: usize| {
        spread.map_or_else(|| "–".to_owned(), |spread| format!("{spread:.digits$}"))
    };
    for point in points {
        let (base, to) = point.base(points);
        let ratio = base.and_then(|base| Spread::of_ratios(&point.micros, &base.micros));
        table.row(vec![
            point.series.name.to_owned(),
            format!("{} {}", point.case.number, point.series.of),
            shown(Spread::of(&point.micros), 1),
            shown(ratio, 2),
            to,
        ]);
    }
    table
}

/// A chart for all series that count the same.
fn plotted(series: &[Series], points: &[Point<'_>]) -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    for series in series {
        let of_series = points
            .iter()
            .filter(|point| point.series.name == series.name);
        let medians = of_series.filter_map(|point| {
            let median = Spread::of(&point.micros)?.median;
            Some((f64::from(point.case.number), median))
        });
        let line = Line {
            name: series.name.to_owned(),
            points: medians.collect(),
        };
        match plots.iter_mut().find(|plot| plot.title == series.of) {
            Some(plot) => plot.lines.push(line),
            None => plots.push(Plot {
                title: series.of.to_owned(),
                lines: vec![line],
            }),
        }
    }
    plots
}
