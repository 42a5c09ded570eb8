//! `consistent_hash`: the same endpoint for the same key, and which part of a request is the key.

use alloc::format;

use super::*;
use crate::matching::RequestHead;

const ON_PATH: Strategy = Strategy::ConsistentHash(HashOn::Path);

/// The endpoints of the first keys of a long list.
fn owners(pool: &str, keys: u32) -> Vec<String> {
    let mut scene = Scene::new(&ON_PATH, pool);
    (0..keys).map(|n| scene.owner(n)).collect()
}

impl Scene {
    fn owner(&mut self, key: u32) -> String {
        self.key = Some(HashKey::of(format!("user-{key}").as_bytes()));
        self.pick_name()
    }
}

#[test]
fn a_key_stays_with_its_endpoint() {
    let mut scene = Scene::new(&ON_PATH, "a b:2 c:0.5");
    let first: Vec<_> = (0..1_000).map(|key| scene.owner(key)).collect();
    let second: Vec<_> = (0..1_000).map(|key| scene.owner(key)).collect();
    assert_eq!(first, second);
}

#[test]
fn the_order_of_the_endpoints_does_not_matter() {
    let expected = owners("a b:2 c d:3", 1_000);
    assert_eq!(owners("d:3 c b:2 a", 1_000), expected);
    assert_eq!(owners("c a d:3 b:2", 1_000), expected);
}

#[test]
fn losing_an_endpoint_moves_only_its_own_keys() {
    let before = owners("a b:2 c d:3", 2_000);
    let after = owners("a b:2 !c d:3", 2_000);
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || old == "c", "moved from {old} to {new}");
        assert_ne!(new, "c");
    }
}

#[test]
fn keys_of_a_lost_endpoint_spread_over_all_others() {
    let before = owners("a b:2 c d:3", 6_000);
    let after = owners("a b:2 !c d:3", 6_000);
    let moved = before.iter().zip(&after).filter(|(old, _)| *old == "c");
    let heirs: Vec<_> = moved.map(|(_, new)| &**new).collect();
    for (heir, weight) in [("a", 1.0), ("b", 2.0), ("d", 3.0)] {
        let count = heirs.iter().filter(|&&name| name == heir).count();
        let share = count as f64 / heirs.len() as f64;
        assert!((share - weight / 6.0).abs() < 0.05, "{heir}: {share}");
    }
}

#[test]
fn a_new_endpoint_takes_keys_only_for_itself() {
    let before = owners("a b:2 d:3", 2_000);
    let after = owners("a b:2 c d:3", 2_000);
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || new == "c", "moved from {old} to {new}");
    }
}

#[test]
fn a_heavier_weight_takes_keys_only_for_its_endpoint() {
    let before = owners("a b:2 c", 2_000);
    let after = owners("a b:3 c", 2_000);
    for (old, new) in before.iter().zip(&after) {
        assert!(old == new || new == "b", "moved from {old} to {new}");
    }
}

#[test]
fn keys_are_shared_out_by_weight() {
    let all = owners("a:1 b:2 c:3", 60_000);
    for (name, expected) in [("a", 10_000.0), ("b", 20_000.0), ("c", 30_000.0)] {
        let count = all.iter().filter(|owner| *owner == name).count();
        let error = (count as f64 - expected) / expected;
        assert!(error.abs() < 0.05, "{name}: {count}");
    }
}

#[test]
fn a_retry_goes_where_the_key_would_go_without_the_first() {
    let mut scene = Scene::new(&ON_PATH, "a b c");
    for key in 0..200 {
        scene.tried = Tried::default();
        let first = scene.owner(key);
        scene.tried.add(scene.index(&first));
        let second = scene.owner(key);
        scene.tried = Tried::default();
        scene.state(&first).agree(found(Health::Unhealthy));
        assert_eq!(scene.owner(key), second);
        scene.state(&first).agree(found(Health::Healthy));
    }
}

#[test]
fn a_request_without_the_key_goes_anywhere_by_weight() {
    check_shares(&mut Scene::new(&ON_PATH, "a:5 b:3 c:2"), &[5.0, 3.0, 2.0]);
}

/// A request that has one header besides its path.
struct Head {
    path: &'static str,
    header: (&'static str, &'static [u8]),
}

impl RequestHead for Head {
    fn method(&self) -> &[u8] {
        b"GET"
    }
    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }
    fn authority(&self) -> &[u8] {
        b"example.com"
    }
    fn header(&self, name: &str) -> Option<&[u8]> {
        (name == self.header.0).then_some(self.header.1)
    }
}

/// The key is that of these bytes, or there is none.
#[track_caller]
fn check_key(on: &HashOn, head: &Head, expected: Option<&[u8]>) {
    let shown = expected.map(String::from_utf8_lossy);
    let found = on.key(head);
    assert_eq!(found, expected.map(HashKey::of), "not the key of {shown:?}");
}

#[test]
fn a_cookie_is_looked_for_in_every_header_of_that_name() {
    struct Cookies;
    impl RequestHead for Cookies {
        fn method(&self) -> &[u8] {
            b"GET"
        }
        fn path(&self) -> &[u8] {
            b"/"
        }
        fn authority(&self) -> &[u8] {
            b""
        }
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "cookie").then_some(b"a=1")
        }
        fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            let values: &[&[u8]] = if name == "cookie" {
                &[b"a=1", b"", b"b=2; c=3", b"c=4"]
            } else {
                &[]
            };
            values.iter().copied()
        }
    }
    for (name, expected) in [
        ("a", Some("1")),
        ("b", Some("2")),
        ("c", Some("3")),
        ("d", None),
    ] {
        let key = HashOn::Cookie(name.into()).key(&Cookies);
        assert_eq!(
            key,
            expected.map(|value| HashKey::of(value.as_bytes())),
            "{name}"
        );
    }
}

#[test]
fn a_header_is_a_key_byte_for_byte() {
    let on = HashOn::Header("x-user".into());
    for value in ["7", " 7 ", "", "\u{fc}"] {
        let header = ("x-user", value.as_bytes());
        check_key(&on, &Head { path: "/", header }, Some(value.as_bytes()));
    }
    let not_utf8 = ("x-user", b"\xff".as_slice());
    check_key(
        &on,
        &Head {
            path: "/",
            header: not_utf8,
        },
        Some(b"\xff"),
    );
    let other = ("x-user-id", b"7".as_slice());
    check_key(
        &on,
        &Head {
            path: "/",
            header: other,
        },
        None,
    );
}

#[test]
fn a_cookie_is_found_by_its_whole_name() {
    let on = HashOn::Cookie("sid".into());
    for (cookies, expected) in [
        ("sid=7", Some("7")),
        ("a=b; sid=7; c=d", Some("7")),
        ("a=b;sid=7", Some("7")),
        ("a=b;  sid=7  ;c=d", Some("7")),
        ("xsid=1; sid=7", Some("7")),
        ("sidx=1; sid=7", Some("7")),
        ("sid=7; sid=8", Some("7")),
        ("sid=", Some("")),
        ("sid=a=b", Some("a=b")),
        ("sid=\"7 8\"", Some("\"7 8\"")),
        ("xsid=1", None),
        ("sidx=1", None),
        ("x=sid=7", None),
        ("SID=7", None),
        ("sid", None),
        ("; ;", None),
        ("", None),
    ] {
        let header = ("cookie", cookies.as_bytes());
        let expected = expected.map(str::as_bytes);
        check_key(
            &on,
            &Head {
                path: "/?sid=9",
                header,
            },
            expected,
        );
    }
}

#[test]
fn a_request_without_cookies_has_no_cookie_as_key() {
    let header = ("x-cookie", b"sid=7".as_slice());
    check_key(
        &HashOn::Cookie("sid".into()),
        &Head { path: "/", header },
        None,
    );
}

#[test]
fn a_query_parameter_is_found_by_its_whole_name() {
    let on = HashOn::Query("sid".into());
    for (path, expected) in [
        ("/?sid=7", Some("7")),
        ("/p?a=b&sid=7&c=d", Some("7")),
        ("/p?xsid=1&sid=7", Some("7")),
        ("/p?sid=7&sid=8", Some("7")),
        ("/p?sid=", Some("")),
        ("/p?sid=a%20b+c", Some("a%20b+c")),
        ("/p?sid=a?b", Some("a?b")),
        ("/p?xsid=1", None),
        ("/p?sid", None),
        ("/p?a;sid=7", None),
        ("/p?", None),
        ("/p", None),
        ("/sid=7", None),
        ("", None),
    ] {
        let header = ("cookie", b"sid=9".as_slice());
        let expected = expected.map(str::as_bytes);
        check_key(&on, &Head { path, header }, expected);
    }
}

#[test]
fn a_path_is_a_key_without_its_query() {
    let header = ("x", b"".as_slice());
    for (path, expected) in [
        ("/a/b?c=d", "/a/b"),
        ("/a/b", "/a/b"),
        ("/?", "/"),
        ("", ""),
    ] {
        check_key(
            &HashOn::Path,
            &Head { path, header },
            Some(expected.as_bytes()),
        );
    }
}

#[test]
fn a_source_address_is_not_in_the_requests_head() {
    let header = ("x-forwarded-for", b"192.0.2.1".as_slice());
    check_key(&HashOn::SourceIp, &Head { path: "/", header }, None);
    let hash_on = Strategy::ConsistentHash(HashOn::SourceIp);
    assert_eq!(hash_on.hash_on(), Some(&HashOn::SourceIp));
    assert_eq!(Strategy::RoundRobin.hash_on(), None);
}

#[test]
fn a_key_that_is_an_endpoints_name_is_shared_out_like_any_other() {
    let own = (0..400).filter(|n| {
        let name = format!("cluster-{n}");
        let mut scene = Scene::new(&ON_PATH, &format!("{name} other"));
        scene.key = Some(HashKey::of(name.as_bytes()));
        scene.picks(1) == name
    });
    let own = own.count();
    assert!((150..=250).contains(&own), "{own}");
}
