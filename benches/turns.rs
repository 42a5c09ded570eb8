//! Turns: what is compared is measured by the half second, one after the other, so that a processor that is slow for
//! a second is so for all.

use std::time::Duration;

use crate::load::Report;
use crate::statistics::count;

/// What came of the turns of one of them under one kind of load.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(crate) report: Report,
    pub(crate) cpu: Duration,
}

impl Turns {
    /// Processor time a request.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.report.total())
    }

    pub(crate) fn per_second(&self) -> f64 {
        count(self.report.total()) / self.report.elapsed.as_secs_f64()
    }
}

/// How long a turn lasts, about half a second, and whose each is until everybody had `during` in all. Each time
/// another one begins. Who is alone has it all at once.
///
/// Three in the first round, for one second: turns of 0.5 s of 1, 2, 0 and 2, 0, 1.
pub(crate) fn order(
    seats: usize,
    round: u32,
    during: Duration,
) -> (Duration, impl Iterator<Item = usize>) {
    let turns = match seats {
        1 => 1,
        _ => (during.as_millis() / TURN.as_millis()).max(1),
    };
    let turns = u32::try_from(turns).unwrap_or(u32::MAX);
    let order = (0..turns).flat_map(move |turn| {
        let first = usize::try_from(round + turn).unwrap_or(0);
        (0..seats).map(move |position| (position + first) % seats)
    });
    (during / turns, order)
}

/// About as long as a turn lasts.
pub(crate) const TURN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_as_many_turns_and_another_begins_each_time() {
        let (lasting, positions) = order(3, 1, Duration::from_secs(1));
        assert_eq!(lasting, TURN);
        assert_eq!(positions.collect::<Vec<_>>(), [1, 2, 0, 2, 0, 1]);
        let (lasting, positions) = order(2, 0, Duration::from_millis(100));
        assert_eq!(lasting, Duration::from_millis(100));
        assert_eq!(positions.collect::<Vec<_>>(), [0, 1]);
        let (lasting, positions) = order(1, 5, Duration::from_secs(2));
        assert_eq!(lasting, Duration::from_secs(2));
        assert_eq!(positions.collect::<Vec<_>>(), [0]);
        assert_eq!(order(0, 0, TURN).1.count(), 0);
    }
}
