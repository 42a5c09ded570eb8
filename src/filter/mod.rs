//! The shell: turns the host's callbacks into events for the engine, and the engine's actions into
//! hostcalls.
//!
//! In reading order: [`callbacks`] are what the host calls; [`contexts`] are the roots and streams
//! that it numbers, [`timer`] the one that it gives; [`plugin`] is what a root is configured with. [`roots`] and [`streams`] turn a
//! callback into an event: they read what the event needs, hand it to the engine, and have
//! [`perform`] do what comes out. [`classify`] says who made an answer; [`attempt_headers`] are what
//! an attempt is sent with. Requests for the admin surface go to [`admin_requests`] instead.
//!
//! No borrow is held over a hostcall that is not a plain read or write of the host's memory: the
//! engine has returned when its actions are performed, so a hostcall may call back in.

#[expect(unsafe_code, reason = "the host finds functions by their names")]
mod callbacks;

#[cfg(feature = "sabotage")]
mod sabotage;

mod plugin;

mod contexts;
mod timer;

mod attempt_headers;
mod classify;

mod perform;

mod admin_requests;

mod roots;
mod streams;

pub(crate) use contexts::register;
