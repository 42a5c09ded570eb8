//! Words that mean another: strategies in the words of other programs, and slips of the pen.

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

/// The name that is most like a text, if one is at least so like it (Jaro-Winkler, 0.0 to 1.0).
pub(in crate::check) fn nearest<'a>(
    names: impl Iterator<Item = &'a str>,
    text: &str,
    least: f64,
) -> Option<&'a str> {
    let likeness = |name: &&str| strsim::jaro_winkler(name, text);
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest.filter(|name| likeness(name) > least)
}
