//! The live table: one act's counts as text, at most 80 columns wide.

use std::time::Duration;

use crate::format::{Style, WIDTH, bar, count, millis, percent};
use crate::tally::{ClientCounts, Counts, EndpointCounts, percentile};

/// How far an act is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Its number, from 1.
    pub(crate) act: usize,
    /// How many there are.
    pub(crate) acts: usize,
    /// How long it has been running.
    pub(crate) passed: Duration,
    /// How long it runs.
    pub(crate) lasting: Duration,
}

/// The table under its heading.
pub(crate) fn table(
    strategy: &str,
    meaning: &str,
    progress: Progress,
    counts: &Counts,
    style: Style,
) -> String {
    let title = format!("Act {} of {}: {strategy}", progress.act, progress.acts);
    let meaning = format!(", {meaning}");
    let clock = format!(
        "{} of {} s",
        progress.passed.as_secs(),
        progress.lasting.as_secs()
    );
    let gap = WIDTH.saturating_sub(title.chars().count() + meaning.chars().count());
    let columns = line(
        "endpoint",
        &format!("{:<SHARE$}", "share of traffic"),
        "attempts",
        &right("success"),
        "median",
        "took over",
    );
    let mut text = format!(
        "{}{meaning}{}\n{}\n",
        style.bold(&title),
        style.dim(&format!("{clock:>gap$}")),
        style.dim(&columns)
    );
    let attempts = counts.attempts();
    for endpoint in &counts.endpoints {
        text += &row(endpoint, attempts, style);
        text.push('\n');
    }
    text + &client(&counts.client, style) + "\n\n"
}

fn row(endpoint: &EndpointCounts, attempts: usize, style: Style) -> String {
    let share = format!(
        "{} {:>7}",
        bar(endpoint.attempts, attempts, BAR),
        percent(endpoint.attempts, attempts)
    );
    let succeeded = endpoint.attempts - endpoint.failed;
    let success = right(&percent(succeeded, endpoint.attempts));
    line(
        endpoint.name,
        &share,
        &count(endpoint.attempts),
        &if endpoint.failed > 0 {
            style.bad(&success)
        } else {
            success
        },
        &millis(percentile(&endpoint.times, 50)),
        &count(endpoint.taken_over),
    )
}

/// The client's times stand below those of the endpoints, to be compared.
fn client(client: &ClientCounts, style: Style) -> String {
    let failed = format!("{} failed", count(client.failed));
    let (requests, retried) = (count(client.requests), count(client.retried));
    let plain = format!("{requests} requests, {failed}, {retried} retried");
    let text = format!("{plain:<TEXT$}").replace(
        &failed,
        &if client.failed > 0 {
            style.bad(&failed)
        } else {
            style.good(&failed)
        },
    );
    let p99 = format!("p99 {}", millis(percentile(&client.times, 99)));
    let median = millis(percentile(&client.times, 50));
    format!("  {:<10}{text}{median:>10}{p99:>12}", "client")
}

/// One line of the columns. `share` and `success` come with their padding, because text with codes
/// for colours in it cannot be padded any more.
fn line(
    name: &str,
    share: &str,
    attempts: &str,
    success: &str,
    median: &str,
    took_over: &str,
) -> String {
    format!("  {name:<10}{share}{attempts:>10}{success}{median:>10}{took_over:>12}")
}

fn right(cell: &str) -> String {
    format!("{cell:>10}")
}

/// Columns of the bar.
const BAR: usize = 16;
/// Columns of the bar and the number beside it.
const SHARE: usize = BAR + 8;
/// Columns of the client's counts: as many as share, attempts and success together.
const TEXT: usize = SHARE + 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let endpoint = |name, attempts, failed, taken_over| EndpointCounts {
            name,
            attempts,
            failed,
            taken_over,
            times: vec![Duration::from_micros(5_100)],
            ..EndpointCounts::default()
        };
        Counts {
            endpoints: vec![
                endpoint("fast", 1_000, 0, 250),
                endpoint("slow", 500, 0, 250),
                endpoint("failing", 500, 325, 0),
            ],
            client: ClientCounts {
                requests: 1_500,
                retried: 500,
                times: vec![Duration::from_micros(99_100)],
                ..ClientCounts::default()
            },
        }
    }

    const PROGRESS: Progress = Progress {
        act: 1,
        acts: 2,
        passed: Duration::from_millis(6_400),
        lasting: Duration::from_secs(10),
    };

    #[test]
    fn a_table_is_aligned() {
        let expected = "\
Act 1 of 2: round_robin, each endpoint in its turn                   6 of 10 s
  endpoint  share of traffic          attempts   success    median   took over
  fast      ████████          50.0 %     1,000   100.0 %    5.1 ms         250
  slow      ████              25.0 %       500   100.0 %    5.1 ms         250
  failing   ████              25.0 %       500    35.0 %    5.1 ms           0
  client    1,500 requests, 0 failed, 500 retried          99.1 ms p99 99.1 ms

";
        let text = table(
            "round_robin",
            "each endpoint in its turn",
            PROGRESS,
            &counts(),
            Style::Plain,
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let counts = counts();
        let drawn = |style| table("round_robin", "in turn", PROGRESS, &counts, style);
        let mut bare = drawn(Style::Coloured);
        for code in ["1", "2", "31", "32", "0"] {
            bare = bare.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(bare, drawn(Style::Plain));
    }

    #[test]
    fn nothing_counted_yet_is_a_table_too() {
        let blank = Counts {
            endpoints: vec![EndpointCounts::default()],
            ..Counts::default()
        };
        let text = table("random", "", PROGRESS, &blank, Style::Plain);
        assert!(text.contains("0 requests, 0 failed"), "{text}");
    }

    #[test]
    fn large_numbers_stay_within_80_columns() {
        let mut counts = counts();
        for endpoint in &mut counts.endpoints {
            endpoint.attempts *= 300;
        }
        counts.client.requests *= 300;
        counts.client.retried *= 300;
        let text = table("round_robin", "in turn", PROGRESS, &counts, Style::Plain);
        for line in text.lines() {
            assert!(line.chars().count() < 80, "{line}");
        }
    }
}
