//! A real browser, started for one test and ended with it.
//!
//! It is Chromium without a window, driven as users drive it: by keys and clicks that reach what is there
//! to be reached. Chromedriver carries that by the WebDriver protocol, which is JSON over HTTP
//! (<https://www.w3.org/TR/webdriver2/>). The two are started apart and the driver is told where the browser
//! is, so that each can be ended by its own process id, whatever became of the other; the browser keeps its
//! profile in a directory of its own.
//!
//! ```no_run
//! # async fn example(envoy: steerage_harness::Envoy) -> Result<(), steerage_harness::HarnessError> {
//! use steerage_harness::Browser;
//! let browser = Browser::start().await?;
//! browser.open(&format!("{}/steerage/", envoy.url())).await?;
//! browser.type_keys(&format!("secret{}", Browser::ENTER)).await?;
//! assert_eq!(browser.evaluate("document.title").await?, "healthy – Steerage");
//! # Ok(()) }
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::HarnessError;
use crate::process::{Process, Scratch, found_by};
use crate::wait::eventually;

/// A running browser with one page. It is ended when it is dropped.
#[derive(Debug)]
pub struct Browser {
    // Fields are dropped in this order: the processes end before their files are removed.
    driver: Process,
    _chromium: Process,
    _scratch: Scratch,
    client: Client,
    addr: SocketAddr,
    session: String,
}

impl Browser {
    /// The key that goes on to the next element, for [`Browser::type_keys`].
    pub const TAB: char = '\u{e004}';
    /// The key that sends a form or presses a button.
    pub const ENTER: char = '\u{e007}';

    /// Starts a browser with an empty page of 1280 × 900 pixels, that believes to have the user's
    /// attention, in a light theme.
    ///
    /// # Errors
    /// [`HarnessError::BrowserMissing`] when there is nothing to run, and [`HarnessError::Unexpected`]
    /// with the log when it does not start.
    pub async fn start() -> Result<Self, HarnessError> {
        let scratch = Scratch::new()?;
        let profile = scratch.path().join("profile");
        let mut command = Command::new(binary("chromium").await?);
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking"])
            // A small /dev/shm, as containers have, is too small for it.
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank");
        let mut chromium = Process::start(command, scratch.path().join("chromium.log"))?;
        let mut command = Command::new(binary("chromedriver").await?);
        command.arg("--port=0");
        let mut driver = Process::start(command, scratch.path().join("chromedriver.log"))?;

        let port_file = profile.join("DevToolsActivePort");
        let debugger = listening("Chromium", &mut chromium, |_| {
            let text = fs::read_to_string(&port_file).ok()?;
            text.lines().next()?.parse().ok()
        })
        .await?;
        let addr = listening("chromedriver", &mut driver, |log| {
            let (_, rest) = log.split_once("started successfully on port ")?;
            rest.split('.').next()?.parse().ok()
        })
        .await?;

        let mut browser = Self {
            driver,
            _chromium: chromium,
            _scratch: scratch,
            client: Client::new(),
            addr,
            session: String::new(),
        };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"debuggerAddress": debugger.to_string()},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = browser.ask(Method::POST, "/session", &wanted).await?;
        let id = session.get("sessionId").and_then(Value::as_str);
        browser.session = id.unwrap_or_default().to_owned();
        browser.resize(1280, 900).await?;
        browser.set_dark(false).await?;
        let attention = json!({"enabled": true});
        browser
            .devtools("Emulation.setFocusEmulationEnabled", attention)
            .await?;
        Ok(browser)
    }

    /// Loads a page and waits until it is loaded.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn open(&self, url: &str) -> Result<(), HarnessError> {
        self.command("/url", json!({"url": url})).await.map(drop)
    }

    /// What a JavaScript expression comes to in the page; of a promise, what it is fulfilled with.
    ///
    /// # Errors
    /// When it throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value, HarnessError> {
        let script = json!({"script": format!("return ({expression})"), "args": []});
        self.command("/execute/sync", script).await
    }

    /// Waits up to 10 s until a JavaScript expression comes to something truthy, and returns that.
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] with the console when it does not.
    pub async fn wait_for(&self, expression: &str) -> Result<Value, HarnessError> {
        let truthy = format!("({expression}) || null");
        let waited = eventually(expression, PATIENCE, async || {
            let value = self.evaluate(&truthy).await.ok()?;
            (!value.is_null()).then_some(value)
        });
        match waited.await {
            Ok(value) => Ok(value),
            Err(_) => Err(HarnessError::Unexpected {
                doing: format!("wait until {expression}"),
                found: format!("{:?}", self.console().await?),
            }),
        }
    }

    /// Clicks in the middle of the first element that matches a CSS selector, after scrolling to it.
    ///
    /// # Errors
    /// When there is none, or something covers it.
    pub async fn click(&self, selector: &str) -> Result<(), HarnessError> {
        let wanted = json!({"using": "css selector", "value": selector});
        let element = self.command("/element", wanted).await?;
        let id = element
            .as_object()
            .and_then(|fields| fields.values().next());
        let id = id.and_then(Value::as_str).unwrap_or_default();
        self.command(&format!("/element/{id}/click"), json!({}))
            .await
            .map(drop)
    }

    /// Presses these keys one after the other, wherever the focus is.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn type_keys(&self, keys: &str) -> Result<(), HarnessError> {
        let press = |key: char| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        };
        let presses: Vec<Value> = keys.chars().flat_map(press).collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": presses}]});
        self.command("/actions", actions).await.map(drop)
    }

    /// Gives the page this many pixels.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn resize(&self, width: u32, height: u32) -> Result<(), HarnessError> {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await
    }

    /// Lets the user prefer dark pages, or light ones.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn set_dark(&self, dark: bool) -> Result<(), HarnessError> {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))
            .await
    }

    /// What the page looks like, as PNG.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn screenshot(&self) -> Result<Vec<u8>, HarnessError> {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = self.ask(Method::GET, &path, &Value::Null).await?;
        Ok(base64_decoded(picture.as_str().unwrap_or_default()))
    }

    /// What the browser has written to its console since it was last asked: errors of the page, what its
    /// policy forbids, requests that failed. Each has `level`, `source` and `message`.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn console(&self) -> Result<Vec<Value>, HarnessError> {
        let log = self.command("/se/log", json!({"type": "browser"})).await?;
        Ok(log.as_array().cloned().unwrap_or_default())
    }

    /// A command of Chromium's own protocol, for what WebDriver has no word for.
    async fn devtools(&self, command: &str, parameters: Value) -> Result<(), HarnessError> {
        let command = json!({"cmd": command, "params": parameters});
        self.command("/goog/cdp/execute", command).await.map(drop)
    }

    async fn command(&self, path: &str, body: Value) -> Result<Value, HarnessError> {
        let path = format!("/session/{}{path}", self.session);
        self.ask(Method::POST, &path, &body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, HarnessError> {
        let unexpected = |found: String| HarnessError::Unexpected {
            doing: format!("{method} {path} {body} of chromedriver"),
            found,
        };
        let content = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .body(content)
            .map_err(|error| unexpected(error.to_string()))?;
        let answer = self.client.request(self.addr, request).await?;
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(mut said) if answer.status == 200 => {
                Ok(said.get_mut("value").map(Value::take).unwrap_or_default())
            }
            _ => Err(unexpected(format!(
                "{}; its log: {}",
                answer.text(),
                self.driver.log()
            ))),
        }
    }
}

/// The path of one of the two programs.
async fn binary(tool: &'static str) -> Result<PathBuf, HarnessError> {
    tokio::task::spawn_blocking(move || found_by("chromium.sh", &[tool]))
        .await
        .unwrap_or_else(|failed| Err(failed.to_string()))
        .map_err(|said| HarnessError::BrowserMissing { said })
}

/// Where a process listens, once `port` can tell, given its log.
async fn listening(
    name: &str,
    process: &mut Process,
    port: impl Fn(&str) -> Option<u16>,
) -> Result<SocketAddr, HarnessError> {
    let listens = eventually(name, START, async || {
        if process.ended().is_some() {
            return Some(None);
        }
        port(&process.log()).map(Some)
    });
    match listens.await {
        Ok(Some(port)) => Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        Ok(None) | Err(_) => Err(HarnessError::Unexpected {
            doing: format!("start {name}"),
            found: process.log(),
        }),
    }
}

/// RFC 4648 §4; what is not of its alphabet, such as the padding, is passed over.
fn base64_decoded(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let (mut decoded, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        bits = (bits << 6 | u32::from(digit)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count).to_be_bytes()[3]);
        }
    }
    decoded
}

/// A browser needs about a second; this is for a machine under heavy load.
const START: Duration = Duration::from_secs(30);

/// Longer than a page needs to show what it was told.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_in_base64_is_decoded() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("+/+/AA==", b"\xfb\xff\xbf\x00"),
        ] {
            assert_eq!(base64_decoded(text), bytes, "{text}");
        }
    }
}
