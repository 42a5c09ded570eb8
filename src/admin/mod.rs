//! The admin surface: operators read the state of the pools and override endpoints.
//!
//! Requests for paths under the configured one never reach an upstream. Reads are answered from a
//! snapshot of what all workers share ([`steerage_shared::snapshot`]). So every instance under the
//! same `vm_id` can answer for all pools, even one without pools. An override is written into the
//! workers' agreement, and each worker applies it from its next round on.
//!
//! With a token configured, every request must carry it. Without one there are no writes, because
//! every client that reaches the listener could empty a pool. The dashboard's page holds no data.
//! It is also the body of a 401: a browser cannot send a token when it first loads a page, and the
//! page can ask for one.
//!
//! This module decides and does not call the host; `filter::admin_requests` passes requests in and
//! sends the replies.
//!
//! Example: `POST /steerage/endpoints/api%7Ceast/circuit` with `{"state": "open", "timeout": 60}`
//! opens the circuit of the cluster `api|east` for a minute, in every pool that has it.

mod documents;
mod operator_request;
mod page;
mod timestamp;

use core::str;

use steerage_config::ConfigErrors;
use steerage_config::admin::Admin;
use steerage_policy::endpoint::operator::Override;
use steerage_shared::agreement::{Agreement, Lost};
use steerage_shared::key;
use steerage_shared::snapshot;
use steerage_shared::store::Store;

pub(crate) use timestamp::Clock;

use operator_request::Subject;

/// The head of a request for the admin surface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a [u8],
    /// With the query.
    pub(crate) path: &'a [u8],
    pub(crate) authorization: Option<&'a [u8]>,
    /// In bytes; `None` if the header is missing.
    pub(crate) content_length: Option<usize>,
    /// Whether no body follows.
    pub(crate) complete: bool,
}

/// The next step after a request's head.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answer it.
    Reply(Reply),
    /// Read its body first, of so many bytes.
    ReadBody(Target, usize),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What an override is for: the endpoint, and its health or its circuit.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    cluster: String,
    subject: Subject,
}

/// The resource that a path names.
enum Resource<'a> {
    Page,
    Redirect,
    Endpoints,
    Metrics,
    Health,
    Sizing,
    Override(Target, &'a str),
    /// A cluster's name that is not percent-encoded UTF-8.
    Misspelt,
    NotFound,
}

/// Whether a request for this path is for the admin surface.
pub(crate) fn concerns(admin: &Admin, path: &[u8]) -> bool {
    let rest = path.strip_prefix(admin.path.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?')))
}

/// Answers a request, or says that its body must be read.
pub(crate) fn receive(admin: &Admin, ask: &Ask<'_>, store: &dyn Store, clock: Clock) -> Step {
    let resource = resource(admin, ask.path);
    let is_read = matches!(ask.method, b"GET" | b"HEAD");
    if !is_authorized(admin, ask.authorization) {
        return Step::Reply(match resource {
            Resource::Page if is_read => Reply::page(401).with("www-authenticate", CHALLENGE),
            _ => Reply::error(
                401,
                "the token is missing or wrong: send `authorization: Bearer` and the token",
            )
            .with("www-authenticate", CHALLENGE),
        });
    }
    let pools = || snapshot::take(store, clock.now);
    Step::Reply(match resource {
        Resource::NotFound => Reply::error(404, NOTHING_HERE),
        Resource::Misspelt => Reply::error(400, "the cluster's name must be percent-encoded UTF-8"),
        Resource::Override(target, query) => {
            return receive_override(admin, ask, target, query, store, clock);
        }
        _ if !is_read => Reply::error(405, "only GET").with("allow", "GET, HEAD"),
        Resource::Page => Reply::page(200),
        Resource::Redirect => Reply::redirect(admin),
        Resource::Endpoints => Reply::json(200, documents::endpoints(&pools(), clock)),
        Resource::Sizing => Reply::json(200, documents::sizing(&pools())),
        Resource::Metrics => Reply::json(200, documents::metrics(&pools())),
        Resource::Health => {
            let (status, document) = documents::health(&pools(), clock.now);
            Reply::json(status, document)
        }
    })
}

/// Answers a request whose body has arrived completely.
pub(crate) fn receive_body(target: &Target, body: &[u8], store: &dyn Store, clock: Clock) -> Reply {
    apply(
        target,
        operator_request::read(target.subject, body),
        store,
        clock,
    )
}

fn receive_override(
    admin: &Admin,
    ask: &Ask<'_>,
    target: Target,
    query: &str,
    store: &dyn Store,
    clock: Clock,
) -> Step {
    if ask.method != b"POST" {
        return Step::Reply(Reply::error(405, "only POST").with("allow", "POST"));
    }
    if admin.token.is_none() {
        return Step::Reply(Reply::error(
            403,
            "nothing can be changed: no `admin.token` is configured",
        ));
    }
    if !query.is_empty() {
        let change = operator_request::read_query(target.subject, query);
        return Step::Reply(apply(&target, change, store, clock));
    }
    if ask.complete {
        return Step::Reply(receive_body(&target, b"", store, clock));
    }
    match ask.content_length {
        None => Step::Reply(Reply::error(411, "the request must have a content-length")),
        Some(length) if length > LONGEST_BODY => {
            Step::Reply(Reply::error(413, "the body must have at most 4096 bytes"))
        }
        Some(length) => Step::ReadBody(target, length),
    }
}

/// Applies an override, if it is valid.
fn apply(
    target: &Target,
    change: Result<Override, ConfigErrors>,
    store: &dyn Store,
    clock: Clock,
) -> Reply {
    let change = match change {
        Ok(change) => change,
        Err(errors) => return Reply::error(400, &errors.to_string()),
    };
    // The pools that have the endpoint, each with that endpoint alone.
    let targeted = || {
        let mut pools = snapshot::take(store, clock.now);
        for pool in &mut pools {
            pool.endpoints
                .retain(|endpoint| endpoint.cluster == target.cluster);
        }
        pools.retain(|pool| !pool.endpoints.is_empty());
        pools
    };
    let pools = targeted();
    if pools.is_empty() {
        return Reply::error(
            404,
            &format!("no pool has an endpoint {:?}", target.cluster),
        );
    }
    for pool in &pools {
        let mut agreement = Agreement::new(key::agreement(&pool.name));
        let (_, written) = agreement.change(store, &target.cluster, |agreed| {
            agreed.operator.apply(change, clock.now);
        });
        if let Err(lost) = written {
            let reason = match lost {
                Lost::Contention => "the workers were faster: try again",
                Lost::Refused => "what the workers share cannot be written",
            };
            return Reply::error(503, reason);
        }
    }
    Reply::json(200, documents::endpoints(&targeted(), clock))
}

/// Whether a request with this `authorization` header is allowed. The comparison takes the same
/// time however much of the token is right.
fn is_authorized(admin: &Admin, authorization: Option<&[u8]>) -> bool {
    const SCHEME: usize = b"bearer ".len();
    let Some(token) = &admin.token else {
        return true;
    };
    let given = authorization.and_then(|given| {
        let (scheme, given) = given.split_at_checked(SCHEME)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(given)
    });
    given.is_some_and(|given| {
        let differences = given.iter().zip(token.bytes());
        let difference = differences.fold(0, |sum, (given, wanted)| sum | (given ^ wanted));
        core::hint::black_box(difference) == 0 && given.len() == token.len()
    })
}

fn resource<'a>(admin: &Admin, path: &'a [u8]) -> Resource<'a> {
    let Some(path) = path
        .get(admin.path.len()..)
        .and_then(|path| str::from_utf8(path).ok())
    else {
        return Resource::NotFound;
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        "" => return Resource::Redirect,
        "/" => return Resource::Page,
        "/endpoints" => return Resource::Endpoints,
        "/metrics" => return Resource::Metrics,
        "/health" => return Resource::Health,
        "/sizing" => return Resource::Sizing,
        _ => {}
    }
    let named = path
        .strip_prefix("/endpoints/")
        .and_then(|path| path.rsplit_once('/'));
    let (cluster, subject) = match named {
        Some((cluster, "health")) => (cluster, Subject::Health),
        Some((cluster, "circuit")) => (cluster, Subject::Circuit),
        _ => return Resource::NotFound,
    };
    match percent_decoded(cluster) {
        Some(cluster) => Resource::Override(Target { cluster, subject }, query),
        None => Resource::Misspelt,
    }
}

/// RFC 3986 §2.1; `None` if it is not encoded well, or is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok()
}

impl Reply {
    /// The request is wrong, or the filter could not carry it out.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, documents::error(message))
    }

    fn json(status: u16, document: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: document,
        }
        .with("content-type", "application/json")
        .with("cache-control", "no-store")
    }

    fn page(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: page::PAGE.to_vec(),
        }
        .with("content-type", "text/html; charset=utf-8")
        .with("content-security-policy", page::POLICY)
        .with("referrer-policy", "no-referrer")
        .with("x-content-type-options", "nosniff")
        .with("cache-control", "no-store")
    }

    /// To the page's address with a final `/`, because the page's own requests are relative to it.
    fn redirect(admin: &Admin) -> Self {
        let name = admin.path.rsplit('/').next().unwrap_or_default();
        Self {
            status: 301,
            headers: Vec::new(),
            body: Vec::new(),
        }
        .with("location", &format!("{name}/"))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The challenge of a 401 (RFC 6750 §3).
const CHALLENGE: &str = "Bearer realm=\"steerage\"";
const NOTHING_HERE: &str = "there is nothing here: ask for /, /endpoints, /metrics, /health or /sizing below the admin path";
/// In bytes. An override is much shorter.
const LONGEST_BODY: usize = 4_096;

/// The error of a request whose body could not be read.
pub(crate) const NO_BODY: &str = "the proxy keeps the body from the filter on this route: say it in the query, as in `?state=open`";
