//! The host's one timer of a root, shared by the engine and the admin surface.
//!
//! Setting it restarts its period, so it is set only for something earlier than what it is armed
//! for, or by a tick, which arms it anew.

use core::time::Duration;

use steerage_policy::time::Instant;

use super::plugin::{Plugin, Timer};
use crate::host;
use crate::metrics::hostcall_refused;

/// The engine wants it to fire after `period`. After a tick that comes with every tick, and the
/// timer is armed anew for whatever is due first.
pub(super) fn set_for_engine(plugin: &Plugin, period: Duration, now: Instant) {
    set(plugin, now, |timer| timer.engine = Some(now + period));
}

/// The admin surface wants it to fire at this time, or needs it no longer.
pub(super) fn set_for_admin(plugin: &Plugin, due: Option<Instant>, now: Instant) {
    set(plugin, now, |timer| timer.admin = due);
}

/// It has fired.
pub(super) fn fired(plugin: &Plugin) {
    let timer = plugin.timer.get();
    plugin.timer.set(Timer {
        armed: None,
        ..timer
    });
}

fn set(plugin: &Plugin, now: Instant, want: impl FnOnce(&mut Timer)) {
    let mut timer = plugin.timer.get();
    want(&mut timer);
    let due = timer.engine.into_iter().chain(timer.admin).min();
    let earlier = due.filter(|due| timer.armed.is_none_or(|armed| *due < armed));
    if let Some(due) = earlier {
        // The host counts in milliseconds, and 0 would stop its timer.
        let due = due.max(now + Duration::from_millis(1));
        timer.armed = Some(due);
        if let Err(refused) = host::set_tick_period(due.since(now)) {
            hostcall_refused("to set the timer", refused);
        }
    }
    plugin.timer.set(timer);
}
