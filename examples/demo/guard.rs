//! Ends Envoy when the demo is ended by a signal.
//!
//! Ctrl-C, a closed terminal or `kill` end a process without running its destructors, and Envoy and
//! its files would stay behind. A shell waits instead: when the demo ends, in whatever way, the
//! shell's standard input ends, too, and unless it was dismissed before it cleans up.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use steerage_harness::{Envoy, HarnessError, serde_json};

/// The shell that waits.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Watches over this Envoy and the directory of its configuration.
    pub(crate) async fn over(envoy: &Envoy) -> Result<Self, HarnessError> {
        let scratch = scratch(envoy).await?;
        Command::new("sh")
            .args(["-c", SCRIPT, "sh", &envoy.pid().to_string(), &scratch])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(|source| HarnessError::Io {
                doing: "start a shell".to_owned(),
                source,
            })
    }

    /// Envoy has ended: there is nothing to clean up any more.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            // A shell that is gone already needs no dismissal.
            let _gone = input.write_all(b"dismissed\n");
        }
        let _ended = self.0.wait();
    }
}

/// Envoy's scratch directory, which the harness made for the configuration.
async fn scratch(envoy: &Envoy) -> Result<String, HarnessError> {
    let text = envoy.admin_get("/server_info").await?;
    let directory = serde_json::from_str(&text)
        .ok()
        .and_then(|info: serde_json::Value| {
            let config = info
                .pointer("/command_line_options/config_path")?
                .as_str()?;
            Some(Path::new(config).parent()?.to_str()?.to_owned())
        });
    directory.ok_or_else(|| HarnessError::Unexpected {
        doing: "ask Envoy for its configuration's place".to_owned(),
        found: text,
    })
}

/// Ctrl-C reaches every process of the terminal, so the shell must not heed it. It asks Envoy to end,
/// and insists after 3 s. Only a directory of the harness's own name is removed.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
read -r word
[ "$word" = dismissed ] && exit
kill -TERM "$1"
tries=0
while kill -0 "$1" && [ $tries -lt 30 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1"
case ${2##*/} in steerage-*) rm -r -- "$2" ;; esac
"#;
