//! What a request costs: processor time of the proxy, throughput, latency; and what it takes to start.
//!
//! A round starts every contender anew, warms it up, and then lets them take turns of half a second: first as
//! much as goes through 16 connections, then a fixed load, half of what bare Envoy can do. A processor that is
//! slow for a second is so for all.
//!
//! **Processor time** is the scheduler's account of the proxy's process, before and after each turn, over the
//! requests of the turn. It counts neither the time of others on the machine nor waiting, so it is the figure to
//! compare. It is that of a busy proxy, which reads many requests at each look at its sockets: at half the load a
//! request costs more, for all of them.
//!
//! **Latency** includes the client and the servers; what differs between two lines is the proxy's.
//!
//! Before the first figures each contender answers 20,000 requests: V8 then has compiled what is hot, connections
//! are open, and the histograms of the statistics have their memory.

use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind, Running, contenders};
use crate::findings::{Failed, Findings};
use crate::load::Client;
use crate::machine::Machine;
use crate::statistics::{Spread, count, percentile};
use crate::table::Table;
use crate::turns::{self, TURN, Turns};
use crate::upstream::Server;

/// Measures all contenders.
pub(crate) async fn measure(arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    let servers = Server::four().await?;
    let addresses = servers.each_ref().map(Server::addr);
    let contenders = contenders(&arguments.kinds, &arguments.modules);
    let mut figures = vec![Figures::default(); contenders.len()];
    let mut rate = arguments.rate;
    for round in 1..=arguments.rounds {
        let mut seats = Vec::new();
        for contender in &contenders {
            seats.push(Seat::take(contender, &addresses, machine).await?);
        }
        for seat in &mut seats {
            warm_up(&mut seat.client).await;
        }
        let rate = match rate {
            Some(rate) => rate,
            None => *rate.insert(half_of_what_goes_through(&mut seats).await),
        };
        take_turns(&mut seats, round, arguments.during, rate).await?;
        for (seat, figures) in seats.iter().zip(&mut figures) {
            figures.add(seat)?;
        }
        eprint!("\rround {round} of {} is over ", arguments.rounds);
    }
    eprintln!();
    let rate = rate.unwrap_or_default();
    Ok(findings(&contenders, &figures, rate, arguments.check))
}

/// A contender at work, and what came of its turns so far.
#[derive(Debug)]
struct Seat {
    running: Running,
    client: Client,
    /// To its first answer, with all processors.
    starts_in: Duration,
    busy: Turns,
    steady: Turns,
}

impl Seat {
    async fn take(
        contender: &Contender,
        servers: &[SocketAddr; 4],
        machine: &Machine,
    ) -> Result<Self, Failed> {
        let starts_in = contender.start(servers, &machine.all).await?.started_in;
        let running = contender.start(servers, &machine.proxy).await?;
        let client = Client::open(running.addr, CONNECTIONS).await?;
        Ok(Self {
            running,
            client,
            starts_in,
            busy: Turns::default(),
            steady: Turns::default(),
        })
    }

    async fn turn(&mut self, rate: Option<f64>, lasting: Duration) -> Result<(), Failed> {
        let before = self.running.process.cpu_time()?;
        let (report, turns) = match rate {
            None => (self.client.closed(lasting).await, &mut self.busy),
            Some(rate) => (self.client.open_loop(rate, lasting).await, &mut self.steady),
        };
        turns.cpu += self.running.process.cpu_time()?.saturating_sub(before);
        turns.report.add(report);
        Ok(())
    }
}

/// Requests until V8 has compiled what is hot, which it does by how often it was run; with a limit for a machine
/// that is too busy.
pub(crate) async fn warm_up(client: &mut Client) {
    let mut answered = 0;
    let mut steps = 0..40;
    while answered < WARM && steps.next().is_some() {
        answered += client.closed(Duration::from_millis(250)).await.total();
    }
}

/// The load that is offered to all: half of what the first of them can do, rounded to hundreds.
async fn half_of_what_goes_through(seats: &mut [Seat]) -> f64 {
    let Some(first) = seats.first_mut() else {
        return 0.0;
    };
    let report = first.client.closed(2 * TURN).await;
    let most = count(report.total()) / report.elapsed.as_secs_f64();
    ((most / 200.0).round() * 100.0).max(100.0)
}

/// Every contender has its turns under each load.
async fn take_turns(
    seats: &mut [Seat],
    round: u32,
    during: Duration,
    rate: f64,
) -> Result<(), Failed> {
    for load in [None, Some(rate)] {
        let (lasting, order) = turns::order(seats.len(), round, during);
        for position in order {
            if let Some(seat) = seats.get_mut(position) {
                seat.turn(load, lasting).await?;
            }
        }
    }
    Ok(())
}

/// Of one contender, a value for each round.
#[derive(Clone, Debug, Default)]
struct Figures {
    cpu: Vec<f64>,
    cpu_steady: Vec<f64>,
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    start_ms: Vec<f64>,
    start_alone_ms: Vec<f64>,
    memory_mib: Vec<f64>,
    requests: u64,
    good: u64,
    error: Option<String>,
}

impl Figures {
    fn add(&mut self, seat: &Seat) -> Result<(), Failed> {
        self.cpu.push(seat.busy.cpu_micros());
        self.cpu_steady.push(seat.steady.cpu_micros());
        self.per_second.push(seat.busy.per_second());
        let mut latencies = seat.steady.report.latencies.clone();
        latencies.sort_unstable();
        let micros = |percent| count(percentile(&latencies, percent)) / 1e3;
        self.p50.push(micros(50.0));
        self.p99.push(micros(99.0));
        self.p999.push(micros(99.9));
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        self.start_ms.push(millis(seat.starts_in));
        self.start_alone_ms.push(millis(seat.running.started_in));
        let memory = seat.running.process.rss_kib()?;
        self.memory_mib.push(count(memory) / 1024.0);
        for turns in [&seat.busy, &seat.steady] {
            self.requests += turns.report.total();
            self.good += turns.report.good();
            let error = turns.report.first_error.as_ref();
            self.error = self.error.take().or_else(|| error.cloned());
        }
        Ok(())
    }

    fn to_json(&self, name: &str) -> Value {
        json!({
            "contender": name,
            "cpu_us": self.cpu,
            "cpu_us_at_fixed_load": self.cpu_steady,
            "requests_per_second": self.per_second,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "p999_us": self.p999,
            "start_ms": self.start_ms,
            "start_on_one_processor_ms": self.start_alone_ms,
            "memory_mib": self.memory_mib,
            "requests": self.requests,
            "good": self.good,
        })
    }
}

fn findings(contenders: &[Contender], figures: &[Figures], rate: f64, check: bool) -> Findings {
    let base = |kind: Kind| {
        let mut pairs = contenders.iter().zip(figures);
        pairs.find_map(|(contender, figures)| (contender.kind == kind).then_some(figures))
    };
    let (bare, noop, steerage) = (base(Kind::Bare), base(Kind::Noop), base(Kind::Steerage));
    let mut busy = Table::new(
        "**What a request costs**: processor time of the proxy, with as much as goes through 16 connections. \
         Medians over the rounds, with the least and the most; ratios within a round.",
        &[
            "contender",
            "µs a request",
            "of bare",
            "of no-op",
            "of Steerage",
            "requests/s",
        ],
    );
    let mut steady = Table::new(
        format!(
            "**How long it takes** at {rate:.0} requests/s, measured from when a request was due; and what it \
             takes to run."
        ),
        &[
            "contender",
            "µs a request",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "start ms",
            "on one CPU",
            "MiB",
        ],
    );
    let mut wrong = Vec::new();
    for (contender, figures) in contenders.iter().zip(figures) {
        let name = || contender.name.clone();
        let ratio = |base: Option<&Figures>| {
            let spread = base.and_then(|base| Spread::of_ratios(&figures.cpu, &base.cpu));
            spread.map_or_else(|| "–".to_owned(), |spread| format!("{spread:.2}"))
        };
        let shown = |values: &[f64], digits: usize| {
            Spread::of(values).map_or_else(String::new, |spread| format!("{spread:.digits$}"))
        };
        let median = |values: &[f64]| {
            Spread::of(values).map_or_else(String::new, |spread| format!("{:.0}", spread.median))
        };
        busy.row(vec![
            name(),
            shown(&figures.cpu, 1),
            ratio(bare),
            ratio(noop),
            ratio(steerage),
            median(&figures.per_second),
        ]);
        steady.row(vec![
            name(),
            shown(&figures.cpu_steady, 1),
            shown(&figures.p50, 0),
            shown(&figures.p99, 0),
            shown(&figures.p999, 0),
            median(&figures.start_ms),
            median(&figures.start_alone_ms),
            median(&figures.memory_mib),
        ]);
        if figures.good != figures.requests {
            wrong.push(format!(
                "{}: {} of {} requests were not answered with 200 ({})",
                contender.name,
                figures.requests - figures.good,
                figures.requests,
                figures.error.as_deref().unwrap_or("another status"),
            ));
        }
    }
    if let (Some(bare), true) = (bare, check) {
        for (contender, figures) in contenders.iter().zip(figures) {
            let ratio = Spread::of_ratios(&figures.cpu, &bare.cpu).map_or(0.0, |all| all.median);
            // Nobody costs three times bare Envoy, and nobody nothing.
            if !(0.05..3.0).contains(&ratio) {
                wrong.push(format!("{}: {ratio:.2} of bare Envoy", contender.name));
            }
        }
    }
    let all = contenders.iter().zip(figures);
    Findings {
        tables: vec![busy, steady],
        json: json!({
            "part": "cost",
            "fixed_load": rate,
            "contenders": all.map(|(one, figures)| figures.to_json(&one.name)).collect::<Value>(),
        }),
        wrong,
    }
}

/// As many as an ordinary client of a proxy keeps.
const CONNECTIONS: usize = 16;

/// Requests before the first figures.
const WARM: u64 = 20_000;
