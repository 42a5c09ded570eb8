//! What the first bytes of a body say, example by example.

mod model;
mod properties;

use alloc::string::String;
use alloc::vec::Vec;

use super::*;

/// Rules in words: `event=NAME`, `data=TEXT`.
fn rules(words: &str) -> Vec<EventRule> {
    let rules = words.split_whitespace().map(|word| {
        let (kind, text) = word.split_once('=').unwrap();
        match kind {
            "event" => EventRule::Event(text.into()),
            _ => EventRule::Data(text.into()),
        }
    });
    rules.collect()
}

/// The verdicts after each part and at the end: `.` undecided, `c` commit, `f` failed.
fn verdicts(body: Body, rules: &[EventRule], parts: &[impl AsRef<[u8]>]) -> String {
    let mut scanner = Scanner::new(body, rules);
    let fed = parts.iter().map(|part| scanner.feed(part.as_ref()));
    let mut verdicts: Vec<_> = fed.collect();
    verdicts.push(scanner.end());
    let letters = verdicts.into_iter().map(|verdict| match verdict {
        Verdict::Undecided => '.',
        Verdict::Commit => 'c',
        Verdict::Failed => 'f',
    });
    letters.collect()
}

#[track_caller]
fn check(body: Body, words: &str, rows: &[(&[&str], &str)]) {
    let rules = rules(words);
    for (parts, expected) in rows {
        assert_eq!(verdicts(body, &rules, parts), *expected, "{parts:?}");
    }
}

/// What operators of gateways to models write.
const USUAL: &str = "event=error data=overloaded_error";

#[test]
fn streams_of_models_begin_like_this() {
    check(
        Body::Sse,
        USUAL,
        &[
            // OpenAI: events have no name.
            (&["data: {\"object\":\"chat.completion.chunk\"}\n\n"], "cc"),
            (&["data: {\"error\":{\"code\":500}}\n\n"], "cc"),
            // Anthropic: every event has one.
            (
                &["event: message_start\ndata: {\"type\":\"message_start\"}\n\n"],
                "cc",
            ),
            (
                &[
                    "event: error\n",
                    "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n",
                    "\n",
                ],
                "..ff",
            ),
            // The text alone is enough.
            (
                &["data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n"],
                "ff",
            ),
            // OpenRouter: comments while it works.
            (
                &[
                    ": OPENROUTER PROCESSING\n\n",
                    ": OPENROUTER PROCESSING\n\n",
                    "data: {}\n\n",
                ],
                "..cc",
            ),
            (
                &[": OPENROUTER PROCESSING\n\n", "event: error\ndata: {}\n\n"],
                ".ff",
            ),
            // A ping that is an event is the first message like any other.
            (
                &["event: ping\ndata: {}\n\n", "event: error\ndata: {}\n\n"],
                "ccc",
            ),
        ],
    );
}

#[test]
fn what_is_no_event_decides_nothing() {
    check(
        Body::Sse,
        USUAL,
        &[
            (&[""], ".c"),
            (&["\n", "\r\n", "\r", "\n\n\n"], "....c"),
            (
                &[":\n\n", ": event: error\n\n", ":data: overloaded_error\n\n"],
                "...c",
            ),
            (&["id: 1\n\n", "retry: 3000\n\n", "id\nretry\n\n"], "...c"),
            (&["event: hello\n\n"], ".c"),
            (&["event\n\n", "event:\n\n"], "..c"),
            (
                &["Event: error\n\n", " event: error\n\n", "event : error\n\n"],
                "...c",
            ),
            (
                &["events: error\n\n", "even: error\n\n", "dat: x\n\n"],
                "...c",
            ),
            (&["database: overloaded_error\n\n"], ".c"),
        ],
    );
}

#[test]
fn fields_are_read_as_the_specification_has_them() {
    check(
        Body::Sse,
        USUAL,
        &[
            (&["event:error\ndata:x\n\n"], "ff"),
            (&["data: x\nevent: error\nid: 1\n\n"], "ff"),
            // One space is no part of the value; a second one is.
            (&["event:  error\ndata: x\n\n"], "cc"),
            (&["event: error \ndata: x\n\n"], "cc"),
            (&["event: errors\ndata: x\n\n"], "cc"),
            (&["event: Error\ndata: x\n\n"], "cc"),
            (&["event: : error\ndata: x\n\n"], "cc"),
            // The last name counts, also an empty one.
            (&["event: hello\nevent: error\ndata: x\n\n"], "ff"),
            (&["event: error\nevent: hello\ndata: x\n\n"], "cc"),
            (&["event: error\nevent\ndata: x\n\n"], "cc"),
            // Data without a value is data, and a field alone is one.
            (&["data\n\n"], "cc"),
            (&["data:\n\n"], "cc"),
            (&["event: error\ndata\n\n"], "ff"),
            // A rule's name needs no data.
            (&["event: error\n\n"], "ff"),
            // Lines of data are one text, with ends of lines between them.
            (&["data: overloaded\ndata: _error\n\n"], "cc"),
            (&["data: a\ndata: overloaded_error\ndata: b\n\n"], "ff"),
            (&["data: \u{fffd}overloaded_error\u{1f6a2}\n\n"], "ff"),
            (&["id: overloaded_error\ndata: x\n\n"], "cc"),
            // The first event only.
            (
                &["data: x\n\nevent: error\ndata: overloaded_error\n\n"],
                "cc",
            ),
        ],
    );
}

#[test]
fn an_event_without_a_name_is_called_message() {
    check(
        Body::Sse,
        "event=message",
        &[
            (&["data: x\n\n"], "ff"),
            (&["event: message\ndata: x\n\n"], "ff"),
            (&["event:\ndata: x\n\n"], "ff"),
            (&["event: other\ndata: x\n\n"], "cc"),
            (&["id: 1\n\n"], ".c"),
            (&["event:\n\n"], ".c"),
            // The name of fields without data is not that of the next event.
            (&["event: other\n\n", "data: x\n\n"], ".ff"),
            // A line that breaks off says nothing before its colon: it may be `database`.
            (&["data"], ".c"),
            (&["data:"], ".f"),
        ],
    );
}

#[test]
fn lines_end_in_three_ways_and_parts_anywhere() {
    check(
        Body::Sse,
        USUAL,
        &[
            (&["event: error\r\ndata: x\r\n\r\n"], "ff"),
            (&["event: error\rdata: x\r\r"], "ff"),
            (&["event: error\r\ndata: x\n\r"], "ff"),
            // The blank line is over with its `\r`; before that there is one end of a line only.
            (
                &["event: error\r", "\n", "data: x\r", "\n", "\r", "\n"],
                "....fff",
            ),
            (
                &["ev", "ent", ":", " ", "err", "or", "\n", "\n"],
                ".......ff",
            ),
            (&["da", "ta: overload", "ed_error\n", "\n"], "...ff"),
            (&["data:", " x", "\n", "", "\n"], "....cc"),
            (&[":", " wait", "\r", "\n", "\r", "data: x\r\r"], ".....cc"),
        ],
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let rules = rules(USUAL);
    for (parts, expected) in [
        (&[&b"\xEF\xBB\xBFevent: error\n\n"[..]][..], "ff"),
        (&[b"\xEF", b"\xBB", b"\xBF", b"data: x\n\n"], "...cc"),
        // At the beginning only, once, and whole.
        (&[b"\n\xEF\xBB\xBFevent: error\n\n"], ".c"),
        (&[b"\xEF\xBB\xBF\xEF\xBB\xBFevent: error\n\n"], ".c"),
        (&[b"\xEF\xBBevent: error\n\n", b"data: x\n\n"], ".cc"),
        (&[b"\xEF\xBB\xBF\n\n", b"data: x\n\n"], ".cc"),
    ] {
        assert_eq!(verdicts(Body::Sse, &rules, parts), expected, "{parts:?}");
    }
}

#[test]
fn an_event_that_breaks_off_counts_if_it_tells_of_a_failure() {
    check(
        Body::Sse,
        USUAL,
        &[
            (&["event: error\ndata: x\n"], ".f"),
            (&["event: error\ndata: x"], ".f"),
            (&["event: error\n"], ".f"),
            (&["event: error"], ".f"),
            (&["data: {\"type\":\"overloaded_error\""], ".f"),
            (&["event: error\nevent"], ".f"),
            (&["event: erro"], ".c"),
            (&["event: hello\ndata: x\n"], ".c"),
            (&["data: x"], ".c"),
            (&["data"], ".c"),
            (&[": event: error"], ".c"),
        ],
    );
}

#[test]
fn without_rules_the_first_event_decides() {
    check(
        Body::Sse,
        "",
        &[
            (&["event: error\n\n"], ".c"),
            (&["event: error\ndata: x\n", "\n"], ".cc"),
            (&[": wait\n\n"], ".c"),
        ],
    );
}

/// A message of gRPC as it stands in a body.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

#[test]
fn the_first_message_of_grpc_is_read_when_it_is_whole() {
    let rules = rules("data=overloaded event=error event=message");
    let good = framed(0, b"\x0a\x05hello");
    let bad = framed(0, b"\xff\x0a\x0aoverloaded\xf0");
    let both = [&good[..], &bad[..]].concat();
    let after_compressed = [&framed(1, b"overloaded")[..], &bad[..]].concat();
    for (parts, expected) in [
        (&[&good[..]][..], "cc"),
        (&[&bad[..]], "ff"),
        (&[&both[..]], "cc"),
        (&[&bad[..3], &bad[3..5], &bad[5..12], &bad[12..]], "...ff"),
        // What there is of a message that breaks off counts.
        (&[&bad[..bad.len() - 1]], ".f"),
        (&[&bad[..14]], ".c"),
        (&[&bad[..5]], ".c"),
        (&[], "c"),
        // An empty message is one.
        (&[&framed(0, b"")[..]], "cc"),
        (&[&framed(0, b"")[..], &bad[..]], "ccc"),
        // A compressed one is not read.
        (&[&after_compressed[..]], "cc"),
        (&[&[1]], "cc"),
    ] {
        assert_eq!(verdicts(Body::Grpc, &rules, parts), expected, "{parts:?}");
    }
}

#[test]
fn the_message_of_another_body_is_its_first_part() {
    check(
        Body::Other,
        "data=overloaded event=message",
        &[
            (&["{\"error\":\"overloaded\"}"], "ff"),
            (&["", "{\"error\":\"overloaded\"}"], ".ff"),
            (&["{", "\"error\":\"overloaded\"}"], "ccc"),
            (&["event: error\n\n"], "cc"),
            (&[], "c"),
            (&[""], ".c"),
        ],
    );
    check(Body::Other, "", &[(&["x"], "cc"), (&[], "c")]);
}

/// A body of `bytes` as one event without its end, as a message of gRPC, or as it is.
fn filled(body: Body, bytes: &[u8]) -> Vec<u8> {
    match body {
        Body::Sse => [b"data:", bytes].concat(),
        Body::Grpc => framed(0, bytes),
        Body::Other => bytes.to_vec(),
    }
}

#[test]
fn what_stands_within_the_first_16_kib_is_found_and_nothing_behind_it() {
    let rules = rules("data=overloaded");
    for body in [Body::Sse, Body::Grpc, Body::Other] {
        let before = filled(body, b"").len();
        for (position, expected) in [(MOST - 10, "ff"), (MOST - 9, "cc"), (MOST, "cc")] {
            let mut bytes = [b'x'].repeat(2 * MOST);
            let at = position - before;
            bytes[at..at + 10].copy_from_slice(b"overloaded");
            let bytes = filled(body, &bytes);
            assert_eq!(verdicts(body, &rules, &[bytes]), expected, "{body:?}");
        }
    }
}

#[test]
fn a_name_counts_although_its_event_does_not_end_within_16_kib() {
    let long = ["event: error\ndata: ", &"x".repeat(MOST)].concat();
    check(Body::Sse, USUAL, &[(&[&long[..MOST - 1], "x"], ".ff")]);
    let late = [&": wait\n".repeat(MOST / 7), "\nevent: error\n\n"].concat();
    check(Body::Sse, USUAL, &[(&[&late], "cc")]);
}

/// Were what there is searched anew with each part, this would take minutes.
#[test]
fn the_time_is_linear_whatever_the_parts_and_the_rules() {
    let wanted = ["a".repeat(MOST / 2), "b".into()].concat();
    let rules = alloc::vec![EventRule::Data(wanted.into()); 16];
    for body in [Body::Sse, Body::Grpc] {
        let bytes = filled(body, &b"a".repeat(MOST));
        let parts: Vec<_> = bytes.chunks(1).collect();
        let seen = verdicts(body, &rules, &parts);
        assert_eq!(seen.find('c'), Some(MOST - 1), "{body:?}");
    }
    let names = "event: a\n\n".repeat(MOST / 10);
    let parts: Vec<_> = names.as_bytes().chunks(1).collect();
    assert!(verdicts(Body::Sse, &rules, &parts).ends_with(".c"));
}
