//! Replies, resumes and calls.

use super::super::drive;
use super::super::guest;
use super::super::headers;
use super::super::numbers::{Status, StreamType};
use super::super::state::{Cluster, Deferred, Side, Stage, hostcall};
use super::super::{Call, Outcome, Sent};
use super::{bytes, malformed, put, text};

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status_code: u32,
    status_code_details_data: *const u8,
    status_code_details_size: usize,
    body_data: *const u8,
    body_size: usize,
    headers_data: *const u8,
    headers_size: usize,
    grpc_status: i32,
) -> Status {
    let details = text(status_code_details_data, status_code_details_size);
    let Some(map) = guest::outside(|| headers::decode(bytes(headers_data, headers_size))) else {
        return malformed("proxy_send_local_response");
    };
    let sent = Sent {
        status: status_code,
        details,
        headers: map,
        body: guest::outside(|| bytes(body_data, body_size).to_vec()),
        grpc_status: (grpc_status != -1).then_some(grpc_status),
    };
    hostcall("proxy_send_local_response", |state| {
        let id = state.context();
        let problem = match state.stream() {
            None => Some("is a root, and nothing happens"),
            Some(stream) if stream.sent.is_some() => Some("has been replied to already"),
            Some(stream) if stream.response.resumed => Some("has been resumed"),
            Some(stream) if stream.response.stage == Stage::Open => {
                Some("has let its response go, and Envoy resets it")
            }
            Some(_) => None,
        };
        state.stop_iteration = true;
        if let Some(problem) = problem {
            state.violation(format!("a reply was sent in context {id}, which {problem}"));
        } else if let Some(stream) = state.stream() {
            stream.sent = Some(sent);
            state.deferred.push_back(Deferred::Reply(id));
        }
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(stream_type: StreamType) -> Status {
    let side = match stream_type {
        StreamType::HttpRequest => Side::Request,
        StreamType::HttpResponse => Side::Response,
        _ => return hostcall("proxy_continue_stream", |_| Status::Ok),
    };
    hostcall("proxy_continue_stream", |state| {
        let id = state.context();
        let problem = match state.stream() {
            None => Some("is a root, and nothing happens"),
            Some(stream) if stream.sent.is_some() => Some("has been replied to already"),
            Some(stream) => {
                let flow = stream.flow(side);
                match flow.stage {
                    Stage::Waiting => Some("has no headers yet"),
                    Stage::Open => Some("is not paused"),
                    Stage::Deciding | Stage::Paused if flow.resumed => {
                        Some("has been resumed already")
                    }
                    Stage::Deciding | Stage::Paused | Stage::Buffering => None,
                }
            }
        };
        if let Some(problem) = problem {
            state.violation(format!(
                "the {side:?} was resumed in context {id}, which {problem}"
            ));
        } else if let Some(stream) = state.stream() {
            let flow = stream.flow(side);
            flow.resumed = true;
            // Envoy forgets the request's maps on any resume, the response's included.
            stream.request.headers_readable = false;
            stream.request.trailers_readable = false;
            state.deferred.push_back(Deferred::Resume(id, side));
        }
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    upstream_data: *const u8,
    upstream_size: usize,
    headers_data: *const u8,
    headers_size: usize,
    body_data: *const u8,
    body_size: usize,
    trailers_data: *const u8,
    trailers_size: usize,
    timeout: u32,
    return_token: *mut u32,
) -> Status {
    let cluster = text(upstream_data, upstream_size);
    let map = guest::outside(|| headers::decode(bytes(headers_data, headers_size)));
    let trailers = guest::outside(|| headers::decode(bytes(trailers_data, trailers_size)));
    let body = guest::outside(|| bytes(body_data, body_size).to_vec());
    let (Some(map), Some(trailers)) = (map, trailers) else {
        return malformed("proxy_http_call");
    };
    let mut sent = None;
    let status = hostcall("proxy_http_call", |state| {
        let complete = [":method", ":path", ":authority"]
            .iter()
            .all(|name| headers::first(&map, name).is_some());
        // The host reads the timeout as signed, and refuses one below 0.
        if !complete || i32::try_from(timeout).is_err() {
            return Status::BadArgument;
        }
        match state.clusters.get(&cluster) {
            None => return Status::BadArgument,
            Some(Cluster::NoHosts) => return Status::InternalFailure,
            Some(Cluster::Serving) => {}
        }
        state.last_token += 1;
        let call = Call {
            token: state.last_token,
            root: state.root(),
            cluster,
            headers: map,
            body,
            trailers,
            timeout_ms: timeout,
            at: state.now,
            outcome: Outcome::Pending,
        };
        put(return_token, call.token);
        sent = Some((call.root, call.headers.clone()));
        state.calls.push(call);
        Status::Ok
    });
    if let Some((root, headers)) = sent {
        // Envoy begins the request at once, and creates its upstream filters with it.
        guest::outside(|| drive::open_upstream(root, headers));
    }
    status
}
