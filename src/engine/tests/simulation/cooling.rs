//! An endpoint that asks to be left alone for a while (429 with `Retry-After`).

use steerage_policy::time::Instant;

use crate::log::Log;
use crate::upstream::Upstream;
use crate::world::{SYNC, World};
use crate::{at, each_seed, pool, span};

const WORKERS: usize = 4;
const BEGINS: f64 = 2.0;
const ENDS: f64 = 9.0;
const RETRY_AFTER: u32 = 3;

/// Endpoint 0 of three throttles from [`BEGINS`] to [`ENDS`].
fn world(seed: u64) -> World {
    let throttled = Upstream::sound(5)
        .throttling(Some(RETRY_AFTER), BEGINS)
        .throttling(None, ENDS);
    let upstreams = [throttled, Upstream::sound(5), Upstream::sound(5)];
    World::new(pool(3), upstreams.to_vec(), WORKERS, 40.0, seed)
}

/// When the endpoint was asked while it throttled, each time for the first time after a cool-down.
fn requests_to_cool_down(log: &Log) -> Vec<Instant> {
    let mut begun: Vec<Instant> = Vec::new();
    let to = log.sent.iter().filter(|sent| sent.endpoint == 0);
    for sent in to.filter(|sent| sent.at >= at(BEGINS) && sent.at < at(ENDS)) {
        if begun
            .last()
            .is_none_or(|last| sent.at.since(*last) > span(1.0))
        {
            begun.push(sent.at);
        }
    }
    begun
}

#[test]
fn all_workers_leave_it_alone_for_as_long_as_it_asks() {
    each_seed(|seed| {
        let world = world(seed);
        world.run_until(20.0);
        let log = world.log.borrow();
        let begun = requests_to_cool_down(&log);
        assert!(begun.len() >= 2, "{begun:?}");
        for begun in begun {
            // The others know of it after their next round.
            let known = begun + SYNC + span(0.01);
            let over = begun + span(f64::from(RETRY_AFTER));
            assert_eq!(log.sent_to(0, known, over), 0, "from {begun:?}");
            // The attempts until then, each worker in its turn.
            let before = log.sent_to(0, begun, known);
            assert!(before <= 2 * WORKERS, "{before} attempts from {begun:?}");
        }
        assert_eq!(log.openings(0), [], "throttling is no sickness");
    });
}

#[test]
fn clients_see_nothing_of_it_and_its_share_returns() {
    each_seed(|seed| {
        let world = world(seed);
        world.run_until(20.0);
        let log = world.log.borrow();
        assert_eq!(log.failed, 0);
        let longest = log.answers.iter().map(|answer| answer.took).max().unwrap();
        assert!(
            longest < span(0.1),
            "{longest:?}: a retry goes elsewhere at once"
        );
        let returned = log.share(0, at(ENDS + 4.0), at(20.0));
        assert!(returned > 0.3, "{returned}");
    });
}

/// Requests that are there already wait for the first cool-down to end; those that arrive meanwhile
/// are refused at once.
#[test]
fn when_all_ask_for_it_nobody_waits_in_vain() {
    each_seed(|seed| {
        let throttled = Upstream::sound(5)
            .throttling(Some(2), BEGINS)
            .throttling(None, BEGINS + 1.0);
        let world = World::new(pool(2), vec![throttled; 2], WORKERS, 40.0, seed);
        world.run_until(10.0);
        let log = world.log.borrow();
        let refused = || log.answers.iter().filter(|answer| answer.reason.is_some());
        assert!(refused().count() > 0);
        assert!(refused().all(|answer| answer.took.is_zero()));
        let others = log.answers.iter().filter(|answer| answer.reason.is_none());
        let waited = others.clone().filter(|answer| answer.took > span(1.0));
        assert!(waited.count() > 0);
        assert!(
            others.clone().all(|answer| answer.good),
            "those that waited, too"
        );
        // Then they are tried, answer well, and are back before their time.
        let all = |from, to| -> usize { (0..2).map(|n| log.sent_to(n, at(from), at(to))).sum() };
        assert_eq!(all(2.5, 2.9), 0);
        assert!(all(3.5, 3.9) > 0);
    });
}
