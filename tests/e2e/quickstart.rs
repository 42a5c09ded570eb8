//! The quick start: the servers of `run.sh` work, fail over, are scraped, and are gone afterwards;
//! and `docker-compose.yaml`, which cannot be run everywhere, starts the same.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_yaml_ng::Value;
use steerage_harness::{envoy_binary, eventually, prometheus_binary, repository, run};

/// Every port in the files.
const PORTS: [u16; 7] = [8081, 8082, 8083, 9090, 9901, 10000, 10001];

/// The files that are copied, with other ports.
const FILES: [&str; 6] = [
    "envoy/operations.yaml",
    "envoy/prometheus/alerts.yml",
    "envoy/prometheus/prometheus.yml",
    "envoy/prometheus/recording.yml",
    "envoy/quickstart/run.sh",
    "envoy/quickstart/upstream.py",
];

#[test]
fn the_script_steers_fails_over_is_scraped_and_leaves_nothing_behind() {
    run(async {
        let copy = Copy::of_the_tree();
        let mut running = copy.start(&[]);
        let ready = async || copy.output().contains("Ctrl-C").then_some(());
        eventually("the quick start", LONG, ready).await.unwrap();
        let listening = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        assert!(copy.ports.iter().all(listening), "{}", copy.output());
        // Like Ctrl-C, but a script in the background gets it, too.
        let signalled = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &running.id().to_string()])
            .status();
        assert!(signalled.unwrap().success());
        let ended = async || running.try_wait().unwrap();
        let status = eventually("its end", LONG, ended).await.unwrap();
        assert_eq!(status.code(), Some(143), "{}", copy.output());
        assert!(!copy.ports.iter().any(listening), "{}", copy.output());

        let mut checking = copy.start(&["--check"]);
        let ended = async || checking.try_wait().unwrap();
        let status = eventually("the check", LONG, ended).await.unwrap();
        assert!(status.success(), "{}", copy.output());
        for step in [
            "three servers serve",
            "west has ended",
            "Prometheus has seen",
        ] {
            assert!(copy.output().contains(step), "{step}: {}", copy.output());
        }
        assert!(!copy.ports.iter().any(listening), "{}", copy.output());
    });
}

/// The check waits for two scrapes, which are 15 s apart.
const LONG: Duration = Duration::from_secs(120);

const MARK: char = '\u{1}';

/// The files of the quick start in a directory of their own, on ports that are free.
struct Copy {
    root: PathBuf,
    ports: Vec<u16>,
}

impl Copy {
    fn of_the_tree() -> Self {
        let root = std::env::temp_dir().join(format!("steerage-quickstart-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&root);
        let listeners = PORTS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let mut unused = BTreeSet::from(PORTS);
        for file in FILES {
            let mut text = fs::read_to_string(repository().join(file)).unwrap();
            for (from, to) in PORTS.iter().zip(ports) {
                // Not within another number, and marked: a free port may be one of the old ones.
                for before in [":", " ", "="] {
                    let old = format!("{before}{from}");
                    if text.contains(&old) {
                        unused.remove(from);
                    }
                    text = text.replace(&old, &format!("{before}{MARK}{to}"));
                }
            }
            let text = text.replace(MARK, "");
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert!(unused.is_empty(), "no file names {unused:?}");
        let wasm = std::env::var_os("STEERAGE_WASM")
            .map_or_else(|| repository().join("target/steerage.wasm"), PathBuf::from);
        for folder in ["target", "tests/harness"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        symlink(wasm, root.join("target/steerage.wasm")).unwrap();
        for script in ["tests/harness/envoy.sh", "tests/harness/prometheus.sh"] {
            symlink(repository().join(script), root.join(script)).unwrap();
        }
        let ports = ports.to_vec();
        Self { root, ports }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let log = File::create(self.root.join("log")).unwrap();
        Command::new("bash")
            .arg(self.root.join("envoy/quickstart/run.sh"))
            .args(arguments)
            .env("ENVOY", envoy_binary().unwrap())
            .env("PROMETHEUS", prometheus_binary().unwrap())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.root.join("log")).unwrap()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn docker_compose_starts_what_the_script_starts() {
    let folder = repository().join("envoy/quickstart");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut yaml: Value = serde_yaml_ng::from_str(&text).unwrap();
        yaml.apply_merge().unwrap();
        yaml
    };
    let compose = read(folder.join("docker-compose.yaml"));
    let services = compose["services"].as_mapping().unwrap();

    for (name, service) in services {
        // All name 127.0.0.1, and mean the same machine.
        assert_eq!(service["network_mode"], "host", "{name:?}");
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.split_once(':').unwrap();
        let numbers = tag.trim_start_matches('v').split(['.', '-']);
        let numbers = numbers.take_while(|part| part.parse::<u32>().is_ok());
        assert_eq!(numbers.count(), 3, "{image} may be another one tomorrow");
        for mount in service["volumes"].as_sequence().unwrap() {
            let source = mount["source"].as_str().unwrap();
            assert!(folder.join(source).exists(), "{source}");
            // Docker would create a directory for a missing file.
            assert_eq!(mount["bind"]["create_host_path"], false, "{source}");
            assert_eq!(mount["read_only"], true, "{source}");
        }
    }

    // Every path within a container is of a file that is mounted there.
    let seen_as = |service: &str, path: &str| {
        let mounts = compose["services"][service]["volumes"]
            .as_sequence()
            .unwrap();
        let found = mounts.iter().find_map(|mount| {
            let [source, target] = ["source", "target"].map(|it| mount[it].as_str().unwrap());
            let below = Path::new(path).strip_prefix(target).ok()?;
            let file = folder.join(source).join(below);
            // A file joined with an empty path ends with a slash.
            Some(
                file.components()
                    .collect::<PathBuf>()
                    .canonicalize()
                    .unwrap(),
            )
        });
        found.unwrap_or_else(|| panic!("{service} has no {path}"))
    };
    let same = |service: &str, path: &str, file: &str| {
        let file = repository().join(file).canonicalize().unwrap();
        assert_eq!(seen_as(service, path), file);
    };
    let words = |service: &str| -> Vec<String> {
        serde_yaml_ng::from_value(compose["services"][service]["command"].clone()).unwrap()
    };
    let script = fs::read_to_string(folder.join("run.sh")).unwrap();

    let envoy = words("envoy").join(" ");
    assert!(
        script.contains(&envoy.replace("envoy -c", "\"$envoy\" -c")),
        "{envoy}"
    );
    assert_eq!(compose["services"]["envoy"]["working_dir"], "/steerage");
    for file in ["envoy/operations.yaml", "target/steerage.wasm"] {
        same("envoy", &format!("/steerage/{file}"), file);
    }
    let operations = read(repository().join("envoy/operations.yaml"));
    let clusters = operations["static_resources"]["clusters"]
        .as_sequence()
        .unwrap();
    for cluster in clusters {
        let name = cluster["name"].as_str().unwrap();
        let hosts = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"];
        let addr = &hosts[0]["endpoint"]["address"]["socket_address"];
        let port = addr["port_value"].as_u64().unwrap();
        assert_eq!(
            words(name),
            ["python3", "/upstream.py", name, &port.to_string()]
        );
        same(name, "/upstream.py", "envoy/quickstart/upstream.py");
        let started = format!("start {name} python3 envoy/quickstart/upstream.py {name} {port}\n");
        assert!(script.contains(&started), "{started}");
    }

    let [config, data, listen] = &words("prometheus")[..] else {
        panic!("{:?}", words("prometheus"));
    };
    let config = config.strip_prefix("--config.file=").unwrap();
    same("prometheus", config, "envoy/prometheus/prometheus.yml");
    assert!(data.starts_with("--storage.tsdb.path="));
    assert!(script.contains(listen), "{listen}");
    let addr = listen.strip_prefix("--web.listen-address=").unwrap();
    let provisioned = seen_as("grafana", "/etc/grafana/provisioning");
    let sources = read(provisioned.join("datasources/prometheus.yaml"));
    assert_eq!(sources["datasources"][0]["url"], format!("http://{addr}"));
    let boards = read(provisioned.join("dashboards/steerage.yaml"));
    let boards = boards["providers"][0]["options"]["path"].as_str().unwrap();
    same(
        "grafana",
        &format!("{boards}/steerage.json"),
        "envoy/grafana/steerage.json",
    );
    let home =
        &compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert_eq!(*home, format!("{boards}/steerage.json"));
    assert_eq!(services.len(), clusters.len() + 3);
}
