//! The words before and after: the promise, what happened, and the verdict.

use crate::act::Act;
use crate::arguments::Arguments;
use crate::format::{Style, count, millis, paragraph, percent};
use crate::stage::{CLUSTERS, FAILING};
use crate::tally::{Counts, percentile};
use crate::traffic::CLIENTS;

/// What came of the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every request succeeded.
    Kept,
    /// At least one did not.
    Broken,
    /// Nothing failed that could have been repeated.
    ProvedNothing,
}

/// The judgement on all acts together.
pub(crate) fn verdict(results: &[(Act, Counts)]) -> Verdict {
    let ill = results.iter().any(|(_, counts)| counts.failed() > 0);
    if results.iter().any(|(_, counts)| counts.client.failed > 0) {
        Verdict::Broken
    } else if ill {
        Verdict::Kept
    } else {
        Verdict::ProvedNothing
    }
}

/// What is about to be shown.
pub(crate) fn promise(arguments: &Arguments, style: Style) -> String {
    let mut text = format!(
        "{}\n\nOne Envoy, two workers, three clusters:\n",
        style.bold(
            "Steerage promises: every request of the client succeeds,\n\
             although one of three clusters fails two attempts in three."
        )
    );
    for cluster in CLUSTERS {
        text += &format!("  {:<9}{}\n", cluster.name, cluster.conduct);
    }
    text + &format!(
        "Traffic: {} requests a second from {CLIENTS} clients, 1 in 10 a PUT with a body.\n\
         Policy (envoy/demo.yaml): the strategy below; up to 3 attempts, each elsewhere;\n\
         exponential backoff from 25 ms with full jitter; circuit breakers in act 2.\n\
         \"Took over\" counts attempts that repeat what failed elsewhere.\n\n",
        count(arguments.rate as usize)
    )
}

/// What happened, and the verdict.
pub(crate) fn summary(results: &[(Act, Counts)], verdict: Verdict, style: Style) -> String {
    let mut text = style.bold("In plain words") + "\n";
    for (act, counts) in results {
        text += &paragraph(&happened(*act, counts));
    }
    if verdict == Verdict::Kept
        && let Some(compared) = compared(results)
    {
        text += &paragraph(&compared);
    }
    text.push('\n');
    text + &judged(results, verdict, style)
}

fn happened(act: Act, counts: &Counts) -> String {
    let client = &counts.client;
    format!(
        "{}: the upstreams failed {} of {} attempts; the client saw {} failures in {} requests, \
         without retries {} ({}).",
        act.strategy,
        count(counts.failed()),
        count(counts.attempts()),
        count(client.failed),
        count(client.requests),
        count(counts.first_failed()),
        percent(counts.first_failed(), client.requests),
    )
}

/// What the second strategy changed.
fn compared(results: &[(Act, Counts)]) -> Option<String> {
    let [(_, before), (act, after)] = results else {
        return None;
    };
    let share = |counts: &Counts| {
        let failing = counts.endpoints.iter().find(|one| one.name == FAILING);
        percent(failing.map_or(0, |one| one.attempts), counts.attempts())
    };
    let time = |counts: &Counts, p| millis(percentile(&counts.client.times, p));
    Some(format!(
        "With {}, \"{FAILING}\" got {} of the traffic instead of {}, and the client waited {} \
         instead of {} (median), {} instead of {} (p99).",
        act.strategy,
        share(after),
        share(before),
        time(after, 50),
        time(before, 50),
        time(after, 99),
        time(before, 99),
    ))
}

fn judged(results: &[(Act, Counts)], verdict: Verdict, style: Style) -> String {
    let sum = |number: fn(&Counts) -> usize| -> usize {
        results.iter().map(|(_, counts)| number(counts)).sum()
    };
    let requests = count(sum(|counts| counts.client.requests));
    match verdict {
        Verdict::Kept => format!(
            "{} All {requests} requests of the client succeeded.\n",
            style.good("Promise kept.")
        ),
        Verdict::Broken => format!(
            "{} {} of {requests} requests of the client failed.\n{}",
            style.bad("Promise broken."),
            count(sum(|counts| counts.client.failed)),
            first_failure(results)
        ),
        Verdict::ProvedNothing => format!(
            "{} No upstream ever failed, so nothing had to be retried.\n",
            style.bad("Nothing proved.")
        ),
    }
}

fn first_failure(results: &[(Act, Counts)]) -> String {
    results
        .iter()
        .find_map(|(act, counts)| {
            let failure = counts.client.first_failure.as_ref()?;
            Some(format!("The first, with {}: {failure}.\n", act.strategy))
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::ACTS;
    use crate::tally::{ClientCounts, EndpointCounts};

    fn results(upstream: usize, client: usize) -> Vec<(Act, Counts)> {
        let counts = Counts {
            endpoints: vec![EndpointCounts {
                name: FAILING,
                attempts: 4_871,
                failed: upstream,
                first_failed: upstream,
                ..EndpointCounts::default()
            }],
            client: ClientCounts {
                requests: 4_000,
                failed: client,
                first_failure: (client > 0).then(|| "status 503".to_owned()),
                ..ClientCounts::default()
            },
        };
        ACTS.map(|act| (act, counts.clone())).to_vec()
    }

    #[test]
    fn the_promise_is_kept_only_against_failures() {
        assert_eq!(verdict(&results(812, 0)), Verdict::Kept);
        assert_eq!(verdict(&results(812, 1)), Verdict::Broken);
        assert_eq!(verdict(&results(0, 0)), Verdict::ProvedNothing);
        assert_eq!(verdict(&[]), Verdict::ProvedNothing);
    }

    #[test]
    fn the_summary_compares_upstreams_and_client() {
        let text = summary(&results(812, 0), Verdict::Kept, Style::Plain);
        let text = text.replace("\n   ", "").replace('\u{a0}', " ");
        assert!(text.contains("failed 812 of 4,871 attempts"), "{text}");
        assert!(text.contains("0 failures in 4,000 requests"), "{text}");
        assert!(text.contains("812 (20.3 %)"), "{text}");
    }

    #[test]
    fn a_broken_promise_names_its_first_failure() {
        let text = summary(&results(812, 1), Verdict::Broken, Style::Plain);
        assert!(text.ends_with("with round_robin: status 503.\n"), "{text}");
    }
}
