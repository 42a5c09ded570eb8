//! How much memory a proxy holds while it has requests under way that its servers do not answer yet.
//!
//! The servers hold back all answers until as many requests have arrived as the table says. Then the proxy's
//! resident memory is read, the gate is opened, and every request must be answered after all. What 1,000 requests
//! take is the memory at 1,000 less that at 0, over 1,000: connections on both sides, buffers, and for a filter the
//! context in its VM.
//!
//! What one more worker takes is the difference of four workers and one, idle but warm, over three: for a filter, a
//! VM of its own with its instance of the module.
//!
//! A fixed limit of Steerage is raised for this, because it would answer 503 at 100 a server, and hedging is
//! off, because it would double what waits. Each request has a connection on either side, so where a process may
//! have no more than 20,000 files, as in many containers, 9,900 requests are the most.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::serde_json::{Value, json};
use steerage_harness::tokio::sync::watch;
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::tokio::time;

use crate::arguments::Arguments;
use crate::contender::{Contender, Kind, contenders};
use crate::cost::warm_up;
use crate::findings::{Failed, Findings};
use crate::load::{Client, Connection};
use crate::machine::Machine;
use crate::statistics::{Spread, count};
use crate::table::Table;
use crate::upstream::{Conduct, Server};

/// Measures all contenders.
pub(crate) async fn measure(arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    let servers = Server::four().await?;
    let contenders: Vec<Contender> = contenders(&arguments.kinds, &arguments.modules)
        .into_iter()
        .map(without_limits)
        .collect();
    let levels: Vec<u32> = match arguments.check {
        true => vec![0, 1_000],
        false => vec![0, 1_000, machine.files.saturating_sub(200).min(20_000) / 2],
    };
    // One row a contender, one column a level, one value a round.
    let mut memory = vec![vec![Vec::new(); levels.len()]; contenders.len()];
    let mut workers = vec![Vec::new(); contenders.len()];
    let mut wrong = Vec::new();
    let rounds = arguments.rounds.div_ceil(2);
    for round in 1..=rounds {
        let all = contenders.iter().zip(&mut memory).zip(&mut workers);
        for ((contender, columns), workers) in all {
            let addresses = servers.each_ref().map(Server::addr);
            for server in &servers {
                server.set(Conduct::Prompt);
            }
            if let Some(many) = contender.with_workers(WORKERS) {
                let one = warm_memory(contender, &addresses, machine).await?;
                let many = warm_memory(&many, &addresses, machine).await?;
                workers.push((many - one) / f64::from(WORKERS - 1));
            }
            let running = contender.start(&addresses, &machine.proxy).await?;
            warm_up(&mut Client::open(running.addr, CONNECTIONS).await?).await;
            for (&level, column) in levels.iter().zip(columns) {
                let gate = watch::Sender::new(false);
                for server in &servers {
                    server.set(Conduct::Held(gate.subscribe()));
                }
                let mut clients = JoinSet::new();
                // By some hundreds, lest the proxy's queue of new connections overflows.
                for under_way in 1..=level {
                    let mut connection = Connection::new(running.addr);
                    clients.spawn(async move { connection.exchange().await });
                    if under_way % 200 == 0 || under_way == level {
                        arrived(&servers, under_way).await.map_err(|failed| {
                            Failed::new(format!("{}, {under_way}: {failed}", contender.name))
                        })?;
                    }
                }
                column.push(count(running.process.rss_kib()?) / 1024.0);
                gate.send_replace(true);
                let answers = clients.join_all().await;
                let bad = answers.iter().find(|answer| !matches!(answer, Ok(200)));
                if let Some(bad) = bad {
                    wrong.push(format!("{}: {bad:?} among {level}", contender.name));
                }
            }
        }
        eprint!("\rmemory: round {round} of {rounds} is over ");
    }
    eprintln!();
    Ok(findings(&contenders, &levels, &memory, &workers, wrong))
}

/// MiB of a proxy that has answered as many requests as make it warm, and is idle now.
async fn warm_memory(
    contender: &Contender,
    servers: &[SocketAddr; 4],
    machine: &Machine,
) -> Result<f64, Failed> {
    let running = contender.start(servers, &machine.proxy).await?;
    warm_up(&mut Client::open(running.addr, CONNECTIONS).await?).await;
    Ok(count(running.process.rss_kib()?) / 1024.0)
}

/// What would keep requests from waiting is lifted.
fn without_limits(contender: Contender) -> Contender {
    match contender.kind {
        Kind::Steerage | Kind::Router | Kind::Full => contender.replacing(
            r#"["a", "b", "c", "d"]"#,
            r#"["a", "b", "c", "d"], "max_connections": 10000"#,
        ),
        Kind::Every => contender
            .replacing(
                r#""dynamic": true, "max_connections": 1000"#,
                r#""max_connections": 10000"#,
            )
            .replacing(r#", "hedge": {"delay": "p95", "ratio": 0.05}"#, ""),
        _ => contender,
    }
}

/// Waits until as many requests wait at the servers.
async fn arrived(servers: &[Server], level: u32) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let waiting: u64 = servers.iter().map(Server::waiting).sum();
        if waiting == u64::from(level) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failed::new(format!("{waiting} arrived in {PATIENCE:?}")));
        }
        time::sleep(Duration::from_millis(5)).await;
    }
}

fn findings(
    contenders: &[Contender],
    levels: &[u32],
    memory: &[Vec<Vec<f64>>],
    workers: &[Vec<f64>],
    mut wrong: Vec<String>,
) -> Findings {
    let names: Vec<String> = levels
        .iter()
        .map(|level| format!("MiB at {level}"))
        .collect();
    let mut columns = vec!["contender"];
    columns.extend(names.iter().map(String::as_str));
    columns.extend(["KiB a request", "MiB a worker"]);
    let mut table = Table::new(
        "**Memory** with so many requests waiting for their servers; what each of these takes; and what another worker \
         takes, idle.",
        &columns,
    );
    let all = || contenders.iter().zip(memory).zip(workers);
    for ((contender, columns), workers) in all() {
        let spreads: Vec<Spread> = columns.iter().filter_map(|all| Spread::of(all)).collect();
        let mut row = vec![contender.name.clone()];
        row.extend(spreads.iter().map(|spread| format!("{spread:.0}")));
        if let (Some(none), Some(most), Some(&level)) =
            (spreads.first(), spreads.last(), levels.last())
        {
            let each = (most.median - none.median) * 1024.0 / f64::from(level);
            row.push(format!("{each:.1}"));
            // Connections alone take that much; and nobody would run what takes a MiB a request.
            if !(1.0..1024.0).contains(&each) {
                wrong.push(format!("{}: {each:.1} KiB a request", contender.name));
            }
        }
        let each = Spread::of(workers);
        row.push(each.map_or_else(|| "–".to_owned(), |each| format!("{each:.1}")));
        table.row(row);
    }
    let all = all().map(|((contender, columns), workers)| {
        json!({"contender": contender.name, "mib": columns, "mib_a_worker": workers})
    });
    Findings {
        tables: vec![table],
        json: json!({"part": "memory", "requests": levels, "contenders": all.collect::<Value>()}),
        wrong,
    }
}

/// Enough that every one of them has some.
const CONNECTIONS: usize = 16;

const WORKERS: u32 = 4;

/// Ten thousand connections are made within seconds even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
