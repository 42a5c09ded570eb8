//! `envoy/hot-reload.yaml`, whose filter is discovered from a file. A file that is moved into place
//! takes over; no request notices, and the state of the endpoints stays. A wrong file does not.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use steerage_harness::tokio;
use steerage_harness::tokio::time::sleep;
use steerage_harness::{
    Answer, Client, Envoy, Load, Reply, Upstream, eventually, get, repository, run,
};

use crate::support::request_of;

/// The statistics of the file's reading.
const DISCOVERY: &str = "extension_config_discovery.http_filter.steerage";

#[test]
fn a_file_that_is_moved_into_place_takes_over_and_a_wrong_one_does_not() {
    run(async {
        let east = Upstream::named("east").await.unwrap();
        // Its breaker opens at the fifth failure and stays open for a minute.
        let west = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let folder = Folder::with_the_file_that_ships();
        let envoy = folder.envoy(&east, &west).await;
        let addr = envoy.addr();
        let opened = async || {
            assert_eq!(get(addr, "/").await.ok()?.text(), "east");
            (west.count() == 5).then_some(())
        };
        eventually("west's breaker opens", LONG, opened)
            .await
            .unwrap();
        // Until both workers have merged it.
        sleep(Duration::from_millis(500)).await;
        let answer = get(addr, "/").await.unwrap();
        assert!(answer.headers.contains_key("x-steerage-endpoint"));

        // A new configuration, under load: no request fails, and west is still left alone.
        let before = west.count();
        let load = Load::new(addr)
            .during(Duration::from_secs(4))
            .concurrency(8)
            .rate(100.0)
            .run();
        let unnamed = "\"response_headers\": false";
        let change = async {
            sleep(Duration::from_secs(1)).await;
            folder.mv(&changed("\"response_headers\": true", unnamed));
            eventually("the new configuration", LONG, async || {
                let answers = [get(addr, "/").await.ok()?, get(addr, "/").await.ok()?];
                let named = answers
                    .iter()
                    .any(|it| it.headers.contains_key("x-steerage-endpoint"));
                (!named).then_some(())
            })
            .await
            .unwrap();
        };
        let (report, ()) = tokio::join!(load, change);
        assert_eq!(report.status(200), report.total(), "{report}");
        assert!(report.total() > 200, "{report}");
        assert_eq!(west.count(), before);
        assert_eq!(
            envoy
                .stat(&format!("{DISCOVERY}.config_reload"))
                .await
                .unwrap(),
            Some(2)
        );

        // A wrong one: its errors are in the log, it is counted, and the one in force serves on.
        folder.mv(&changed("\"endpoints\"", "\"endpoint\""));
        let rejected = format!("{DISCOVERY}.update_rejected");
        envoy
            .wait_for_stat(&rejected, |count| count == 1)
            .await
            .unwrap();
        let log = envoy.log();
        assert!(
            log.contains("endpoint: unknown field, did you mean `endpoints`?"),
            "{log}"
        );
        for _ in 0..8 {
            let answer = get(addr, "/").await.unwrap();
            assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "east"));
            assert!(!answer.headers.contains_key("x-steerage-endpoint"));
        }

        // Nor does a file that cannot be read, which is counted elsewhere.
        folder.mv("resources: [");
        let failed = format!("{DISCOVERY}.update_failure");
        envoy
            .wait_for_stat(&failed, |count| count == 1)
            .await
            .unwrap();
        assert_eq!(get(addr, "/").await.unwrap().text(), "east");

        // A file that is written in place is not read: it could be incomplete.
        let read = format!("{DISCOVERY}.update_attempt");
        let attempts = envoy.stat(&read).await.unwrap();
        fs::write(folder.path().join(FILE), shipped()).unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(envoy.stat(&read).await.unwrap(), attempts);

        // The next good file takes over, with another module, which keeps the first one's state.
        let another = repository().join("target/steerage-sabotage.wasm");
        let code = "filename: target/steerage.wasm";
        folder.mv(&changed(code, &format!("filename: {}", another.display())));
        eventually("the last configuration", LONG, async || {
            let answers = [get(addr, "/").await.ok()?, get(addr, "/").await.ok()?];
            let named = |it: &Answer| it.headers.contains_key("x-steerage-endpoint");
            answers.iter().all(named).then_some(())
        })
        .await
        .unwrap();
        assert_eq!(west.count(), before);
        let reloads = envoy.stats("^wasm\\..*vm_reload").await.unwrap();
        assert!(reloads.values().all(|&count| count == 0), "{reloads:?}");
        let trap = request_of("GET", "/", &[("x-sabotage", "trap")], "");
        let trapped = Client::one_shot().request(addr, trap).await.unwrap();
        assert_eq!(trapped.status, 503, "it is the other module");
    });
}

const LONG: Duration = Duration::from_secs(20);

/// The file that is discovered.
const FILE: &str = "steerage.yaml";

/// A directory that Envoy watches, within `target/`: relative, as the one that ships, and writable.
struct Folder(String);

impl Folder {
    fn with_the_file_that_ships() -> Self {
        let folder = Self(format!("target/hot-reload-{}", std::process::id()));
        fs::create_dir_all(folder.path()).unwrap();
        fs::write(folder.path().join(FILE), shipped()).unwrap();
        folder
    }

    fn path(&self) -> PathBuf {
        repository().join(&self.0)
    }

    /// The Envoy of the file that ships, with these two behind it.
    async fn envoy(&self, east: &Upstream, west: &Upstream) -> Envoy {
        let port = |number: u16| format!("port_value: {number}");
        let replaced = [
            (port(9901), port(0)),
            (port(10000), port(0)),
            (port(8081), port(east.addr().port())),
            (port(8082), port(west.addr().port())),
            (
                "path: envoy/hot-reload".to_owned(),
                format!("path: {}", self.0),
            ),
        ];
        let replaced = replaced.each_ref().map(|(from, to)| (&**from, &**to));
        Envoy::from_yaml_file("envoy/hot-reload.yaml", &replaced)
            .await
            .unwrap()
    }

    /// Moves a file of this text into place, from the same file system.
    fn mv(&self, text: &str) {
        let next = self.path().with_extension("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.path().join(FILE)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(self.path());
    }
}

/// What ships.
fn shipped() -> String {
    fs::read_to_string(repository().join("envoy/hot-reload").join(FILE)).unwrap()
}

/// The same, with one thing changed.
fn changed(from: &str, to: &str) -> String {
    let text = shipped();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}
