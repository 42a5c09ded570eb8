//! One exchange, walked from its request to its answer.
//!
//! In reading order: [`phase`] is where it can stand, [`stream`] what is kept of it; [`conclude`]
//! is the one place where an attempt ends; [`first_attempt`] is what happens while the router has
//! the first attempt, [`retries`] what happens when others are due or answered, [`by_router`] what
//! happens where the router makes them, with what [`routing`] keeps of it and [`first_message`]
//! waits for, and [`fallback`] for what the router does not do; [`closing`] how the client is
//! answered, [`ending`] what the end of its answer says.

mod phase;
mod routing;

mod stream;

mod by_router;
mod conclude;

mod closing;
mod ending;
mod fallback;
mod first_attempt;
mod first_message;
mod retries;

pub(crate) use conclude::Walk;
pub use ending::End;
pub(crate) use first_attempt::arrive;
pub use first_message::OpeningBody;
pub use routing::Destination;
pub(crate) use stream::{Call, Stream};
