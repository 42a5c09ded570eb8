//! The shell: turns the host's callbacks into events for the engine, and the engine's actions into
//! hostcalls.
//!
//! | file | what is in it |
//! |---|---|
//! | [`callbacks`] | what the host calls |
//! | [`contexts`] | the roots and streams that it numbers |
//! | [`plugin`], [`timer`] | a configured root with its worker; the one timer of it |
//! | [`roots`], [`streams`], [`attempts`], [`first_message`] | a callback becomes an event: read, handed over, performed |
//! | [`classify`], [`answer_end`] | reads an answer, and who made it; whether it came whole |
//! | [`perform`], [`attempt_headers`], [`notes`] | actions become hostcalls; what an attempt is sent with; what access logs print |
//! | [`router`], [`stream_name`], [`held_heads`] | whether the router can make the retries; how its attempts find their stream; whether their heads can be held |
//! | [`admin_requests`] | requests for the admin surface, which go past the engine |
//!
//! The engine has returned when its actions are performed, and nothing is borrowed then: a hostcall
//! may call back in. During an event there are only reads and writes of what the workers share,
//! which do not.

#[expect(unsafe_code, reason = "the host finds functions by their names")]
mod callbacks;

#[cfg(feature = "sabotage")]
mod sabotage;

mod plugin;

mod contexts;
mod held_heads;
mod stream_name;
mod timer;

mod answer_end;
mod attempt_headers;
mod classify;
mod notes;
mod router;

mod perform;

mod admin_requests;

mod attempts;
mod first_message;
mod roots;
mod streams;

pub(crate) use contexts::register;
