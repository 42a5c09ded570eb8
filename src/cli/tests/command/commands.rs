//! What each command prints, and with which exit code it ends.

use serde_json::Value;

use crate::samples::{PRESETS, document, root, samples};
use crate::{Run, steerage};

#[track_caller]
fn check_output(arguments: &[&str], input: &str, status: i32, expected: &str) {
    let run = steerage(arguments, input.as_bytes());
    assert_eq!(run.output, expected);
    assert_eq!((run.status, &*run.complaint), (status, ""));
}

#[track_caller]
fn check_failure(arguments: &[&str], input: &str, status: i32, part: &str) {
    let run = steerage(arguments, input.as_bytes());
    assert_eq!((run.status, &*run.output), (status, ""));
    assert!(run.complaint.contains(part), "{}", run.complaint);
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.output).expect("JSON")
}

#[test]
fn check_shows_every_error_with_its_place() {
    check_output(
        &["check", "-"],
        "{\n  \"endpoints\": [\"a\", \"a\"],\n  \"timeout\": {\"raed\": 1, \"read\": 0}\n}",
        1,
        "standard input:2:22: error: endpoints[1]: must be unique, is the same as endpoints[0], got \"a\"\n  \
         help: remove it, or endpoints[0]\n\
         standard input:3:15: error: timeout.raed: unknown field, did you mean `read`?\n  \
         help: write \"read\": 1\n\
         standard input:3:34: error: timeout.read: must be a duration above 0 and at most 24 h: \
         seconds (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0\n\
         standard input: refused, 3 errors\n",
    );
    check_output(
        &["check", "-"],
        "{\"endpoints\": [\n]",
        1,
        "standard input:2:1: error: the configuration is not valid JSON at line 2, column 1: EOF \
         while parsing an object\n  help: write } at the end\nstandard input: refused, 1 error\n",
    );
    let run = steerage(&["check", "-"], b"\xff");
    assert_eq!(run.status, 1);
    assert!(run.output.contains("binary protobuf"), "{}", run.output);
}

#[test]
fn check_takes_the_configuration_of_attempts_and_nothing_beside_it() {
    let good = "standard input: good, for the module in the router's upstream filters\n";
    check_output(
        &["check", "--strict", "-"],
        r#"{"role": "attempts"}"#,
        0,
        good,
    );
    check_output(
        &["check", "-"],
        r#"{"role": "attempts", "endpoints": ["a"]}"#,
        1,
        "standard input:1:22: error: endpoints: must not be given beside `role`: that is a \
         configuration of its own, without another field\nstandard input: refused, 1 error\n",
    );
    let run = steerage(&["delays", "-"], br#"{"role": "attempts"}"#);
    assert_eq!(run.status, 1);
    assert!(
        run.complaint.contains("this one has no pools"),
        "{}",
        run.complaint
    );
}

#[test]
fn check_warns_and_is_strict_only_if_asked() {
    let trap = r#"{"endpoints": ["a", "b"], "retry_policy": {"max_attempts": 4}}"#;
    let expected = "standard input:1:60: warning: retry_policy.max_attempts: 4 attempts of 30 s each do \
                    not fit into timeout.total of 60 s: the last ones are cut short\n  \
                    help: write \"max_attempts\": 2, or \"total\": \"120s\" in timeout\n\
                    standard input: good, 1 pool with 2 endpoints, 1 warning\n";
    check_output(&["check", "-"], trap, 0, expected);
    check_output(&["check", "--strict", "-"], trap, 1, expected);

    let run = steerage(&["check", "--format", "json", "-"], trap.as_bytes());
    let found = json(&run);
    assert_eq!(found["valid"], true);
    assert_eq!(found["warnings"][0]["path"], "retry_policy.max_attempts");
    assert_eq!(found["warnings"][0]["column"], 60);

    let run = steerage(&["check", "--format", "json", "-"], b"{}");
    let found = json(&run);
    assert_eq!((run.status, &found["valid"]), (1, &Value::Bool(false)));
    assert_eq!(found["errors"][0]["path"], "endpoints");
    assert_eq!(found["errors"][0]["line"], 1);
}

#[test]
fn check_takes_every_sample() {
    for sample in samples() {
        let run = steerage(&["check", "-"], sample.as_bytes());
        assert_eq!(run.status, 0, "{sample}\n{}", run.output);
    }
}

#[test]
fn presets_have_no_warnings() {
    let readme = document("envoy/presets/README.md");
    for name in PRESETS {
        let run = steerage(
            &["check", "--strict", "-"],
            document(&format!("envoy/presets/{name}.json")).as_bytes(),
        );
        assert_eq!(run.status, 0, "{name}: {}", run.output);
        assert!(readme.contains(&format!("`{name}.json`")), "{name}");
    }
}

#[test]
fn delays_are_those_of_the_strategy() {
    let input = r#"{
        "endpoints": ["a", "b"],
        "retry_policy": {"base_delay": 1, "jitter": false},
        "timeout": {"connect": 1, "read": 1, "total": 5}
    }"#;
    check_output(
        &["delays", "-", "--attempts", "4"],
        input,
        0,
        "pool default: 4 attempts, jitter none, the answer due within 5 s\n  \
         retry      delay  with jitter              drawn     so far   0 to 4 s\n      \
         1        1 s  1 s to 1 s                  1 s        1 s           ●\n      \
         2        2 s  2 s to 2 s                  2 s        3 s                   ●\n      \
         3        4 s  4 s to 4 s                  4 s        7 s                                  ●  too late\n",
    );
    let arguments = ["delays", "-", "--format", "json", "--seed", "3"];
    let input = r#"{"endpoints": ["a"], "retry_policy": {"throttling_base_delay": "1s"}}"#;
    let first = steerage(&arguments, input.as_bytes());
    let found = json(&first);
    assert_eq!(found[0]["attempts"], 3);
    assert_eq!(found[0]["retries"][1]["delay"], 0.05);
    assert_eq!(found[0]["throttling_retries"][1]["most"], 2.0);
    let again = steerage(&arguments, input.as_bytes());
    assert_eq!(first.output, again.output);
}

#[test]
fn delays_need_a_good_configuration_with_pools() {
    check_failure(&["delays", "-"], "{}", 1, "endpoints: must be given");
    check_failure(&["delays", "-"], r#"{"admin": {}}"#, 2, "no pools");
    check_failure(&["delays", "-", "--attempts", "11"], "{}", 2, "1..=10");
}

#[test]
fn size_follows_littles_law() {
    check_output(
        &["size", "--rps", "100", "--response-time", "500ms"],
        "",
        0,
        "100 requests a second × 500 ms = 50 under way on average\n\
         max_connections            60\n\
         max_keepalive_connections  30\n",
    );
    let many = [
        "size",
        "--rps",
        "900",
        "--response-time",
        "1",
        "--endpoints",
        "3",
    ];
    let run = steerage(&many, b"");
    assert!(
        run.output
            .contains("300 under way on average, for each of 3 endpoints")
    );
    assert!(run.output.contains("max_connections            100"));
    assert!(run.output.contains("requests will be refused"));
    for (name, value) in [("--rps", "0"), ("--rps", "x"), ("--response-time", "-1")] {
        let argument = format!("{name}={value}");
        let run = steerage(
            &["size", "--rps", "1", "--response-time", "1", &argument],
            b"",
        );
        assert_eq!(run.status, 2, "{argument}");
    }
}

#[test]
fn render_envoy_writes_what_the_configuration_and_the_arguments_say() {
    let policy = r#"{
        "cluster_header": "x-to",
        "pools": [
            {"name": "a", "endpoints": ["east", "we\"st"], "timeout": {"connect": "250ms"}},
            {"name": "b", "endpoints": ["east"]}
        ]
    }"#;
    let arguments = [
        "render",
        "envoy",
        "-",
        "--wasm",
        "/x.wasm",
        "--listen",
        "[::1]:80",
        "--address",
        "we\"st=a.org:7",
    ];
    let run = steerage(&arguments, policy.as_bytes());
    assert_eq!((run.status, &*run.complaint), (0, ""));
    for part in [
        "cluster_header: \"x-to\"\n",
        "address: {socket_address: {address: \"::1\", port_value: 80}}",
        "code: {local: {filename: \"/x.wasm\"}}",
        "  # Of the pools a, b.\n  - name: \"east\"\n",
        "    connect_timeout: 0.250s\n",
        "{max_connections: 400, max_pending_requests: 400, max_requests: 400}",
        "  - name: \"we\\\"st\"\n",
        "{address: \"a.org\", port_value: 7}",
        "{address: \"127.0.0.1\", port_value: 8081}",
    ] {
        assert!(run.output.contains(part), "no {part} in\n{}", run.output);
    }
    let written: String = policy.split_whitespace().collect();
    let output: String = run.output.split_whitespace().collect();
    assert!(output.contains(&written));
}

#[test]
fn render_envoy_refuses_what_it_cannot_write() {
    check_failure(
        &["render", "envoy", "-"],
        "{}",
        1,
        "endpoints: must be given",
    );
    let policy = r#"{"endpoints": ["a"]}"#;
    for (address, part) in [
        ("b=x:1", "no endpoint has the cluster b"),
        ("x:1", "CLUSTER=HOST:PORT"),
        ("a=x", "HOST:PORT"),
        ("a=x:y", "end with a port"),
        ("a=:1", "begin with a host"),
    ] {
        check_failure(
            &["render", "envoy", "-", "--address", address],
            policy,
            2,
            part,
        );
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    for command in [
        &["check", "--help"][..],
        &["delays", "--help"],
        &["size", "--help"],
        &["render", "envoy", "--help"],
        &["render", "istio", "--help"],
        &["render", "gateway", "--help"],
        &["import", "--help"],
        &["schema", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let run = steerage(command, b"");
        assert_eq!(run.status, 0);
        assert!(run.output.contains("Examples:\n  steerage "), "{command:?}");
    }
    let run = steerage(&["--help"], b"");
    assert!(run.output.contains("Exit codes:"), "{}", run.output);
    assert!(
        !run.output.contains('\u{1b}'),
        "coloured without a terminal"
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = steerage(&["completions", shell], b"");
        assert_eq!(run.status, 0, "{shell}");
        for word in ["steerage", "check", "delays", "response-time"] {
            assert!(run.output.contains(word), "{shell} {word}");
        }
    }
}

#[test]
fn manual_pages_know_the_commands() {
    let run = steerage(&["man"], b"");
    assert_eq!((run.status, &*run.complaint), (0, ""));
    assert!(run.output.contains(".TH steerage 1"), "{}", run.output);
    let folder = std::env::temp_dir().join(format!("steerage-man-{}", std::process::id()));
    let run = steerage(&["man", &folder.display().to_string()], b"");
    assert_eq!((run.status, &*run.complaint), (0, ""));
    for name in ["steerage", "steerage-check", "steerage-render-istio"] {
        let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).expect("a page");
        assert!(page.contains("steerage"), "{name}");
    }
    std::fs::remove_dir_all(&folder).expect("it was written");
    check_failure(
        &["man", "/dev/null/x"],
        "",
        2,
        "cannot write into /dev/null/x",
    );
}

#[test]
fn failures_are_reported() {
    check_failure(&[], "", 2, "Usage: steerage");
    check_failure(
        &["chekc"],
        "",
        2,
        "similar subcommands exist: 'schema', 'check'",
    );
    check_failure(
        &["check", "no/such/file"],
        "",
        2,
        "cannot read no/such/file",
    );
    let folder = root().join("src/policy").display().to_string();
    check_failure(
        &["check", &folder],
        "",
        2,
        "no configuration of Steerage in",
    );
}

/// A disk that is full, or a pipe that breaks in another way than by a reader that has had enough.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let samples = samples();
    let file = std::env::temp_dir().join(format!("steerage-full-{}.json", std::process::id()));
    std::fs::write(&file, &samples[0]).expect("a file");
    let path = file.display().to_string();
    for command in [
        &["render", "envoy", &path][..],
        &["check", &path],
        &["schema"],
        &["--help"],
    ] {
        let full = std::fs::File::create("/dev/full").expect("a device");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_steerage"))
            .args(command)
            .stdout(full)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains("cannot write"), "{complaint}");
    }
    std::fs::remove_file(&file).expect("it was written");
}
