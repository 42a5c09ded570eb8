//! The main job to look at: a real Envoy with the filter, three clusters of which one is slow and
//! one is failing, steady traffic, a live table, and a summary in plain words.
//!
//! The demo makes a promise, that every request of the client succeeds, and ends with exit code 0
//! only if it was kept. It has two acts with the same traffic and the same clusters. Under
//! `round_robin` the failing cluster gets its full share, which shows what retries are worth; under
//! `least_response_time` the traffic moves to the cluster that answers well, which shows what
//! steering is worth. One act alone would hide the other's half.
//!
//! | module | what |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`act`] | the acts |
//! | [`stage`], [`guard`] | the upstreams and the Envoy; their end, whatever happens |
//! | [`traffic`] | the client |
//! | [`tally`] | what both sides counted |
//! | [`table`], [`summary`], [`format`] | what is shown, as text; they touch nothing |
//! | [`screen`] | where it is shown |
//!
//! Its tests: `cargo test --example demo`.

#![expect(clippy::disallowed_methods, reason = "a demo runs in real time")]

mod act;
mod arguments;
mod format;
mod guard;
mod screen;
mod stage;
mod summary;
mod table;
mod tally;
mod traffic;

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steerage_harness::{HarnessError, tokio};

use crate::act::{ACTS, Act};
use crate::arguments::{Arguments, Asked};
use crate::screen::Screen;
use crate::stage::Stage;
use crate::summary::Verdict;
use crate::table::Progress;
use crate::tally::{Counts, Recorder};
use crate::traffic::Traffic;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(Asked::Demo(arguments)) => arguments,
        Ok(Asked::Help) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => return cannot_run(format_args!("{wrong}\n\n{}", arguments::HELP)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime.map(|runtime| runtime.block_on(play(arguments))) {
        Ok(Ok(Verdict::Kept)) => ExitCode::SUCCESS,
        Ok(Ok(Verdict::Broken | Verdict::ProvedNothing)) => ExitCode::FAILURE,
        Ok(Err(error)) => cannot_run(error),
        Err(error) => cannot_run(error),
    }
}

/// Runs both acts, shows them, and says what came of the promise.
async fn play(arguments: Arguments) -> Result<Verdict, HarnessError> {
    let mut screen = Screen::new();
    let recorder = Arc::new(Recorder::new(&stage::names()));
    let stage = Stage::build(&recorder).await?;
    screen.settle(&summary::promise(&arguments, screen.style()));
    let mut results = Vec::new();
    for (position, act) in ACTS.iter().enumerate() {
        let traffic = Traffic {
            to: stage.envoy.addr(),
            path: act.path,
            rate: arguments.rate,
            lasting: arguments.per_act(ACTS.len()),
        };
        let progress = Progress {
            act: position + 1,
            acts: ACTS.len(),
            passed: Duration::ZERO,
            lasting: traffic.lasting,
        };
        let counts = perform(*act, traffic, progress, &recorder, &mut screen).await;
        results.push((*act, counts));
    }
    let verdict = summary::verdict(&results);
    screen.settle(&summary::summary(&results, verdict, screen.style()));
    stage.end();
    Ok(verdict)
}

/// Runs one act to its last answer and returns what was counted.
async fn perform(
    act: Act,
    traffic: Traffic,
    mut progress: Progress,
    recorder: &Arc<Recorder>,
    screen: &mut Screen,
) -> Counts {
    let start = Instant::now();
    let mut client = tokio::spawn(traffic.offer(Arc::clone(recorder)));
    let mut redraw = tokio::time::interval(screen.every());
    redraw.tick().await;
    // The client's task cannot fail, and if it did, the requests it counted are what it did.
    while tokio::select! { _ended = &mut client => false, _ = redraw.tick() => true } {
        progress.passed = start.elapsed();
        if progress.passed >= progress.lasting {
            continue; // OK because the last answers come in moments, and then the table is final.
        }
        screen.redraw(&table::table(
            act.strategy,
            act.meaning,
            progress,
            &recorder.counts(),
            screen.style(),
        ));
    }
    progress.passed = progress.lasting;
    let counts = recorder.take();
    screen.settle(&table::table(
        act.strategy,
        act.meaning,
        progress,
        &counts,
        screen.style(),
    ));
    counts
}

/// When there is nothing to judge: 1 is the exit code of a promise that was not kept.
fn cannot_run(why: impl Display) -> ExitCode {
    eprintln!("demo: {why}");
    ExitCode::from(2)
}
