//! Health checks: which cluster is asked, and for which host.

use crate::fake_host::Setup;
use crate::scene::text;

/// The clusters that are asked, each with `:authority` and `:path`, in the order of the endpoints.
fn asked(endpoints: &str, health_check: &str) -> Vec<(String, String, String)> {
    let clusters = [
        "a",
        "b",
        "b-probe",
        "outbound|80||api.ns",
        "outbound|15021|v1|probe.ns",
    ];
    let config = format!(
        r#"{{"endpoints": [{endpoints}], "health_check": {{"interval": 10{health_check}}}}}"#
    );
    let host = clusters
        .into_iter()
        .fold(Setup::new(), Setup::cluster)
        .start(Some(config.as_bytes()), steerage::register);
    assert!(host.accepted(), "{:?}", host.logs());
    host.advance(std::time::Duration::from_millis(1));
    let calls = host.calls();
    let header = |call: &crate::fake_host::Call, name| text(call.header(name).unwrap());
    calls
        .iter()
        .map(|call| {
            (
                call.cluster.clone(),
                header(call, ":authority"),
                header(call, ":path"),
            )
        })
        .collect()
}

#[test]
fn checks_ask_the_endpoints_own_cluster_host_and_path() {
    let endpoints = r#"
        "a",
        "outbound|80||api.ns",
        {"cluster": "b", "authority": "b.example", "health_check_path": "/up",
         "health_check_cluster": "b-probe"}"#;
    let row = |(cluster, host, path): (&str, &str, &str)| {
        (cluster.to_owned(), host.to_owned(), path.to_owned())
    };
    assert_eq!(
        asked(endpoints, ""),
        [
            ("a", "a", "/health"),
            ("outbound|80||api.ns", "api.ns", "/health"),
            ("b-probe", "b.example", "/up"),
        ]
        .map(row)
    );
    assert_eq!(
        asked_on_its_own(endpoints, r#", "host": "checks.example", "path": "/live""#),
        [
            ("a", "checks.example", "/live"),
            ("outbound|80||api.ns", "checks.example", "/live"),
            ("b-probe", "b.example", "/up"),
        ]
        .map(row)
    );
    let probe = r#"{"cluster": "b", "authority": "b.example", "health_check_host": "probe.example"},
        {"cluster": "a", "health_check_cluster": "outbound|15021|v1|probe.ns"}"#;
    assert_eq!(
        asked_on_its_own(probe, ""),
        [
            ("b", "probe.example", "/health"),
            ("outbound|15021|v1|probe.ns", "probe.ns", "/health"),
        ]
        .map(row)
    );
}

/// The same in a thread, and so with a host, of its own.
fn asked_on_its_own(
    endpoints: &'static str,
    health_check: &'static str,
) -> Vec<(String, String, String)> {
    std::thread::spawn(|| asked(endpoints, health_check))
        .join()
        .unwrap()
}
