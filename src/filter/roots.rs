//! Callbacks of a root: it is configured, its timer fires, a call of its own is answered, it ends.

use std::rc::Rc;

use steerage_config::Role;
use steerage_engine::Worker;
use steerage_engine::answer::Answer;
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::time::Instant;

use super::admin_requests;
use super::classify;
use super::contexts;
use super::perform::Performer;
use super::plugin::Plugin;
use super::router;
use super::timer;
use crate::host::{self, ContextId, Token};

/// Whether the configuration is taken. Refusing it makes the host keep the one in force, or not
/// start.
pub(super) fn configure(root: ContextId) -> bool {
    let config = match steerage_config::parse_role(&host::configuration()) {
        Ok(Role::Filter(config)) => config,
        // A load in the router's upstream filters: its streams are attempts of other roots'.
        Ok(Role::Attempts) => {
            contexts::see_attempts(root);
            router::refresh();
            return true;
        }
        Err(errors) => {
            log::error!("the configuration is refused:\n{errors}");
            return false;
        }
    };
    let extensions = contexts::extensions();
    let plugin = match Plugin::new(root, config, extensions, host::random_seed()) {
        Ok(plugin) => Rc::new(plugin),
        Err(error) => {
            log::error!("the configuration is refused:\n{error}");
            return false;
        }
    };
    // The newest last, whose turns are those to go on in.
    for before in contexts::plugins() {
        before.with_worker(|before| plugin.with_worker(|worker| worker.resume(before)));
    }
    contexts::configure(Rc::clone(&plugin));
    router::refresh();
    let now = host::now();
    performer(&plugin, now).event(Worker::start);
    republish(now);
    true
}

/// The timer has fired.
pub(super) fn tick(root: ContextId) {
    let Some(plugin) = contexts::plugin(root) else {
        return; // A root without a configuration has no timer.
    };
    let now = host::now();
    timer::fired(&plugin);
    if plugin.with_worker(|worker| worker.round_is_due(now)) == Some(true) {
        // An operator may change it at any time; below it, log lines cost nothing.
        log::set_max_level(host::log_level());
    }
    admin_requests::look(&plugin, now);
    performer(&plugin, now).event(Worker::tick);
}

/// A call has come to an end: then it has headers, or has failed without any.
pub(super) fn call_answered(root: ContextId, token: Token, headers: usize, body_size: usize) {
    let Some(plugin) = contexts::plugin(root) else {
        return; // A root that makes calls is configured.
    };
    let Some(call) = plugin.remove_call(token) else {
        return; // Only calls made here are answered here.
    };
    let now = host::now();
    let answer = if call.most.is_some_and(|most| body_size > most) {
        Answer::head(Outcome::Neutral(Neutral::TooLarge))
    } else {
        let read = body_size.min(call.most.unwrap_or(HOSTS_OWN_WORDS));
        classify::call(headers, read, call.sent_body)
    };
    performer(&plugin, now).event(|worker, turn| worker.call_answered(call.id, answer, turn));
}

/// The configuration has been replaced and the last of its streams has ended.
pub(super) fn deleted(root: ContextId) {
    let Some(removed) = contexts::remove_root(root) else {
        return; // A stream's, which was over before.
    };
    let Some(plugin) = removed else {
        return router::refresh();
    };
    let now = host::now();
    let orphans = performer(&plugin, now).event(Worker::retire);
    plugin.metrics.retire(&orphans.unwrap_or_default());
    drop(plugin);
    republish(now);
}

/// A root has begun or ended: the others may have something else to tell of what is under way, and
/// of those that check the same the newest does.
fn republish(now: Instant) {
    let plugins = contexts::plugins();
    for (position, plugin) in plugins.iter().enumerate() {
        performer(plugin, now).event(Worker::republish);
        for newer in plugins.iter().skip(position + 1) {
            newer.with_worker(|newer| plugin.with_worker(|older| newer.checks_for(older)));
        }
    }
}

fn performer(plugin: &Plugin, now: Instant) -> Performer<'_> {
    Performer {
        plugin,
        context: plugin.root,
        is_abroad: false,
        now,
        status: None,
    }
}

/// The host's own answers are shorter than this.
const HOSTS_OWN_WORDS: usize = 1_024;
