//! Turns across reloads: a new configuration goes on where the old one stood.

use crate::fake_host::Host;
use crate::scene::{OK, PLAIN, cluster_of, get, start};

/// Where the next request goes.
fn next(host: &Host) -> String {
    let stream = get(host);
    let cluster = cluster_of(stream);
    stream.response(OK, true);
    stream.finish();
    cluster
}

#[test]
fn a_reload_does_not_restart_turns() {
    let host = start(PLAIN);
    assert_eq!([next(&host), next(&host)], ["a", "b"]);
    let reloaded = host.add_root(Some(PLAIN.as_bytes()));
    let stream = reloaded.request(&crate::scene::head("GET", &[]), true);
    assert_eq!(cluster_of(stream), "c");
    let renamed = PLAIN.replace("\"endpoints\"", "\"name\": \"other\", \"endpoints\"");
    let other = host.add_root(Some(renamed.as_bytes()));
    let stream = other.request(&crate::scene::head("GET", &[]), true);
    assert_eq!(
        cluster_of(stream),
        "a",
        "another pool has a turn of its own"
    );
}
