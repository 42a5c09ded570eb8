//! The router makes the retries: what the engine says of each attempt, and what it keeps of them.
//!
//! | file | what happens |
//! |---|---|
//! | [`retrying`] | an attempt fails, and the router makes another |
//! | [`stopping`] | no other is to follow, or the router makes none |
//! | [`calling`] | it goes on by calls: long delays, hedges, what goes elsewhere |
//! | [`first_message`] | heads that are held until their first message is there |
//! | [`leaving`] | the client leaves, in each phase; the same seed gives the same actions |
//! | [`router`] | the router, for the driver |

mod calling;
mod first_message;
mod leaving;
mod retrying;
mod stopping;

mod router;
