//! A host for tests of extensions: it takes the place of Envoy, so that a filter of one's own runs
//! in `cargo test`, with its configuration, its retries and its clock.
//!
//! It is there with the feature `test-host`, for the tests of other packages only:
//! `steerage = { git = "…", features = ["test-host"] }` under `[dev-dependencies]`. Without it a
//! test that links the filter lacks the functions of the proxy.
//!
//! Limits: one host at a time on a thread. Retries are by calls. A panic in an extension ends the
//! test process, as it would end the VM.
//!
//! ```ignore
//! let host = TestHost::start(&["a", "b"], r#"{"endpoints": ["a", "b"]}"#, || {
//!     steerage::register_with(extensions);
//! })?;
//! let request = host.request(&[(":method", "GET"), (":path", "/"), (":authority", "example.com")]);
//! request.answer(503, &[], b"");
//! host.advance(Duration::from_secs(1));
//! let retry = host.calls().remove(0);
//! host.answer(&retry, 200, &[], b"hello");
//! assert_eq!(request.given().map(|answer| answer.status), Some(200));
//! ```

#[expect(
    unsafe_code,
    reason = "the functions of a proxy, as the other side of the ABI has them"
)]
#[path = "../tests/support/fake_host/mod.rs"]
mod fake_host;

use std::time::Duration;

use fake_host::{Host, Setup, Stream};

/// A proxy with one worker.
#[derive(Debug)]
pub struct TestHost(Host);

/// A request of a client, on its way through the filter.
#[derive(Clone, Copy, Debug)]
pub struct TestRequest(Stream);

/// An attempt that the filter makes by a call: a retry, a hedge, or a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCall {
    token: u32,
    /// The cluster that is asked.
    pub cluster: String,
    /// The headers of the request, in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer that a client has been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, in lower case.
    pub headers: Vec<(String, String)>,
}

impl TestHost {
    /// Starts a filter in a proxy with these clusters. `register` is what the module does when it
    /// is loaded: [`register_with`](crate::register_with) or
    /// [`register_with_params`](crate::register_with_params).
    ///
    /// # Errors
    /// What the filter logs when it refuses the configuration.
    ///
    /// # Panics
    /// If this thread has another host.
    pub fn start(
        clusters: &[&str],
        configuration: &str,
        register: impl FnOnce(),
    ) -> Result<Self, String> {
        let setup = clusters
            .iter()
            .fold(Setup::new(), |setup, name| setup.cluster(name));
        let host = setup.start(Some(configuration.as_bytes()), register);
        if !host.accepted() {
            let lines: Vec<_> = host.logs().into_iter().map(|(_, line)| line).collect();
            return Err(lines.join("\n"));
        }
        // The first round comes at once.
        host.advance(Duration::from_millis(1));
        Ok(Self(host))
    }

    /// A request without a body. `headers` are its pseudo-headers `:method`, `:path` and
    /// `:authority`, and others.
    #[must_use]
    pub fn request(&self, headers: &[(&str, &str)]) -> TestRequest {
        TestRequest(self.0.request(headers, true))
    }

    /// Time moves on; what falls due on the way is done. Nothing else moves it.
    pub fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    /// The calls that wait for an answer, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<TestCall> {
        let calls = self.0.pending_calls().into_iter();
        calls
            .map(|call| TestCall {
                token: call.token,
                cluster: call.cluster,
                headers: texts(&call.headers),
                body: call.body,
            })
            .collect()
    }

    /// A call's upstream answers.
    pub fn answer(&self, call: &TestCall, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        self.0
            .answer(call.token, &with_status(&status.to_string(), headers), body);
    }

    /// A call's connection fails.
    pub fn fail(&self, call: &TestCall) {
        self.0.answer_connect_failure(call.token);
    }

    /// What the filter has logged, in order.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.logs().into_iter().map(|(_, line)| line).collect()
    }
}

impl TestRequest {
    /// The cluster that its first attempt goes to, by the header `x-steerage-cluster`.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        self.header("x-steerage-cluster")
    }

    /// A header of its first attempt.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.0.request_header(name)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// The upstream of its first attempt answers. Unless the filter holds the answer back, the
    /// client has it, and the request is over.
    pub fn answer(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let status = status.to_string();
        self.0
            .response(&with_status(&status, headers), body.is_empty());
        if !body.is_empty() && !self.0.has_ended() {
            self.0.response_body(body, true);
        }
        if !self.0.has_ended() && !self.0.is_paused() {
            self.0.finish();
        }
    }

    /// The connection of its first attempt fails.
    pub fn fail(&self) {
        let details = "upstream_reset_before_response_started{remote_connection_failure}";
        self.0.router_failed(503, details, b"");
    }

    /// Whether the filter holds the answer back, because it tries again.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.0.is_paused()
    }

    /// The head of the answer that the client has been given; `None` before.
    #[must_use]
    pub fn given(&self) -> Option<TestAnswer> {
        if self.waits() {
            return None;
        }
        let headers = match self.0.sent() {
            Some(sent) => texts(&sent.as_envoy_sends_it()),
            None => texts(&self.0.response_headers()),
        };
        let (_, status) = headers.iter().find(|(name, _)| name == ":status")?;
        Some(TestAnswer {
            status: status.parse().ok()?,
            headers,
        })
    }
}

impl TestCall {
    /// A header of the request.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl TestAnswer {
    /// A header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| &**value)
}

fn with_status<'a>(status: &'a str, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [(":status", status)]
        .into_iter()
        .chain(headers.iter().copied())
        .collect()
}

fn texts(headers: &fake_host::Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}
