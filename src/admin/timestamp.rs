//! Instants of the workers' clock as dates for people: RFC 3339, in UTC, to the millisecond.
//!
//! Example: 1 000 000 000.5 s after the epoch is `2001-09-09T01:46:40.500Z`.

use core::time::Duration;

use steerage_policy::time::Instant;

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// On the workers' clock.
    pub(crate) now: Instant,
    /// Since the Unix epoch.
    pub(crate) wall: Duration,
}

impl Clock {
    /// The date of an instant.
    pub(super) fn date(self, instant: Instant) -> String {
        let wall = if instant >= self.now {
            self.wall.saturating_add(instant.since(self.now))
        } else {
            self.wall.saturating_sub(self.now.since(instant))
        };
        rfc_3339(wall)
    }
}

fn rfc_3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The Gregorian date so many days after 1970-01-01, counted in years that begin in March, so that
/// the leap day is a year's last. After Howard Hinnant, `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year, month, day)
}
