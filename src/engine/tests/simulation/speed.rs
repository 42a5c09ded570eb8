//! A minute of traffic takes less than a second, so that many of them can be played.

use core::time::Duration;
use std::fs;

use crate::upstream::Upstream;
use crate::world::World;
use crate::{pool, seeds};

/// What this thread has used of a processor, where the system says so.
fn processor_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[test]
fn four_workers_serve_a_minute_of_traffic_within_a_second() {
    seeds(0..1, |seed| {
        let upstreams = [10, 20, 30].map(|takes| Upstream::sound(takes).failing(0.01, 0.0));
        let before = processor_time();
        let world = World::new(pool(3), upstreams.to_vec(), 4, 250.0, seed);
        world.run_until(60.0);
        let after = processor_time();
        let answers = world.log.borrow().answers.len();
        assert!((58_000..62_000).contains(&answers), "{answers}");
        if let (Some(before), Some(after)) = (before, after) {
            let used = after - before;
            println!("{used:?} for {answers} requests");
            assert!(used < Duration::from_secs(1), "{used:?}");
        }
    });
}
