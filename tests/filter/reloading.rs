//! One configuration follows another, again and again, under load: what is under way counts once,
//! and no request is refused because of it.

use std::time::Duration;

use crate::fake_host::{Host, Root, Stream};
use crate::scene::{OK, head, start};

const STEP: Duration = Duration::from_millis(10);

/// How many streams are under way at a time, and how many steps each takes.
const STREAMS: usize = 12;
const STEPS: usize = 30;

fn config(sync_interval: &str, limit: &str) -> String {
    format!(
        r#"{{"endpoints": ["a"], "connection_pool": {{{limit}}}, "sync_interval": {sync_interval},
            "admin": {{"path": "/s", "token": "not-a-token-for-real"}}}}"#
    )
}

/// A root with the streams that are under way in it, each with the step at which it ends.
struct Life {
    root: Root,
    streams: Vec<(Stream, usize)>,
}

impl Life {
    fn get(&mut self, ends: usize) {
        let stream = self.root.request(&head("GET", &[]), true);
        assert!(stream.sent().is_none(), "{:?}", stream.sent());
        self.streams.push((stream, ends));
    }

    /// Ends the streams whose time has come: how many they were.
    fn end(&mut self, step: usize) -> usize {
        let before = self.streams.len();
        self.streams.retain(|(stream, ends)| {
            let is_over = *ends <= step;
            if is_over {
                stream.response(OK, true);
                stream.finish();
            }
            !is_over
        });
        before - self.streams.len()
    }
}

/// Attempts under way, as an operator is told.
fn active(root: Root) -> u64 {
    let token = ("authorization", "Bearer not-a-token-for-real");
    let mut head = head("GET", &[token]);
    head[2] = (":path", "/s/endpoints");
    let stream = root.request(&head, true);
    let list: serde_json::Value = serde_json::from_slice(&stream.sent().unwrap().body).unwrap();
    list[0]["active_connections"].as_u64().unwrap()
}

/// A load that goes on while the configuration changes every so many steps. Returns how many
/// requests there were.
fn reload_every(host: &Host, steps: usize, limit: &str) -> u64 {
    let mut lives = vec![Life {
        root: host.root(),
        streams: Vec::new(),
    }];
    let mut requests = 0;
    let intervals = ["0.01", "10", "0.1", "1"];
    for step in 0..1_500 {
        if step % steps == steps - 1 {
            let interval = intervals[step / steps % intervals.len()];
            let root = host.add_root(Some(config(interval, limit).as_bytes()));
            assert!(root.accepted());
            lives.push(Life {
                root,
                streams: Vec::new(),
            });
        }
        for life in &mut lives {
            life.end(step);
        }
        // An old root ends with its last stream.
        let newest = lives.pop().unwrap();
        lives.retain(|life| {
            if life.streams.is_empty() {
                life.root.remove();
            }
            !life.streams.is_empty()
        });
        lives.push(newest);
        let under_way: usize = lives.iter().map(|life| life.streams.len()).sum();
        let begun = (STREAMS - under_way).min(1 + step / 100);
        for _ in 0..begun {
            lives.last_mut().unwrap().get(step + STEPS);
            requests += 1;
        }
        host.advance(STEP);
    }
    while lives.iter().any(|life| !life.streams.is_empty()) {
        for life in &mut lives {
            life.end(usize::MAX);
        }
    }
    let newest = lives.pop().unwrap();
    for life in lives {
        life.root.remove();
    }
    // The next round of the longest interval.
    host.advance(Duration::from_secs(10));
    assert_eq!(active(newest.root), 0);
    requests
}

#[test]
fn no_request_is_refused_or_counted_twice_while_configurations_follow_each_other() {
    for steps in [33, 7, 90] {
        let limit = r#""max_connections": 20"#;
        let host = start(&config("0.1", limit));
        let requests = reload_every(&host, steps, limit);
        for name in ["steerage_selections_total", "steerage_endpoint_active"] {
            let name = format!("{name};pool=default;endpoint=a");
            let expected = if name.contains("active") { 0 } else { requests };
            assert_eq!(host.metric(&name), Some(expected), "{name}, {steps}");
        }
        let good = "steerage_attempts_total;pool=default;endpoint=a;outcome=success";
        assert_eq!(host.metric(good), Some(requests), "{steps}");
        assert!(requests > 400, "{requests}");
    }
}

#[test]
fn a_limit_that_was_found_is_kept() {
    let limit = r#""dynamic": true, "max_connections": 40"#;
    let host = start(&config("0.1", limit));
    reload_every(&host, 33, limit);
}

#[test]
fn what_is_under_way_in_the_old_configuration_fills_the_limit_of_the_new_one() {
    let limit = r#""max_connections": 3"#;
    let host = start(&config("10", limit));
    let get = |root: Root| root.request(&head("GET", &[]), true);
    let [first, second] = [get(host.root()), get(host.root())];
    let new = host.add_root(Some(config("10", limit).as_bytes()));
    assert!(get(new).sent().is_none());
    assert_eq!(get(new).sent().unwrap().status, 503, "three are under way");
    assert_eq!(get(host.root()).sent().unwrap().status, 503, "for both");
    host.advance(Duration::from_millis(1));
    assert_eq!(active(new), 3);
    for stream in [first, second] {
        stream.response(OK, true);
        stream.finish();
    }
    // At once, though the next round is ten seconds away.
    assert!(get(new).sent().is_none() && get(new).sent().is_none());
    assert_eq!(get(new).sent().unwrap().status, 503);
}

#[test]
fn of_two_that_stay_one_reports_for_both() {
    let limit = r#""max_connections": 9"#;
    let host = start(&config("1", limit));
    let other = host.add_root(Some(config("1", limit).as_bytes()));
    let get = |root: Root| root.request(&head("GET", &[]), true);
    let ours = get(host.root());
    let theirs = get(other);
    host.advance(Duration::from_secs(1));
    assert_eq!(active(host.root()), 2);
    theirs.client_gone();
    // The one that reports ends; the other takes over at once.
    other.remove();
    assert_eq!(active(host.root()), 1);
    ours.client_gone();
    host.advance(Duration::from_secs(1));
    assert_eq!(active(host.root()), 0);
}
