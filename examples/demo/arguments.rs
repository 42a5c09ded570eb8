//! The command line.

use std::fmt;
use std::time::Duration;

/// How long and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Seconds of traffic, of all acts together.
    pub(crate) seconds: u32,
    /// Requests a second.
    pub(crate) rate: u32,
}

impl Arguments {
    /// How long each of so many acts lasts.
    pub(crate) fn per_act(self, acts: usize) -> Duration {
        let acts = u32::try_from(acts.max(1)).unwrap_or(u32::MAX);
        Duration::from_secs(self.seconds.into()) / acts
    }
}

impl Default for Arguments {
    /// Long enough to read the tables, short enough not to wait for the end.
    fn default() -> Self {
        Self {
            seconds: 20,
            rate: 200,
        }
    }
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To see the demo.
    Demo(Arguments),
    /// To read [`HELP`].
    Help,
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(given: impl IntoIterator<Item = String>) -> Result<Asked, Wrong> {
    let mut arguments = Arguments::default();
    let mut given = given.into_iter();
    while let Some(name) = given.next() {
        match name.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--seconds" => arguments.seconds = number(name, given.next(), 2, 3_600)?,
            "--rate" => arguments.rate = number(name, given.next(), 1, 10_000)?,
            _ => return Err(Wrong::Unknown(name)),
        }
    }
    Ok(Asked::Demo(arguments))
}

fn number(name: String, value: Option<String>, least: u32, most: u32) -> Result<u32, Wrong> {
    value
        .as_deref()
        .and_then(|value| value.parse().ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or(Wrong::Number {
            name,
            value,
            least,
            most,
        })
}

/// Why the command line makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is no such argument.
    Unknown(String),
    /// The argument needs a number within these bounds.
    Number {
        name: String,
        value: Option<String>,
        least: u32,
        most: u32,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no argument {name}"),
            Self::Number {
                name,
                value,
                least,
                most,
            } => {
                let value = value.as_deref().unwrap_or("nothing");
                write!(
                    f,
                    "{name} needs a number from {least} to {most}, got {value}"
                )
            }
        }
    }
}

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Steers real traffic on a real Envoy, and shows it.

    make demo
    cargo run --release --example demo -- [--seconds N] [--rate N]

  --seconds N   seconds of traffic in total (20)
  --rate N      requests a second (200)

Environment: ENVOY (an Envoy binary), STEERAGE_WASM (another filter than
target/steerage.wasm), NO_COLOR.

Exit code: 0 if the promise was kept, 1 if it was not, 2 if the demo cannot run.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Result<Asked, &str>) {
        let parsed = parse(given.split_whitespace().map(str::to_owned));
        assert_eq!(
            parsed.map_err(|wrong| wrong.to_string()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn arguments_are_read_or_refused_with_the_reason() {
        check("", Ok(Asked::Demo(Arguments::default())));
        check("--rate 5 --help", Ok(Asked::Help));
        check(
            "--seconds 60 --rate 500",
            Ok(Asked::Demo(Arguments {
                seconds: 60,
                rate: 500,
            })),
        );
        check("--fast", Err("there is no argument --fast"));
        check(
            "--rate",
            Err("--rate needs a number from 1 to 10000, got nothing"),
        );
        check(
            "--seconds 1.5",
            Err("--seconds needs a number from 2 to 3600, got 1.5"),
        );
    }
}
