//! What clients see of it when one of four clusters falls ill.
//!
//! All contenders run at the same time, each with servers of its own, under 200 requests a second each, measured
//! from when they were due. For 4 s all servers answer in 20 ms. Then the first one falls ill, and its health checks
//! fare like its requests. The first 2 s of that are shown apart, because nobody can know before it has seen. The
//! following 10 s are the illness as clients live with it. There are two:
//!
//! - a brown-out: it takes 400 ms, and answers three of ten requests with 503;
//! - quick failures: it answers after 1 ms, half of the time with 503. To a balancer that looks for the one with
//!   the least under way, or the quickest, it is the best of all.
//!
//! **Wasted** is the share of attempts that went to the ill server. **Extra** is how many more attempts there were
//! than requests: retries, hedges.
//!
//! What is compared is what each would be given for such a service. Envoy's weighted clusters choose the cluster
//! of a retry anew, and its outlier detection cannot eject the only host of a cluster to any effect; where all
//! servers may be hosts of one cluster, it can.

use std::time::Duration;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind, contenders};
use crate::findings::{Failed, Findings};
use crate::load::{Client, Report};
use crate::machine::Machine;
use crate::statistics::{Spread, count, percentile};
use crate::table::Table;
use crate::upstream::{Conduct, Server};

/// Measures those that can retry.
pub(crate) async fn measure(arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    let cast = cast(arguments);
    let stages = Stages::of(arguments.check);
    let mut findings = Findings {
        tables: Vec::new(),
        json: json!({"part": "quality", "illnesses": []}),
        wrong: Vec::new(),
    };
    let rounds = arguments.rounds.div_ceil(2);
    for illness in ILLNESSES {
        let mut figures = vec![Figures::default(); cast.len()];
        for round in 1..=rounds {
            let mut played = JoinSet::new();
            for (position, contender) in cast.iter().cloned().enumerate() {
                let processor = machine.proxy.clone();
                played.spawn(async move {
                    let result = play(&contender, &processor, illness, stages).await;
                    (position, result)
                });
            }
            for (position, result) in played.join_all().await {
                if let Some(figures) = figures.get_mut(position) {
                    figures.add(result?);
                }
            }
            eprint!("\r{}: round {round} of {rounds} is over ", illness.name);
        }
        eprintln!();
        report(illness, &cast, &figures, &mut findings);
    }
    Ok(findings)
}

/// What befalls the first of the servers.
#[derive(Clone, Copy, Debug)]
struct Illness {
    name: &'static str,
    symptoms: &'static str,
    after: Duration,
    /// Of ten.
    failures: u64,
}

const ILLNESSES: [Illness; 2] = [
    Illness {
        name: "brown-out",
        symptoms: "takes 400 ms in place of 20, and fails three requests of ten",
        after: Duration::from_millis(400),
        failures: 3,
    },
    Illness {
        name: "quick failures",
        symptoms: "fails five requests of ten, and takes 1 ms in place of 20",
        after: Duration::from_millis(1),
        failures: 5,
    },
];

/// Who takes part, and with what.
fn cast(arguments: &Arguments) -> Vec<Contender> {
    let able = [
        Kind::Native,
        Kind::NativeOneCluster,
        Kind::Steerage,
        Kind::Nginx,
        Kind::Haproxy,
    ];
    let kinds: Vec<Kind> = arguments
        .kinds
        .iter()
        .copied()
        .filter(|kind| able.contains(kind))
        .collect();
    let mut cast = Vec::new();
    for contender in contenders(&kinds, &arguments.modules) {
        if contender.kind == Kind::Steerage {
            let mut by_speed = contender.clone().replacing(
                r#"["a", "b", "c", "d"]"#,
                r#"["a", "b", "c", "d"], "load_balancer": {"strategy": "least_response_time"}"#,
            );
            by_speed.name = contender.name.replace("default", BY_SPEED);
            cast.push(by_speed);
        }
        cast.push(contender);
    }
    cast
}

/// How long each part of the play lasts.
#[derive(Clone, Copy, Debug)]
struct Stages {
    healthy: Duration,
    onset: Duration,
    ill: Duration,
}

impl Stages {
    fn of(check: bool) -> Self {
        let seconds = Duration::from_secs;
        match check {
            true => Self {
                healthy: seconds(2),
                onset: seconds(2),
                ill: seconds(3),
            },
            false => Self {
                healthy: seconds(4),
                onset: seconds(2),
                ill: seconds(10),
            },
        }
    }
}

/// A stage as clients and servers saw it.
#[derive(Debug)]
struct Stage {
    report: Report,
    attempts: u64,
    at_the_ill: u64,
}

async fn play(
    contender: &Contender,
    processor: &str,
    illness: Illness,
    stages: Stages,
) -> Result<[Stage; 3], Failed> {
    let servers = Server::four().await?;
    let running = contender
        .start(&servers.each_ref().map(Server::addr), processor)
        .await?;
    let mut client = Client::open(running.addr, CONNECTIONS).await?;
    for server in &servers {
        server.set(Conduct::Slow(USUAL));
    }
    // The clusters have to be known before any comparison of the healthy.
    client.open_loop(RATE, Duration::from_secs(1)).await;
    let healthy = stage(&mut client, &servers, stages.healthy).await;
    if let Some(first) = servers.first() {
        first.set(Conduct::Ill {
            after: illness.after,
            failures: illness.failures,
        });
    }
    let onset = stage(&mut client, &servers, stages.onset).await;
    let ill = stage(&mut client, &servers, stages.ill).await;
    Ok([healthy, onset, ill])
}

async fn stage(client: &mut Client, servers: &[Server; 4], lasting: Duration) -> Stage {
    for server in servers {
        server.take_requests();
    }
    let report = client.open_loop(RATE, lasting).await;
    let attempts: Vec<u64> = servers.iter().map(Server::take_requests).collect();
    Stage {
        report,
        attempts: attempts.iter().sum(),
        at_the_ill: attempts.first().copied().unwrap_or_default(),
    }
}

/// Of one contender, a value for each round.
#[derive(Clone, Debug, Default)]
struct Figures {
    success: Vec<f64>,
    healthy_p99: Vec<f64>,
    onset_p99: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    wasted: Vec<f64>,
    extra: Vec<f64>,
}

impl Figures {
    fn add(&mut self, [healthy, onset, ill]: [Stage; 3]) {
        let millis = |report: &Report, percent| {
            let mut latencies = report.latencies.clone();
            latencies.sort_unstable();
            count(percentile(&latencies, percent)) / 1e6
        };
        self.healthy_p99.push(millis(&healthy.report, 99.0));
        self.onset_p99.push(millis(&onset.report, 99.0));
        self.p50.push(millis(&ill.report, 50.0));
        self.p99.push(millis(&ill.report, 99.0));
        // Whoever fails at the beginning has failed.
        let good = onset.report.good() + ill.report.good();
        let total = onset.report.total() + ill.report.total();
        self.success.push(100.0 * count(good) / count(total));
        let percent = |part: u64, whole: u64| 100.0 * count(part) / count(whole);
        self.wasted.push(percent(ill.at_the_ill, ill.attempts));
        let attempts = percent(ill.attempts, ill.report.total());
        self.extra.push(attempts - 100.0);
    }

    fn to_json(&self, name: &str) -> Value {
        json!({
            "contender": name,
            "success_percent": self.success,
            "healthy_p99_ms": self.healthy_p99,
            "onset_p99_ms": self.onset_p99,
            "p50_ms": self.p50,
            "p99_ms": self.p99,
            "wasted_percent": self.wasted,
            "extra_percent": self.extra,
        })
    }
}

fn report(illness: Illness, cast: &[Contender], figures: &[Figures], findings: &mut Findings) {
    let mut table = Table::new(
        format!(
            "**{}**: one of four servers {}.",
            illness.name, illness.symptoms
        ),
        &[
            "contender",
            "success %",
            "healthy p99 ms",
            "first 2 s p99",
            "then p50",
            "then p99",
            "wasted %",
            "extra %",
        ],
    );
    for (contender, figures) in cast.iter().zip(figures) {
        let median = |values: &[f64]| Spread::of(values).map_or(f64::NAN, |spread| spread.median);
        table.row(vec![
            contender.name.clone(),
            Spread::of(&figures.success).map_or_else(String::new, |all| format!("{all:.2}")),
            format!("{:.0}", median(&figures.healthy_p99)),
            format!("{:.0}", median(&figures.onset_p99)),
            format!("{:.0}", median(&figures.p50)),
            Spread::of(&figures.p99).map_or_else(String::new, |all| format!("{all:.0}")),
            format!("{:.1}", median(&figures.wasted)),
            format!("{:.1}", median(&figures.extra)),
        ]);
        let success = median(&figures.success);
        if contender.name.contains(BY_SPEED) && !(99.0..=100.0).contains(&success) {
            findings.wrong.push(format!(
                "{}, {}: only {success:.2} % succeeded",
                contender.name, illness.name
            ));
        }
    }
    let all = cast.iter().zip(figures);
    let all = all.map(|(one, figures)| figures.to_json(&one.name));
    let all = json!({"illness": illness.name, "contenders": all.collect::<Value>()});
    if let Some(list) = findings
        .json
        .get_mut("illnesses")
        .and_then(Value::as_array_mut)
    {
        list.push(all);
    }
    findings.tables.push(table);
}

const BY_SPEED: &str = "least_response_time";

/// Requests a second of each contender: little enough for all of them to run at once.
const RATE: f64 = 200.0;

/// More than are under way when every answer takes 400 ms.
const CONNECTIONS: usize = 128;

/// How long a healthy server takes.
const USUAL: Duration = Duration::from_millis(20);
