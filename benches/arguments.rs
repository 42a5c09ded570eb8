//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::contender::Kind;
use crate::table::Style;

/// What `--help` says.
pub(crate) const HELP: &str = "\
Measures Steerage beside others, in one run.

Usage: steerage-bench PART... [OPTIONS]

Parts:
  cost       processor time a request, throughput, latency, memory and start of each contender
  memory     memory with 1,000 and with 10,000 requests under way, in half as many rounds
  quality    what a brown-out of one of four clusters does to clients, in half as many rounds
  scale      how the cost grows with endpoints, pools, workers and requests under way, in half as many rounds

Options:
  --rounds N            how often everything is measured anew; the tables show medians [default: 7]
  --seconds S           how long each contender is measured in a round, under each load [default: 3]
  --rate R              the fixed load, in requests a second [default: half of what bare Envoy can do]
  --contender A,B       only these: bare, native, native_one_cluster, noop, calls, notes, lua, steerage,
                        router, full, every, nginx, haproxy
  --wasm FILE           this module in place of target/steerage.wasm; given twice or more, they are compared
  --json FILE           all figures, also of single rounds
  --svg FILE            charts of `scale`
  --markdown            tables as Markdown
  --check               fail when a figure cannot be right, whatever the machine
  --help                this

Example: two builds of the filter beside bare Envoy and the filter that does nothing:
  steerage-bench cost --seconds 2 --contender bare,noop,full --wasm old.wasm --wasm new.wasm
";

/// What the user wants.
#[derive(Debug)]
pub(crate) enum Asked {
    Bench(Arguments),
    Help,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) parts: Vec<Part>,
    pub(crate) rounds: u32,
    pub(crate) during: Duration,
    /// Of the fixed load, in requests a second.
    pub(crate) rate: Option<f64>,
    /// In the order of the tables; those that are not installed are left out and named.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) modules: Vec<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) style: Style,
    pub(crate) check: bool,
}

/// A part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Cost,
    Memory,
    Quality,
    Scale,
}

impl Part {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "cost" => Some(Self::Cost),
            "memory" => Some(Self::Memory),
            "quality" => Some(Self::Quality),
            "scale" => Some(Self::Scale),
            _ => None,
        }
    }
}

pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Asked, String> {
    let mut arguments = Arguments {
        parts: Vec::new(),
        rounds: 7,
        during: Duration::from_secs(3),
        rate: None,
        kinds: Vec::new(),
        modules: Vec::new(),
        json: None,
        svg: None,
        style: Style::Text,
        check: false,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--rounds" => arguments.rounds = rounds(&value()?)?,
            "--seconds" => arguments.during = seconds(&value()?)?,
            "--rate" => arguments.rate = Some(rate(&value()?)?),
            "--contender" => arguments.kinds = kinds(&value()?)?,
            "--wasm" => arguments.modules.push(value()?.into()),
            "--json" => arguments.json = Some(value()?.into()),
            "--svg" => arguments.svg = Some(value()?.into()),
            "--markdown" => arguments.style = Style::Markdown,
            "--check" => arguments.check = true,
            part => arguments
                .parts
                .push(Part::parse(part).ok_or_else(|| format!("unknown argument {part:?}"))?),
        }
    }
    if arguments.parts.is_empty() {
        return Err("name a part, such as `cost`".to_owned());
    }
    let chosen = std::mem::take(&mut arguments.kinds);
    let wanted = |kind: &Kind| chosen.is_empty() || chosen.contains(kind);
    let (here, absent) = Kind::ALL
        .into_iter()
        .filter(wanted)
        .partition::<Vec<_>, _>(|kind| kind.is_installed());
    for kind in absent {
        eprintln!("{} is not installed and is left out", kind.word());
    }
    arguments.kinds = here;
    Ok(Asked::Bench(arguments))
}

fn rounds(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|&rounds| rounds > 0)
        .ok_or_else(|| format!("--rounds is a whole number from 1, not {text:?}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|&seconds| (0.1..=600.0).contains(&seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("--seconds is a number from 0.1 to 600, not {text:?}"))
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (1.0..=1e6).contains(rate))
        .ok_or_else(|| format!("--rate is a number from 1 to 1000000, not {text:?}"))
}

fn kinds(text: &str) -> Result<Vec<Kind>, String> {
    let kind = |word: &str| {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| format!("unknown contender {word:?}"))
    };
    text.split(',').map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        match parse(line.split_whitespace().map(str::to_owned))? {
            Asked::Bench(arguments) => Ok(arguments),
            Asked::Help => Err("help".to_owned()),
        }
    }

    #[test]
    fn the_example_of_the_help_is_understood() {
        let example = HELP.lines().last().unwrap().trim();
        let arguments = parsed(example.strip_prefix("steerage-bench ").unwrap()).unwrap();
        assert_eq!(arguments.parts, [Part::Cost]);
        assert_eq!(arguments.during, Duration::from_secs(2));
        assert_eq!(arguments.kinds, [Kind::Bare, Kind::Noop, Kind::Full]);
        assert_eq!(arguments.modules.len(), 2);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("", "name a part"),
            ("speed", "\"speed\""),
            ("cost --rounds 0", "\"0\""),
            ("cost --seconds", "--seconds needs"),
            ("cost --rate 0", "\"0\""),
            ("cost --contender bare,apache", "\"apache\""),
        ] {
            let wrong = parsed(line).unwrap_err();
            assert!(wrong.contains(named), "{line}: {wrong}");
        }
    }
}
