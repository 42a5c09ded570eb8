//! The sample filter.
//!
//! The header `x-do` of a request names what happens. `retry`: a failed response is paused and
//! repeated 25 ms later by the root. The others are one arm each in [`Sample`].

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, Status};

use crate::fake_host::{EPOCH, Host, Setup};

thread_local! {
    /// What the filter saw, in order.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Streams that wait for a retry.
    static WAITING: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    /// A request that the next tick resumes.
    static HELD: Cell<Option<u32>> = const { Cell::new(None) };
    /// A stream that the next tick replies to, although its response has gone on.
    static LATE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Takes what the filter saw so far.
pub(super) fn seen() -> Vec<String> {
    SEEN.take()
}

/// What the filter does when its module is loaded.
pub(super) fn register() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(SampleRoot { id, retried: None }));
}

/// A host with the cluster `b`, which serves, and the cluster `empty`, which does not.
pub(super) fn start() -> Host {
    Setup::new()
        .cluster("b")
        .cluster_without_hosts("empty")
        .property(&["source", "address"], b"10.0.0.9:4000")
        .start(Some(b"fine"), register)
}

/// The headers of a request that makes the filter do something.
pub(super) fn get(what: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        (":method", "GET"),
        (":path", "/"),
        (":authority", "x"),
        ("X-Do", what),
    ]
}

fn note(what: impl Into<String>) {
    SEEN.with_borrow_mut(|seen| seen.push(what.into()));
}

struct SampleRoot {
    id: u32,
    retried: Option<(u32, u32)>,
}

impl Context for SampleRoot {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        let status = if headers == 0 {
            String::from("reset")
        } else {
            self.get_http_call_response_header(":status").unwrap()
        };
        let body = self.get_http_call_response_body(0, body);
        note(format!("root {} answer {status}", self.id));
        let Some((own, stream)) = self.retried.take() else {
            return;
        };
        assert_eq!(own, token);
        if hostcalls::set_effective_context(stream).is_ok() {
            // The paused response is readable from here, because the host acts for the stream.
            assert!(
                hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, ":status").is_ok()
            );
            hostcalls::send_http_response(200, vec![("x-retried", "1")], body.as_deref()).unwrap();
        }
    }
}

impl RootContext for SampleRoot {
    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = self.get_plugin_configuration();
        configuration.is_none_or(|bytes| bytes != b"bad")
    }

    fn on_tick(&mut self) {
        note(format!(
            "tick {}",
            self.get_current_time().elapsed_since_epoch()
        ));
        if let Some(stream) = HELD.take() {
            hostcalls::set_effective_context(stream).unwrap();
            hostcalls::resume_http_request().unwrap();
        }
        if let Some(stream) = LATE.take() {
            hostcalls::set_effective_context(stream).unwrap();
            hostcalls::send_http_response(500, vec![], None).unwrap();
        }
        if let Some(stream) = WAITING.with_borrow_mut(Vec::pop) {
            self.set_tick_period(Duration::ZERO);
            let token = self.dispatch_http_call(
                "b",
                vec![(":method", "GET"), (":path", "/"), (":authority", "x")],
                None,
                vec![],
                Duration::from_secs(1),
            );
            self.retried = token.ok().map(|token| (token, stream));
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Sample {
            id,
            what: String::new(),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Milliseconds since the epoch of the tests.
trait ElapsedSinceEpoch {
    fn elapsed_since_epoch(&self) -> u128;
}

impl ElapsedSinceEpoch for SystemTime {
    fn elapsed_since_epoch(&self) -> u128 {
        let now = self.duration_since(UNIX_EPOCH).unwrap();
        (now - EPOCH).as_millis()
    }
}

struct Sample {
    id: u32,
    what: String,
}

impl Sample {
    fn call(&self, cluster: &str, headers: Vec<(&str, &str)>) -> Result<u32, Status> {
        self.dispatch_http_call(
            cluster,
            headers,
            Some(b"up"),
            vec![],
            Duration::from_millis(9),
        )
    }
}

impl Context for Sample {
    fn on_http_call_response(&mut self, _: u32, headers: usize, body: usize, _: usize) {
        let status = self.get_http_call_response_header(":status");
        let body = self
            .get_http_call_response_body(0, body)
            .unwrap_or_default();
        let body = String::from_utf8(body).unwrap();
        note(format!("answer {headers} {status:?} {body:?}"));
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        note(format!("drop {}", self.id));
        // A hostcall while the context is being deleted still acts for it.
        assert_eq!(hostcalls::set_effective_context(self.id), Ok(()));
    }
}

impl HttpContext for Sample {
    fn on_http_request_headers(&mut self, count: usize, _: bool) -> Action {
        let map = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap();
        assert_eq!(map.len(), count);
        let what = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "x-do").unwrap();
        self.what = String::from_utf8(what.unwrap()).unwrap();
        let call = vec![(":method", "GET"), (":path", "/"), (":authority", "x")];
        match self.what.as_str() {
            "write" => {
                self.set_http_request_header("x-cluster", Some("a"));
                self.add_http_request_header("X-Cluster", "b");
                self.set_http_request_header("x-cluster", Some("c"));
                self.set_http_request_header("x-gone", None);
            }
            "reply" => {
                self.send_http_response(403, vec![("x-own", "1")], Some(b"no"));
            }
            "reply twice" => {
                self.send_http_response(403, vec![], None);
                self.send_http_response(404, vec![], None);
            }
            "hold" => {
                HELD.set(Some(self.id));
                hostcalls::set_tick_period(Duration::from_millis(5)).unwrap();
                return Action::Pause;
            }
            "call" => {
                assert_eq!(self.call("unknown", call.clone()), Err(Status::BadArgument));
                assert_eq!(
                    self.call("b", vec![(":path", "/")]),
                    Err(Status::BadArgument)
                );
                assert_eq!(
                    self.call("empty", call.clone()),
                    Err(Status::InternalFailure)
                );
                self.call("b", call).unwrap();
            }
            "properties" => {
                let source = self.get_property(vec!["source", "address"]);
                assert_eq!(source.as_deref(), Some(&b"10.0.0.9:4000"[..]));
                assert_eq!(self.get_property(vec!["no", "such"]), None);
                self.set_property(vec!["tries"], Some(b"2"));
                assert_eq!(self.get_property(vec!["tries"]).as_deref(), Some(&b"2"[..]));
                let unknown = hostcalls::set_effective_context(9_999);
                assert_eq!(unknown, Err(Status::BadArgument));
                log::info!("a line");
            }
            "root reply" => {
                hostcalls::set_effective_context(1).unwrap();
                self.send_http_response(500, vec![], None);
            }
            _ => {}
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).unwrap();
        note(format!("request body {} {end}", text_of(body)));
        if self.what == "buffer" && !end {
            return Action::Pause;
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        note(format!("request trailers {count}"));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let details = self.get_property(vec!["response", "code_details"]);
        let status = self.get_http_response_header(":status").unwrap();
        note(format!("response {status} {}", text_of(details)));
        match self.what.as_str() {
            "retry" if status == "503" => {
                self.set_http_response_header("x-try", Some("1"));
                WAITING.with_borrow_mut(|waiting| waiting.push(self.id));
                hostcalls::set_tick_period(Duration::from_millis(25)).unwrap();
                Action::Pause
            }
            "pause" => Action::Pause,
            "pause, resume" => {
                self.resume_http_response();
                Action::Pause
            }
            "replace" => {
                self.send_http_response(200, vec![], Some(b"other"));
                Action::Continue
            }
            "reply late" => {
                LATE.set(Some(self.id));
                hostcalls::set_tick_period(Duration::from_millis(5)).unwrap();
                Action::Continue
            }
            "read request" => {
                note(format!("{} headers", self.get_http_request_headers().len()));
                Action::Continue
            }
            _ => Action::Continue,
        }
    }
}

fn text_of(bytes: Option<Vec<u8>>) -> String {
    bytes.map_or_else(
        || "-".into(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}
