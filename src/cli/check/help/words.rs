//! Strategies in the words of other programs.

/// The strategy, of balancing or of retries, that other programs call so.
pub(super) fn strategy(text: &str) -> Option<&'static str> {
    Some(match &*normalized(text) {
        "roundrobin" | "rr" => "round_robin",
        "weightedroundrobin" | "wrr" | "weighted" => "weighted_round_robin",
        "leastconn" | "leastconnection" | "leastconnections" | "leastrequest" | "leastrequests"
        | "leastactive" | "lc" => "least_connections",
        "leasttime" | "leastlatency" | "leastresponsetime" | "fastest" | "ewma" | "peakewma"
        | "latency" => "least_response_time",
        "random" | "uniform" => "random",
        "weightedrandom" => "weighted_random",
        "health" | "healthbased" | "adaptive" => "health_based",
        "ringhash" | "maglev" | "iphash" | "sourceip" | "hash" | "consistenthash" | "source" => {
            "consistent_hash"
        }
        "p2c" | "poweroftwo" | "poweroftwochoices" | "twochoices" => "power_of_two",
        "exponential" | "exponentialbackoff" | "expo" => "exponential",
        "constant" | "fixed" | "fixedbackoff" | "fixeddelay" => "fixed",
        "linear" | "linearbackoff" => "linear",
        _ => return None,
    })
}

/// Without case and punctuation.
pub(super) fn normalized(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}
