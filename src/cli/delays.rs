//! `delays`: the delay before each retry.
//!
//! The delays are the filter's own, from the policy; so is the draw. Time that attempts take is not
//! counted, so `so far` is the earliest at which a retry begins.
//!
//! Limits: an exchange often waits less. After a refused connection another endpoint is tried at
//! once. An endpoint that sends Retry-After cools down, see the README.
//!
//! Example: `base_delay` 0.1, full jitter. Before retry 3 the backoff gives 400 ms, and jitter any
//! delay up to that. The exchange that is shown has one of these, drawn with the seed.

use std::fmt::Write as _;
use std::time::Duration;

use rand::{SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};
use steerage_policy::pool::Pool;
use steerage_policy::retry::backoff::{Backoff as _, Delays};
use steerage_policy::retry::jitter::{Bounds, Jitter};

use crate::arguments::{self, Format};
use crate::finished::Finished;
use crate::source;
use crate::text::{self, count, span};

/// Before one retry.
#[derive(Debug, PartialEq, Eq)]
struct Retry {
    n: u8,
    /// Without jitter.
    delay: Duration,
    /// With jitter, at least and at most.
    range: (Duration, Duration),
    drawn: Duration,
    /// What is drawn, added up.
    so_far: Duration,
}

/// Carries out the command.
pub(crate) fn run(arguments: &arguments::Delays) -> Finished {
    let config = match source::configuration(&arguments.file) {
        Ok(config) => config,
        Err(finished) => return finished,
    };
    let pools = config.pools.iter().map(|configured| &configured.pool);
    let pools: Vec<_> = pools
        .map(|pool| {
            let attempts = arguments.attempts.unwrap_or(pool.retry.max_attempts);
            (pool, attempts, kinds(pool, attempts, arguments.seed))
        })
        .collect();
    if pools.is_empty() {
        return Finished::failed("this configuration has no pools, and so no retries");
    }
    Finished::with(match arguments.format {
        Format::Text => {
            let parts = pools
                .iter()
                .map(|(pool, attempts, kinds)| for_people(pool, *attempts, kinds));
            parts.collect::<Vec<_>>().join("\n")
        }
        Format::Json => {
            let parts = pools
                .iter()
                .map(|(pool, attempts, kinds)| for_programs(pool, *attempts, kinds));
            text::json(&Value::Array(parts.collect()))
        }
    })
}

/// The delays of a pool, and where they differ those after an answer that throttles.
fn kinds(pool: &Pool, attempts: u8, seed: u64) -> Vec<(&'static str, Vec<Retry>)> {
    let retry = &pool.retry;
    let of = |delays, bounds| retries(delays, retry.jitter, bounds, attempts, seed);
    let mut kinds = vec![("after a failure", of(&retry.backoff, retry.bounds))];
    if retry.throttling_bounds != retry.bounds {
        let delays = of(&retry.throttling_backoff, retry.throttling_bounds);
        kinds.push(("after an answer that throttles", delays));
    }
    kinds
}

fn retries(delays: &Delays, jitter: Jitter, bounds: Bounds, attempts: u8, seed: u64) -> Vec<Retry> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut so_far = Duration::ZERO;
    let mut previous = bounds.base;
    let mut most = bounds.base;
    let mut retries = Vec::new();
    for n in 1..attempts {
        let delay = delays.delay(n);
        most = match jitter {
            Jitter::Decorrelated => most.saturating_mul(3).min(bounds.max),
            _ => delay,
        };
        let drawn = jitter.apply(delay, previous, bounds, &mut rng);
        so_far = so_far.saturating_add(drawn);
        previous = drawn;
        retries.push(Retry {
            n,
            delay,
            range: range(jitter, delay, most, bounds),
            drawn,
            so_far,
        });
    }
    retries
}

/// The shortest and the longest delay after jitter. `most`: the longest that `decorrelated` can
/// have reached.
fn range(jitter: Jitter, delay: Duration, most: Duration, bounds: Bounds) -> (Duration, Duration) {
    let share = |share: f64| {
        let seconds = delay.as_secs_f64() * share;
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(bounds.max)
            .min(bounds.max)
    };
    match jitter {
        Jitter::None => (delay, delay),
        Jitter::Range(reach) => (share(1.0 - reach), share(1.0 + reach)),
        Jitter::Full => (Duration::ZERO, delay),
        Jitter::Equal => (delay / 2, delay),
        Jitter::Decorrelated => (bounds.base.min(bounds.max), most),
    }
}

fn for_people(pool: &Pool, attempts: u8, kinds: &[(&'static str, Vec<Retry>)]) -> String {
    let total = pool.timeouts.total();
    let mut output = format!(
        "pool {}: {}, jitter {}, the answer due within {}\n",
        pool.name,
        count(attempts.into(), "attempt"),
        jitter_name(pool.retry.jitter),
        span(total),
    );
    for (what, retries) in kinds {
        if kinds.len() > 1 {
            // Writing to a `String` cannot fail.
            let _ = writeln!(output, "{what}:");
        }
        let longest = retries.iter().map(|retry| retry.range.1.max(retry.delay));
        let scale = longest.max().unwrap_or_default();
        if !retries.is_empty() {
            let _ = writeln!(
                output,
                "  retry      delay  with jitter              drawn     so far   0 to {}",
                span(scale),
            );
        }
        for retry in retries {
            let late = if retry.so_far >= total {
                "  too late"
            } else {
                ""
            };
            let (least, most) = retry.range;
            let _ = writeln!(
                output,
                "  {:>5} {:>10}  {:<22} {:>8} {:>10}   {}{late}",
                retry.n,
                span(retry.delay),
                format!("{} to {}", span(least), span(most)),
                span(retry.drawn),
                span(retry.so_far),
                bar(retry, scale),
            );
        }
    }
    output
}

/// How wide the chart is.
const WIDTH: usize = 32;

/// The range of a delay, with a mark where it was drawn.
fn bar(retry: &Retry, scale: Duration) -> String {
    let column = |at: Duration| {
        let share = at.as_secs_f64() / scale.as_secs_f64().max(f64::MIN_POSITIVE);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "0..=WIDTH"
        )]
        let column = (share.clamp(0.0, 1.0) * (WIDTH - 1) as f64).round() as usize;
        column
    };
    let (least, most) = retry.range;
    let (least, most, drawn) = (column(least), column(most), column(retry.drawn));
    let bar: String = (0..WIDTH)
        .map(|at| {
            if at == drawn {
                '●'
            } else if (least..=most).contains(&at) {
                '─'
            } else {
                ' '
            }
        })
        .collect();
    bar.trim_end().to_owned()
}

fn for_programs(pool: &Pool, attempts: u8, kinds: &[(&'static str, Vec<Retry>)]) -> Value {
    let retries = |position: usize| {
        let retries = kinds.get(position).map(|(_, retries)| retries.iter());
        retries.map(|retries| retries.map(retry_for_programs).collect::<Vec<_>>())
    };
    json!({
        "pool": pool.name,
        "attempts": attempts,
        "jitter": jitter_name(pool.retry.jitter),
        "total": pool.timeouts.total().as_secs_f64(),
        "retries": retries(0),
        "throttling_retries": retries(1),
    })
}

fn retry_for_programs(retry: &Retry) -> Value {
    json!({
        "retry": retry.n,
        "delay": retry.delay.as_secs_f64(),
        "least": retry.range.0.as_secs_f64(),
        "most": retry.range.1.as_secs_f64(),
        "drawn": retry.drawn.as_secs_f64(),
        "so_far": retry.so_far.as_secs_f64(),
    })
}

fn jitter_name(jitter: Jitter) -> String {
    match jitter {
        Jitter::None => "none".into(),
        Jitter::Range(share) => format!("± {} %", text::decimal(share * 100.0, 1)),
        Jitter::Full => "full".into(),
        Jitter::Equal => "equal".into(),
        Jitter::Decorrelated => "decorrelated".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(retry: &str) -> Pool {
        let text = format!(r#"{{"endpoints": ["a"], "retry_policy": {{{retry}}}}}"#);
        let mut config = steerage_config::parse(text.as_bytes()).unwrap();
        config.pools.remove(0).pool
    }

    /// Every mode, many seeds: draws are within the printed range.
    #[test]
    fn what_is_drawn_is_within_its_range() {
        for jitter in ["true", "false", "\"full\"", "\"equal\"", "\"decorrelated\""] {
            let pool = pool(&format!(
                r#""jitter": {jitter}, "base_delay": 0.1, "max_delay": 5, "throttling_base_delay": 1"#
            ));
            for seed in 0..500 {
                let kinds = kinds(&pool, 10, seed);
                assert_eq!(kinds.len(), 2);
                for retry in kinds.iter().flat_map(|(_, retries)| retries) {
                    let (least, most) = retry.range;
                    assert!(
                        least <= retry.drawn && retry.drawn <= most,
                        "{jitter}: {retry:?}"
                    );
                    assert!(bar(retry, most).contains('●'));
                }
            }
        }
    }

    #[test]
    fn delays_add_up() {
        let pool = pool(r#""jitter": false, "base_delay": 1"#);
        let [(_, retries)] = &kinds(&pool, 4, 1)[..] else {
            panic!("one kind")
        };
        let so_far: Vec<_> = retries.iter().map(|retry| retry.so_far.as_secs()).collect();
        assert_eq!(so_far, [1, 3, 7]);
    }
}
