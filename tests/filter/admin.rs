//! Reads of the admin surface: its resources, who may see them, and the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::fake_host::{Host, Sent, Stream, first, headers};
use crate::scene::{cluster_of, head, start, text};

/// A pool, and the admin surface with a token.
pub(crate) const GUARDED: &str =
    r#"{"endpoints": ["a", "b", "c"], "admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#;

/// The same without a token.
const OPEN: &str = r#"{"endpoints": ["a", "b", "c"], "admin": {"path": "/steerage"}}"#;

/// The header with the right token.
pub(crate) const TOKEN: (&str, &str) = ("authorization", "Bearer s3cret-t0ken");

/// The head of a request for `path`.
pub(crate) fn head_of<'a>(
    method: &'a str,
    path: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut headers = head(method, more);
    headers.retain(|(name, _)| *name != ":path");
    headers.push((":path", path));
    headers
}

/// The answer to a request without a body.
#[track_caller]
pub(crate) fn ask(host: &Host, method: &str, path: &str, more: &[(&str, &str)]) -> Sent {
    let stream = host.request(&head_of(method, path, more), true);
    assert_eq!(stream.request_header("x-steerage-cluster"), None);
    assert!(stream.has_ended(), "{method} {path} is not answered");
    stream.sent().unwrap()
}

/// A header of an answer.
fn header(sent: &Sent, name: &str) -> String {
    text(sent.header(name).unwrap_or_default())
}

/// The answer is an error of this status, with the reason as JSON.
#[track_caller]
pub(crate) fn assert_error(sent: &Sent, status: u32) {
    assert_eq!(sent.status, status, "{}", text(&sent.body));
    assert_eq!(header(sent, "content-type"), "application/json");
    assert_eq!(header(sent, "cache-control"), "no-store");
    let document: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    let fields = document.as_object().unwrap();
    assert_eq!(fields.len(), 1, "{document}");
    assert!(fields["error"].as_str().is_some_and(|text| text.len() > 4));
}

#[track_caller]
fn assert_page(sent: &Sent, status: u32) {
    assert_eq!(sent.status, status);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(header(sent, name), value);
    }
    assert!(sent.body == PAGE.as_bytes());
}

const PAGE: &str = include_str!("../../src/admin/dashboard.html");

#[test]
fn each_resource_is_answered_with_its_content() {
    let host = start(OPEN);
    for path in [
        "/steerage/endpoints",
        "/steerage/metrics",
        "/steerage/health",
    ] {
        for query in ["", "?", "?a=b&state=open"] {
            let sent = ask(&host, "GET", &format!("{path}{query}"), &[]);
            assert_eq!(sent.status, 200, "{path}");
            assert_eq!(header(&sent, "content-type"), "application/json");
            assert_eq!(header(&sent, "cache-control"), "no-store");
            assert_eq!(sent.details, "steerage_admin");
            assert!(serde_json::from_slice::<serde_json::Value>(&sent.body).is_ok());
            let again = ask(&host, "HEAD", path, &[]);
            assert_eq!(
                again, sent,
                "Envoy keeps the body of a HEAD's answer to itself"
            );
        }
    }
    assert_page(&ask(&host, "GET", "/steerage/", &[]), 200);
    assert_page(&ask(&host, "HEAD", "/steerage/?x", &[]), 200);
    for path in ["/steerage", "/steerage?x"] {
        let sent = ask(&host, "GET", path, &[]);
        assert_eq!((sent.status, sent.body.len()), (301, 0));
        assert_eq!(header(&sent, "location"), "steerage/");
    }
}

#[test]
fn an_unknown_resource_is_404_and_an_unknown_method_405() {
    let host = start(GUARDED);
    for path in [
        "/steerage/nothing",
        "/steerage//",
        "/steerage/endpoints/",
        "/steerage/endpoints/a",
        "/steerage/endpoints/a/weight",
        "/steerage/endpoints/health",
        "/steerage/Health",
        "/steerage/health/",
    ] {
        for method in ["GET", "POST", "PUT"] {
            assert_error(&ask(&host, method, path, &[TOKEN]), 404);
        }
    }
    for path in ["", "/", "/endpoints", "/metrics", "/health"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", ""] {
            let sent = ask(&host, method, &format!("/steerage{path}"), &[TOKEN]);
            assert_error(&sent, 405);
            assert_eq!(header(&sent, "allow"), "GET, HEAD");
        }
    }
    for path in [
        "/steerage/endpoints/a/health",
        "/steerage/endpoints/a/circuit",
    ] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let sent = ask(&host, method, path, &[TOKEN]);
            assert_error(&sent, 405);
            assert_eq!(header(&sent, "allow"), "POST");
        }
    }
}

#[test]
fn paths_outside_of_the_surface_are_not_answered() {
    let host = start(GUARDED);
    for path in [
        "/steeragex",
        "/steerag",
        "/",
        "/x/steerage/",
        "//steerage/",
        "/Steerage/",
    ] {
        let stream = host.request(&head_of("GET", path, &[]), true);
        assert!(["a", "b", "c"].contains(&&*cluster_of(stream)), "{path}");
        stream.client_gone();
    }
}

#[test]
fn a_path_of_several_parts_is_redirected_within_its_folder() {
    let host = start(r#"{"endpoints": ["a"], "admin": {"path": "/ops/lb"}}"#);
    let sent = ask(&host, "GET", "/ops/lb", &[]);
    assert_eq!((sent.status, &*header(&sent, "location")), (301, "lb/"));
    assert_page(&ask(&host, "GET", "/ops/lb/", &[]), 200);
}

#[test]
fn without_an_admin_section_there_is_no_surface() {
    let host = start(r#"{"endpoints": ["a", "b"]}"#);
    for method in ["GET", "POST"] {
        let stream = host.request(&head_of(method, "/steerage/endpoints", &[TOKEN]), true);
        assert!(stream.request_header("x-steerage-cluster").is_some());
        stream.client_gone();
    }
}

#[test]
fn a_request_without_the_token_learns_nothing() {
    let host = start(GUARDED);
    let wrong = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer s3cret-t0ke",
        "Bearer s3cret-t0kem",
        "Bearer s3cret-t0kenn",
        "Bearer s3cret-t0ken ",
        "Bearer  s3cret-t0ken",
        "Bearer S3CRET-T0KEN",
        "Basic s3cret-t0ken",
        "Basicc s3cret-t0ken",
        "s3cret-t0ken",
        "bearers3cret-t0ken",
    ];
    let wrong = wrong.map(|value| vec![("authorization", value)]);
    let others = [
        vec![],
        vec![("x-authorization", TOKEN.1)],
        vec![("authorization", "Bearer x"), TOKEN],
    ];
    for headers in wrong.iter().chain(&others) {
        for (method, path) in [
            ("GET", "/steerage/endpoints"),
            ("GET", "/steerage/metrics"),
            ("GET", "/steerage/health"),
            ("GET", "/steerage"),
            ("GET", "/steerage/nothing"),
            ("POST", "/steerage/"),
            ("POST", "/steerage/endpoints/a/circuit?state=open"),
            ("POST", "/steerage/endpoints/unknown/circuit?state=open"),
            ("GET", "/steerage/endpoints/%zz/circuit"),
        ] {
            let sent = ask(&host, method, path, headers);
            assert_error(&sent, 401);
            assert_eq!(
                header(&sent, "www-authenticate"),
                "Bearer realm=\"steerage\""
            );
            assert!(!text(&sent.body).contains("s3cret"));
        }
        // The page holds no data, and asks for the token.
        let page = ask(&host, "GET", "/steerage/", headers);
        assert_page(&page, 401);
        assert_eq!(
            header(&page, "www-authenticate"),
            "Bearer realm=\"steerage\""
        );
    }
    let unreadable = headers(&[(":method", "GET"), (":path", "/steerage/health")]);
    let mut unreadable = unreadable;
    unreadable.push(("authorization".to_owned(), b"Bearer \xff\xfe".to_vec()));
    assert_error(&host.request(&unreadable, true).sent().unwrap(), 401);
    assert!(host.shared_keys().len() < 20, "{:?}", host.shared_keys());
    for stream in three(&host) {
        stream.client_gone();
    }
}

/// Three requests, one to each endpoint: no override applies.
#[track_caller]
fn three(host: &Host) -> [Stream; 3] {
    let streams = [(); 3].map(|()| host.request(&head("GET", &[]), true));
    let mut clusters = streams.map(cluster_of);
    clusters.sort_unstable();
    assert_eq!(clusters, ["a", "b", "c"]);
    streams
}

#[test]
fn the_schemes_case_does_not_matter() {
    let host = start(GUARDED);
    for value in [
        "Bearer s3cret-t0ken",
        "bearer s3cret-t0ken",
        "BEARER s3cret-t0ken",
    ] {
        let sent = ask(
            &host,
            "GET",
            "/steerage/health",
            &[("authorization", value)],
        );
        assert_eq!(sent.status, 200, "{value}");
        assert_page(
            &ask(&host, "GET", "/steerage/", &[("authorization", value)]),
            200,
        );
    }
}

#[test]
fn without_a_token_reads_work_and_writes_do_not() {
    let host = start(OPEN);
    assert_eq!(ask(&host, "GET", "/steerage/endpoints", &[]).status, 200);
    for subject in ["circuit?state=open", "health?health=unhealthy", "circuit"] {
        let path = format!("/steerage/endpoints/a/{subject}");
        for more in [&[][..], &[TOKEN]] {
            assert_error(&ask(&host, "POST", &path, more), 403);
        }
        let stream = host.request(&head_of("POST", &path, &[("content-length", "4")]), false);
        assert_error(&stream.sent().unwrap(), 403);
    }
    for stream in three(&host) {
        stream.client_gone();
    }
}

#[test]
fn the_policy_of_the_page_allows_its_style_and_its_script_and_no_other() {
    let host = start(OPEN);
    let sent = ask(&host, "GET", "/steerage/", &[]);
    let policy = header(&sent, "content-security-policy");
    let wanted = ["style", "script"].map(|element| {
        let (begin, end) = (format!("<{element}"), format!("</{element}>"));
        assert_eq!(PAGE.matches(&begin).count(), 1, "one {element}");
        let (_, rest) = PAGE.split_once(&format!("{begin}>")).unwrap();
        let (content, _) = rest.split_once(&end).unwrap();
        let hash = STANDARD.encode(Sha256::digest(content));
        format!("{element}-src 'sha256-{hash}';")
    });
    assert!(
        wanted.iter().all(|wanted| policy.contains(wanted)),
        "the page has changed: in src/admin/page.rs must be {wanted:#?}, and is {policy:?}"
    );
    for wanted in [
        "default-src 'none';",
        "connect-src 'self';",
        "base-uri 'none';",
        "form-action 'none';",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(wanted), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    // What the policy would forbid.
    for forbidden in [
        " style=\"",
        " onclick=",
        "javascript:",
        "<link",
        " src=",
        "@import",
        "url(",
    ] {
        assert!(!PAGE.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn an_instance_without_pools_answers_for_those_of_the_others() {
    let host = start(r#"{"name": "one", "endpoints": ["a"]}"#);
    let more = [
        r#"{"pools": [{"name": "two", "match": {"path": "/x"}, "endpoints": ["b", "c"]}]}"#,
        r#"{"admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#,
    ];
    let roots = more.map(|json| host.add_root(Some(json.as_bytes())));
    assert!(
        roots.iter().all(|root| root.accepted()),
        "{:?}",
        host.logs()
    );
    host.advance(std::time::Duration::from_millis(1));
    let path = "/steerage/endpoints";
    let stream = roots[1].request(&head_of("GET", path, &[TOKEN]), true);
    let list: serde_json::Value = serde_json::from_slice(&stream.sent().unwrap().body).unwrap();
    let found: Vec<_> = list.as_array().unwrap().iter().collect();
    let names = found
        .iter()
        .map(|it| (it["pool"].as_str().unwrap(), it["url"].as_str().unwrap()));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, [("one", "a"), ("two", "b"), ("two", "c")]);
    // Other requests go on, without a cluster.
    let other = roots[1].request(&head_of("GET", "/", &[("x-steerage-cluster", "a")]), true);
    assert_eq!(other.request_header("x-steerage-cluster"), None);
    assert!(first(&other.request_headers(), ":path").is_some());
    other.client_gone();
}
