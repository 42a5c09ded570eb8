//! # steerage-bench: what Steerage costs, and what it is worth
//!
//! Everything is measured in one run, side by side, because numbers of two machines, or of two days, say little
//! about each other. Contenders take turns by the half second, every figure is the median of several rounds, and
//! what is compared is the ratio within a round.
//!
//! | module | what |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`contender`], `contenders/` | who is compared, and how each is configured |
//! | [`upstream`], [`load`] | the servers and the client |
//! | [`turns`] | taking turns |
//! | [`cost`] | processor time, throughput, latency, start |
//! | [`memory`] | what is held while requests are under way |
//! | [`quality`] | what an illness of one cluster does to clients |
//! | [`scale`], [`series`], [`plot`] | how the cost grows; what is varied; charts of it |
//! | [`findings`] | what a part hands back |
//! | [`statistics`], [`table`] | medians, ratios; how they are shown |
//! | [`machine`] | on what all this was measured |
//!
//! The proxy has one processor for itself, and the client and the servers share another, on one thread. Nothing
//! else should run on the machine. If something does, processor time per request suffers least and percentiles of
//! latency most; the spread beside each figure tells.

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod arguments;
mod contender;
mod cost;
mod findings;
mod load;
mod machine;
mod memory;
mod plot;
mod quality;
mod scale;
mod series;
mod statistics;
mod table;
mod turns;
mod upstream;

use std::process::ExitCode;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::tokio;

use crate::arguments::{Arguments, Asked, Part};
use crate::findings::{Failed, Findings};
use crate::machine::Machine;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(Asked::Bench(arguments)) => arguments,
        Ok(Asked::Help) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("steerage-bench: {wrong}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    match bench(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("steerage-bench: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<(), Failed> {
    let machine = Machine::prepare(&arguments.modules)?;
    // One thread: the client, which spins, and the servers then never wait for each other's processor.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::new(format!("no runtime: {error}")))?;
    let mut results = Vec::new();
    for part in &arguments.parts {
        let result = runtime.block_on(measure(*part, arguments, &machine))?;
        for table in &result.tables {
            println!("{}", table.shown(arguments.style));
        }
        results.push(result);
    }
    println!("{machine}");
    if let Some(file) = &arguments.json {
        let parts: Vec<Value> = results.iter().map(|result| result.json.clone()).collect();
        let all = json!({"machine": machine.to_json(), "parts": parts});
        std::fs::write(file, format!("{all:#}\n"))
            .map_err(|error| Failed::new(format!("{}: {error}", file.display())))?;
    }
    let wrong: Vec<String> = results
        .into_iter()
        .flat_map(|result| result.wrong)
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failed::new(wrong.join("\n")))
}

async fn measure(part: Part, arguments: &Arguments, machine: &Machine) -> Result<Findings, Failed> {
    match part {
        Part::Cost => cost::measure(arguments, machine).await,
        Part::Memory => memory::measure(arguments, machine).await,
        Part::Quality => quality::measure(arguments, machine).await,
        Part::Scale => scale::measure(arguments, machine).await,
    }
}
