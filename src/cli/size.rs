//! `size`: the connections that a load needs.
//!
//! Little's law: as many requests are under way as come in a second, times the seconds that one
//! takes. HTTP/1.1 needs a connection for each. A fifth is added for uneven load, rounded up, by
//! the same function as for `connection_pool.expected_rps`. Half of the connections, at most 50,
//! are kept when idle.
//!
//! Limits: an average hides bursts and slow answers. Take the response time of a busy hour, and
//! look at how many requests are really under way.
//!
//! Example: 100 a second × 0.5 s = 50 under way; × 1.2 = 60 connections, of which 30 are kept.

use serde_json::json;
use steerage_policy::limit;

use crate::arguments::{self, Format};
use crate::finished::Finished;
use crate::text::{self, decimal, span};

/// What each endpoint needs.
#[derive(Debug, PartialEq)]
struct Sizes {
    /// Requests under way on average.
    under_way: f64,
    connections: u32,
    keepalive: u32,
    /// Whether more would be needed than is allowed.
    capped: bool,
}

/// Carries out the command.
pub(crate) fn run(arguments: &arguments::Size) -> Finished {
    let rps = arguments.rps / f64::from(arguments.endpoints);
    let seconds = arguments.response_time.as_secs_f64();
    let sizes = sizes(rps, seconds, arguments.max_connections);
    Finished::with(match arguments.format {
        Format::Text => for_people(arguments, rps, &sizes),
        Format::Json => text::json(&json!({
            "requests_per_second": rps,
            "under_way": sizes.under_way,
            "max_connections": sizes.connections,
            "max_keepalive_connections": sizes.keepalive,
            "capped": sizes.capped,
        })),
    })
}

fn sizes(rps: f64, seconds: f64, most: u32) -> Sizes {
    let needed = limit::size(rps, seconds);
    let connections = needed.min(most);
    Sizes {
        under_way: rps * seconds,
        connections,
        keepalive: limit::keepalive_size(connections),
        capped: needed > most,
    }
}

fn for_people(arguments: &arguments::Size, rps: f64, sizes: &Sizes) -> String {
    let each = if arguments.endpoints == 1 {
        String::new()
    } else {
        format!(", for each of {} endpoints", arguments.endpoints)
    };
    let mut output = format!(
        "{} requests a second × {} = {} under way on average{each}\n\
         max_connections            {}\n\
         max_keepalive_connections  {}\n",
        decimal(rps, 3),
        span(arguments.response_time),
        decimal(sizes.under_way, 3),
        sizes.connections,
        sizes.keepalive,
    );
    if sizes.capped {
        output.push_str(
            "That is the limit of --max-connections and less than the load needs: requests will be refused.\n",
        );
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rps: f64, seconds: f64, most: u32, expected: (u32, u32, bool)) {
        let sizes = sizes(rps, seconds, most);
        assert_eq!((sizes.connections, sizes.keepalive, sizes.capped), expected);
    }

    #[test]
    fn littles_law_with_a_fifth_more() {
        check(100.0, 0.5, 100, (60, 30, false));
        check(50.0, 0.3, 100, (18, 9, false));
        check(1.0, 0.01, 100, (1, 1, false));
        check(1_000.0, 1.0, 100, (100, 50, true));
        check(1_000.0, 1.0, 5_000, (1_200, 50, false));
        check(1e9, 86_400.0, 1_000_000, (1_000_000, 50, true));
    }
}
