//! Calls into the filter, in the order and under the rules of Envoy.
//!
//! What a callback requests (a reply, a resume) happens after it has returned, as in Envoy. So each
//! function that calls the filter first records the callback's answer and then does the deferred
//! work.

use super::headers::Headers;
use super::numbers::Action;
use super::state::{Answer, Deferred, Flow, RootState, Side, Stage, StreamState, with};
use super::{Call, Outcome, guest, replies};

/// Calls into the filter on behalf of a context.
fn call<R>(context: u32, callback: impl FnOnce() -> R) -> R {
    let outer = with(|state| {
        let outer = (state.current, state.effective);
        state.current = context;
        state.effective = 0;
        outer
    });
    let result = callback();
    with(|state| (state.current, state.effective) = outer);
    result
}

/// Calls into the filter where its answer steers the stream. A callback that requested a reply
/// counts as paused.
fn ask(context: u32, callback: impl FnOnce() -> u32) -> Action {
    let action = Action::of(call(context, callback));
    let stopped = with(|state| std::mem::take(&mut state.stop_iteration));
    if stopped { Action::Pause } else { action }
}

/// Calls into the filter where there is no answer, and does the deferred work.
fn notify<R>(context: u32, callback: impl FnOnce() -> R) -> R {
    let result = call(context, callback);
    with(|state| state.stop_iteration = false);
    settle();
    result
}

/// Does the deferred work, and what follows from it.
fn settle() {
    while let Some(deferred) = with(|state| state.deferred.pop_front()) {
        match deferred {
            Deferred::Reply(id) => replies::carry_out(id),
            Deferred::Resume(id, side) => resume(id, side),
        }
    }
}

/// Creates a root, starts the VM for it and configures it. The second value is the filter's
/// verdict.
pub(super) fn start_root(configuration: Option<&[u8]>) -> (u32, bool) {
    let root = with(|state| {
        state.last_context += 1;
        let root = RootState {
            accepted: false,
            tick: None,
        };
        state.roots.insert(state.last_context, root);
        state.configuration = configuration.map(<[u8]>::to_vec);
        state.last_context
    });
    notify(root, || guest::proxy_on_context_create(root, 0));
    with(|state| state.configuration = None);
    let accepted = notify(root, || guest::proxy_on_vm_start(root, 0)) != 0 && {
        let size = configuration.map_or(0, <[u8]>::len);
        with(|state| state.configuration = Some(configuration.unwrap_or_default().to_vec()));
        notify(root, || guest::proxy_on_configure(root, size)) != 0
    };
    with(|state| {
        state.configuration = None;
        if let Some(root) = state.roots.get_mut(&root) {
            root.accepted = accepted;
        }
    });
    (root, accepted)
}

/// Ends a root, whose calls Envoy cancels.
pub(super) fn stop_root(root: u32) {
    notify(root, || guest::proxy_on_delete(root));
    with(|state| {
        state.roots.remove(&root);
        for call in &mut state.calls {
            if call.root == root && call.outcome == Outcome::Pending {
                call.outcome = Outcome::Cancelled;
            }
        }
    });
}

/// Lets one tick fall due.
pub(super) fn tick(root: u32) {
    notify(root, || guest::proxy_on_tick(root));
    with(|state| {
        let now = state.now;
        // Envoy arms the timer again once the tick has returned, with the period that is then in
        // force.
        if let Some((period, due)) = state
            .roots
            .get_mut(&root)
            .and_then(|root| root.tick.as_mut())
        {
            *due = now + *period;
        }
    });
}

/// Creates a stream and hands it the request's headers.
pub(super) fn open(root: u32, stream: StreamState, end_of_stream: bool) -> (u32, Action) {
    let id = with(|state| {
        state.last_context += 1;
        state.streams.insert(state.last_context, stream);
        state.last_context
    });
    notify(id, || guest::proxy_on_context_create(id, root));
    let action = give_headers(id, Side::Request, end_of_stream);
    (id, action)
}

/// Where the filter is an upstream filter as well: creates the stream of a call, while the call is
/// still being made.
pub(super) fn open_upstream(root: u32, headers: Headers) {
    if !with(|state| state.filters_upstreams) {
        return;
    }
    let mut stream = StreamState::new(root);
    stream.flow(Side::Request).headers = headers;
    let (id, _) = open(root, stream, true);
    with(|state| state.upstream_streams.push(id));
}

/// Hands over headers that are already in the flow.
pub(super) fn give_headers(id: u32, side: Side, end_of_stream: bool) -> Action {
    let count = at(id, side, |flow| {
        flow.stage = Stage::Deciding;
        flow.headers_readable = true;
        flow.complete = end_of_stream;
        flow.headers.len()
    });
    let end = u32::from(end_of_stream);
    let action = ask(id, || match side {
        Side::Request => guest::proxy_on_request_headers(id, count, end),
        Side::Response => guest::proxy_on_response_headers(id, count, end),
    });
    at(id, side, |flow| {
        let paused = action == Action::Pause;
        flow.stage = if paused { Stage::Paused } else { Stage::Open };
        flow.headers_readable = paused;
    });
    settle();
    action
}

/// Hands over a part of the body, or keeps it while the headers are paused.
pub(super) fn give_body(id: u32, side: Side, part: &[u8], end_of_stream: bool) -> Action {
    let passes = with(|state| state.bodies_pass_paused_headers);
    let size = at(id, side, |flow| {
        flow.complete |= end_of_stream;
        if flow.stage == Stage::Paused && !passes {
            flow.held.extend(part);
            return None;
        }
        flow.body.extend(part);
        Some(flow.body.len())
    });
    let Some(size) = size else {
        return Action::Pause;
    };
    let end = u32::from(end_of_stream);
    let action = match side {
        Side::Request => ask(id, || guest::proxy_on_request_body(id, size, end)),
        Side::Response => ask(id, || guest::proxy_on_response_body(id, size, end)),
    };
    after_part(id, side, action);
    settle();
    action
}

/// Hands over trailers, or keeps them while the headers are paused.
pub(super) fn give_trailers(id: u32, side: Side, trailers: Headers) -> Action {
    let count = trailers.len();
    let passes = with(|state| state.bodies_pass_paused_headers);
    let held = at(id, side, |flow| {
        flow.complete = true;
        if flow.stage == Stage::Paused && !passes {
            flow.held_trailers = Some(trailers);
            return true;
        }
        flow.trailers = trailers;
        flow.trailers_readable = true;
        false
    });
    if held {
        return Action::Pause;
    }
    let action = match side {
        Side::Request => ask(id, || guest::proxy_on_request_trailers(id, count)),
        Side::Response => ask(id, || guest::proxy_on_response_trailers(id, count)),
    };
    at(id, side, |flow| {
        flow.trailers_readable = action == Action::Pause;
    });
    after_part(id, side, action);
    settle();
    action
}

/// Ends a stream with `on_delete`, as Envoy does for any reason.
pub(super) fn end(id: u32, why: &str) {
    if with(|state| state.living(id).is_none()) {
        return;
    }
    call(id, || guest::proxy_on_delete(id));
    with(|state| {
        if let Some(stream) = state.streams.get_mut(&id) {
            stream.ended = Some(why.to_owned());
        }
        state.stop_iteration = false;
    });
    settle();
}

/// Delivers an answer to a call.
pub(super) fn answer(token: u32, outcome: Outcome, answer: Answer) {
    let (headers, body, trailers) = (
        answer.headers.len(),
        answer.body.len(),
        answer.trailers.len(),
    );
    let root = with(|state| {
        let root = pending(&mut state.calls, token, outcome);
        if !answer.reset {
            state.answer = Some((root, answer));
        }
        root
    });
    call(root, || {
        guest::proxy_on_http_call_response(root, token, headers, body, trailers);
    });
    with(|state| {
        state.answer = None;
        state.stop_iteration = false;
    });
    settle();
}

/// Marks a call as answered and names its root. Panics when the test answers a call that waits for
/// nothing.
fn pending(calls: &mut [Call], token: u32, outcome: Outcome) -> u32 {
    let Some(call) = calls.iter_mut().find(|call| call.token == token) else {
        panic!("no call has the token {token}");
    };
    assert_eq!(
        call.outcome,
        Outcome::Pending,
        "call {token} to {} is answered twice",
        call.cluster
    );
    call.outcome = outcome;
    call.root
}

/// Lets a paused direction go on, and hands over what was held.
fn resume(id: u32, side: Side) {
    let held = with(|state| {
        let stream = state.living_mut(id)?;
        let flow = stream.flow(side);
        let was = flow.stage;
        flow.stage = Stage::Open;
        match was {
            Stage::Paused => Some((
                std::mem::take(&mut flow.held),
                flow.held_trailers.take(),
                flow.complete,
            )),
            Stage::Buffering => {
                let body = std::mem::take(&mut flow.body);
                flow.passed.extend(body);
                None
            }
            Stage::Waiting | Stage::Deciding | Stage::Open => {
                state.violation(format!(
                    "the {side:?} of stream {id} was resumed but is not paused"
                ));
                None
            }
        }
    });
    let Some((body, trailers, complete)) = held else {
        return;
    };
    let leads_nowhere = with(|state| state.living(id).is_some_and(|stream| stream.leads_nowhere));
    if side == Side::Request && leads_nowhere {
        // The router answers the incomplete request, and its remaining parts are dropped.
        let map = replies::prepared(503, b"", &Headers::new());
        replies::local_response(id, map, b"", "cluster_not_found");
        return;
    }
    if !body.is_empty() {
        give_body(id, side, &body, complete && trailers.is_none());
    }
    if let Some(trailers) = trailers
        && with(|state| state.living(id).is_some())
    {
        give_trailers(id, side, trailers);
    }
}

/// Notes the answer to a body or trailers callback.
fn after_part(id: u32, side: Side, action: Action) {
    at(id, side, |flow| {
        if action == Action::Pause {
            flow.stage = Stage::Buffering;
        } else {
            flow.stage = Stage::Open;
            let body = std::mem::take(&mut flow.body);
            flow.passed.extend(body);
        }
    });
}

/// Works on one direction of a stream.
fn at<R>(id: u32, side: Side, work: impl FnOnce(&mut Flow) -> R) -> R {
    with(|state| {
        let Some(stream) = state.streams.get_mut(&id) else {
            panic!("no stream has the id {id}");
        };
        work(stream.flow(side))
    })
}
