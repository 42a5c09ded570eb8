//! The table, row by row: how an attempt ended → retried, counted, in the row, speed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::endpoint::Endpoint;
use crate::outcome::Neutral;
use crate::pool::Pool;
use crate::retry::Statuses;

/// How an attempt ended, in words: `503`, `grpc 14`, `timeout`; then `whole`, `again`, `cools`.
fn facts(words: &str) -> (Facts, bool) {
    let mut words = words.split(' ');
    let mut had_whole_read = false;
    let outcome = match words.next().unwrap_or_default() {
        "grpc" => Outcome::Grpc(GrpcStatus(words.next().unwrap().parse().unwrap())),
        "refused" => Outcome::ConnectFailure,
        "reset" => Outcome::Reset,
        "timeout" => Outcome::Timeout,
        "event" => Outcome::Event,
        "gone" => Outcome::Neutral(Neutral::ClientGone),
        "late" => Outcome::Neutral(Neutral::WriteTimeout),
        "beaten" => Outcome::Neutral(Neutral::Overtaken),
        "unrouted" => Outcome::Neutral(Neutral::NotRouted),
        "overflow" => Outcome::Neutral(Neutral::Overflow),
        "filter" => Outcome::Neutral(Neutral::Unknown),
        status => Outcome::Answered(status.parse().unwrap()),
    };
    let mut facts = Facts::from(outcome);
    for word in words {
        match word {
            "whole" => had_whole_read = true,
            "again" => facts.is_repeated = true,
            "cools" => facts.cools = true,
            other => panic!("{other} is no circumstance"),
        }
    }
    (facts, had_whole_read)
}

/// What comes of it, in words: `retried`; the label of metrics; what the breaker counts; what the
/// balance counts; what it says of speed.
fn said(words: &str, pool: &Pool) -> String {
    let (facts, had_whole_read) = facts(words);
    let judged = judge(facts, had_whole_read, &pool.retry, &pool.breaker);
    let retried = if pool.retry.covers(facts.outcome) {
        "retried"
    } else {
        "final"
    };
    let breaker = match judged.breaker {
        Verdict::Success => "good",
        Verdict::Failure { consecutive: true } => "row",
        Verdict::Failure { consecutive: false } => "rate",
        Verdict::Neutral => "-",
    };
    let counted = match judged.counted {
        Counted::Success => "success",
        Counted::Failure => "failure",
        Counted::Unwanted => "unwanted",
        Counted::Not => "-",
    };
    let speed = match judged.speed {
        Speed::Sample => "sample",
        Speed::Penalty => "penalty",
        Speed::Silent => "-",
    };
    format!(
        "{retried} {} {breaker} {counted} {speed}",
        judged.kind.name()
    )
}

fn check(pool: &Pool, rows: &[(&str, &str)]) {
    let seen = rows.iter().map(|(words, _)| (*words, said(words, pool)));
    let seen: Vec<_> = seen.collect();
    let rows = rows
        .iter()
        .map(|(words, said)| (*words, String::from(*said)));
    assert_eq!(seen, rows.collect::<Vec<_>>());
}

fn pool() -> Pool {
    Pool::new("p", ["a", "b"].map(Endpoint::new).to_vec())
}

#[test]
fn answers_under_the_default_policy() {
    check(
        &pool(),
        &[
            ("200", "final success good success sample"),
            ("201", "final success good success sample"),
            ("204", "final success good success sample"),
            ("206", "final success good success sample"),
            ("301", "final success good success sample"),
            ("304", "final success good success sample"),
            ("399", "final success good success sample"),
            ("400", "final success good success -"),
            ("401", "final success good success -"),
            ("403", "final success good success -"),
            ("404", "final success good success -"),
            ("408", "final success good success -"),
            ("418", "final success good success -"),
            ("499", "final success good success -"),
            ("404 again", "final success good success -"),
            ("429", "retried status rate failure penalty"),
            ("429 again", "retried status - - -"),
            ("429 cools", "retried status - unwanted penalty"),
            ("500", "retried status row failure penalty"),
            ("500 again", "retried status - - -"),
            ("501", "final success good success -"),
            ("501 again", "final success good success -"),
            ("502", "retried status row failure penalty"),
            ("503", "retried status row failure penalty"),
            ("503 again", "retried status - - -"),
            ("503 cools", "retried status - unwanted penalty"),
            ("503 again cools", "retried status - unwanted penalty"),
            ("504", "retried status row failure penalty"),
            ("505", "final success good success -"),
            ("507", "final status row failure penalty"),
            ("511", "final success good success -"),
            ("529", "final status row failure penalty"),
            ("529 cools", "final status - unwanted penalty"),
            ("599", "final status row failure penalty"),
            ("600", "final success good success -"),
        ],
    );
}

#[test]
fn grpc_statuses_under_the_default_policy() {
    check(
        &pool(),
        &[
            ("grpc 1", "final success good success -"),
            ("grpc 2", "final status row failure penalty"),
            ("grpc 3", "final success good success -"),
            ("grpc 4", "final status row failure penalty"),
            ("grpc 5", "final success good success -"),
            ("grpc 6", "final success good success -"),
            ("grpc 7", "final success good success -"),
            ("grpc 8", "retried status rate failure penalty"),
            ("grpc 8 cools", "retried status - unwanted penalty"),
            ("grpc 9", "final success good success -"),
            ("grpc 10", "final success good success -"),
            ("grpc 11", "final success good success -"),
            ("grpc 12", "final success good success -"),
            ("grpc 13", "final status row failure penalty"),
            ("grpc 14", "retried status row failure penalty"),
            ("grpc 14 again", "retried status - - -"),
            ("grpc 15", "final status row failure penalty"),
            ("grpc 16", "final success good success -"),
            ("grpc 99", "final success good success -"),
        ],
    );
}

#[test]
fn what_never_became_an_answer() {
    check(
        &pool(),
        &[
            ("refused", "retried connect_failure row failure penalty"),
            ("reset", "retried reset row failure penalty"),
            ("timeout whole", "retried timeout row failure penalty"),
            ("timeout", "retried deadline - - -"),
            ("overflow", "retried neutral - - -"),
            ("unrouted", "retried neutral - - -"),
            ("filter", "final neutral - - -"),
            ("gone", "final neutral - - -"),
            ("late", "final neutral - - -"),
            ("beaten", "final neutral - - -"),
        ],
    );
}

#[test]
fn a_first_event_that_is_a_failure_counts_like_an_answer_with_5xx() {
    let rows = [
        ("event", "retried event row failure penalty"),
        ("event whole", "retried event row failure penalty"),
        ("event again", "retried event - - -"),
    ];
    check(&pool(), &rows);
    let mut unlisted = pool();
    unlisted.retry.statuses = Statuses::new(Vec::new());
    unlisted.retry.transports.clear();
    check(&unlisted, &rows);
}

#[test]
fn what_is_listed_for_retry_attracts_nothing_and_opens_nothing() {
    let mut pool = pool();
    pool.retry.statuses = Statuses::new([401..=401, 404..=404, 500..=599].to_vec());
    pool.retry.grpc_statuses = [GrpcStatus(5), GrpcStatus(14)].to_vec();
    pool.retry.transports.clear();
    check(
        &pool,
        &[
            ("401", "retried success good unwanted penalty"),
            ("401 again", "retried status - - -"),
            ("404", "retried success good unwanted penalty"),
            ("403", "final success good success -"),
            ("429", "final status rate failure penalty"),
            ("501", "retried success good unwanted penalty"),
            ("503", "retried status row failure penalty"),
            ("grpc 5", "retried success good unwanted penalty"),
            ("grpc 8", "final status rate failure penalty"),
            ("grpc 14", "retried status row failure penalty"),
            ("refused", "final connect_failure row failure penalty"),
            ("timeout whole", "final timeout row failure penalty"),
            ("overflow", "final neutral - - -"),
        ],
    );
}

#[test]
fn which_statuses_are_failures_is_configured() {
    let mut pool = pool();
    let statuses = [404..=404, 429..=429, 501..=503];
    pool.breaker.failure_statuses = Statuses::new(statuses.to_vec());
    check(
        &pool,
        &[
            ("404", "final status row failure penalty"),
            ("429", "retried status row failure penalty"),
            ("500", "retried success good unwanted penalty"),
            ("501", "final success good success -"),
            ("502", "retried status row failure penalty"),
            ("507", "final success good success -"),
            ("404 again", "final status - - -"),
        ],
    );
}
