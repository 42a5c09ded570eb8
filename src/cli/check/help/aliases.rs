//! What the fields are called by other programs.
//!
//! Example: `num_retries` of Envoy is `retry_policy.max_attempts`, which is one more.

/// How the value of another field becomes one of this.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Same,
    /// Retries in place of attempts.
    PlusOne,
    /// A number of milliseconds, if it is a number.
    Milliseconds,
    /// A percentage.
    Percent,
    /// A name of a strategy.
    Strategy,
    /// A list of endpoints.
    List,
}

/// Names elsewhere, the field here, and how its value is written.
pub(super) type Alias = (&'static [&'static str], &'static str, Turn);

#[rustfmt::skip]
pub(super) const ALIASES: &[Alias] = &[
    (&["maxretries", "numretries", "retries", "retrycount", "retrylimit"], "retry_policy.max_attempts", Turn::PlusOne),
    (&["attempts", "tries", "maxtries", "maxretryattempts"], "retry_policy.max_attempts", Turn::Same),
    (&["pertrytimeout", "trytimeout", "attempttimeout", "readtimeout", "proxyreadtimeout", "responsetimeout"], "timeout.read", Turn::Same),
    (&["connecttimeout", "connectiontimeout", "proxyconnecttimeout"], "timeout.connect", Turn::Same),
    (&["requesttimeout", "totaltimeout", "overalltimeout", "deadline"], "timeout.total", Turn::Same),
    (&["timeoutms", "requesttimeoutms"], "timeout.total", Turn::Milliseconds),
    (&["readtimeoutms", "pertrytimeoutms"], "timeout.read", Turn::Milliseconds),
    (&["connecttimeoutms"], "timeout.connect", Turn::Milliseconds),
    (&["basedelayms", "initialdelayms", "delayms"], "retry_policy.base_delay", Turn::Milliseconds),
    (&["maxdelayms"], "retry_policy.max_delay", Turn::Milliseconds),
    (&["lbpolicy", "lbalgorithm", "loadbalancing", "loadbalancingpolicy", "algorithm", "balance", "balancer", "policy"], "load_balancer.strategy", Turn::Strategy),
    (&["clusters", "backends", "servers", "upstreams", "targets", "nodes", "hosts", "urls"], "endpoints", Turn::List),
    (&["url", "address", "host", "hostname", "server", "backend", "upstream", "target", "id"], "endpoints[].cluster", Turn::Same),
    (&["baseinterval", "initialinterval", "initialdelay", "initialbackoff", "minbackoff", "delay", "waitduration", "interval"], "retry_policy.base_delay", Turn::Same),
    (&["maxinterval", "maxbackoff", "maximumbackoff"], "retry_policy.max_delay", Turn::Same),
    (&["multiplier", "factor", "backoffmultiplier", "exponentialbackoffmultiplier"], "retry_policy.exponential_base", Turn::Same),
    (&["backoff", "retrybackoff", "backoffpolicy", "backoffstrategy"], "retry_policy.strategy", Turn::Strategy),
    (&["statuscodes", "retrystatuscodes", "retryablestatuscodes", "retriablestatuscodes", "retryonstatus", "retryonstatuses"], "retry_policy.retry_on_status_codes", Turn::Same),
    (&["methods", "retriablemethods", "retryablemethods", "allowedmethods"], "retry_policy.retry_methods", Turn::Same),
    (&["hedging", "hedgepolicy"], "retry_policy.hedge", Turn::Same),
    (&["retrybudget", "budgetpercent"], "retry_policy.budget", Turn::Same),
    (&["maxrequests", "maxpendingrequests", "maxparallelrequests", "maxconcurrency", "maxconcurrentrequests", "bulkhead"], "connection_pool.max_connections", Turn::Same),
    (&["consecutive5xx", "consecutive5xxerrors", "consecutiveerrors", "consecutivefailures", "maxfailures", "maxfails", "threshold"], "circuit_breaker.failure_threshold", Turn::Same),
    (&["baseejectiontime", "sleepwindow", "opentime", "opentimeout", "resettimeout", "waitdurationinopenstate", "failtimeout", "cooldowntime"], "circuit_breaker.timeout", Turn::Same),
    (&["maxejectionpercent"], "circuit_breaker.max_open_fraction", Turn::Percent),
    (&["failureratethreshold", "errorthresholdpercentage", "failurepercentagethreshold"], "circuit_breaker.failure_rate", Turn::Percent),
    (&["minimumnumberofcalls", "requestvolumethreshold", "minrequests"], "circuit_breaker.minimum_requests", Turn::Same),
    (&["slowcalldurationthreshold"], "circuit_breaker.slow_call_duration", Turn::Same),
    (&["slowcallratethreshold"], "circuit_breaker.slow_call_rate", Turn::Percent),
    (&["permittednumberofcallsinhalfopenstate", "halfopenmaxcalls"], "circuit_breaker.half_open_requests", Turn::Same),
    (&["healthypanicthreshold"], "load_balancer.panic_threshold", Turn::Percent),
    (&["hashkey", "hashpolicy", "hash"], "load_balancer.hash_on", Turn::Same),
    (&["routes", "rules", "services"], "pools", Turn::Same),
    (&["pathprefix", "uriprefix"], "match.prefix", Turn::Same),
];
