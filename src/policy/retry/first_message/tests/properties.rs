//! What holds of every body, in whatever parts it comes.

use alloc::vec::Vec;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::RngSeed;
use proptest::{collection, proptest, sample};

use super::*;

/// The same cases in every run, so that a failure seen once is seen again; natively the variable
/// `PROPTEST_RNG_SEED` asks for others, `PROPTEST_CASES` for more.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig {
        cases: if cfg!(target_arch = "wasm32") {
            128
        } else {
            given.cases.saturating_mul(2)
        },
        rng_seed: match given.rng_seed {
            RngSeed::Random => RngSeed::Fixed(5),
            fixed => fixed,
        },
        failure_persistence: None,
        ..given
    }
}

/// What bodies are made of: pieces that mean something, in an order that often does not.
const PIECES: [&[u8]; 24] = [
    b"event: error",
    b"event:error",
    b"event",
    b"event:",
    b"data: x",
    b"data: overloaded",
    b"data",
    b"over",
    b"loaded",
    b":",
    b": wait",
    b" ",
    b"id: 1",
    b"\n",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n",
    b"\r\n\r\n",
    b"\xEF\xBB\xBF",
    b"\xEF\xBB",
    b"\0\0\0\0",
    b"\x0b\x01",
    b"\xf0\x9f",
];

fn piece() -> impl Generator<Value = Vec<u8>> {
    prop_oneof![
        12 => sample::select(&PIECES).prop_map(<[u8]>::to_vec),
        1 => collection::vec(any::<u8>(), 0..8),
    ]
}

/// Up to a few hundred bytes.
fn short() -> impl Generator<Value = Vec<u8>> {
    collection::vec(piece(), 0..16).prop_map(|pieces| pieces.concat())
}

/// One that is about as long as what is looked at, with something to read at that border.
fn long() -> impl Generator<Value = Vec<u8>> {
    let filler = sample::select(&[": wait\n", "data: x\n", "id: 1\r\n\r\n", "\n", "x"]);
    let border = MOST - 40..MOST + 10;
    (short(), filler, border, short()).prop_map(|(mut body, filler, border, end)| {
        let filling = filler.bytes().cycle();
        body.extend(filling.take(border.saturating_sub(body.len())));
        body.extend(end);
        body
    })
}

/// The body in a frame of gRPC whose length is right, or nearly.
fn in_frame() -> impl Generator<Value = Vec<u8>> {
    (any_length(), sample::select(&[0, 0, 0, 1, 2]), -2..3_i32).prop_map(|(body, flag, off)| {
        let length = u32::try_from(body.len())
            .unwrap()
            .saturating_add_signed(off);
        [&[flag], &length.to_be_bytes()[..], &body].concat()
    })
}

fn any_length() -> impl Generator<Value = Vec<u8>> {
    prop_oneof![8 => short(), 1 => long()]
}

fn case() -> impl Generator<Value = (Body, Vec<u8>)> {
    prop_oneof![
        4 => (Just(Body::Sse), any_length()),
        2 => (Just(Body::Grpc), in_frame()),
        1 => (Just(Body::Grpc), any_length()),
        1 => (Just(Body::Other), any_length()),
    ]
}

fn some_rules() -> impl Generator<Value = Vec<EventRule>> {
    let words = [
        "",
        "event=error",
        "event=message",
        "data=overloaded",
        "data=x",
        "event=error data=overloaded",
        "data=x\u{1f6a2} data=ed",
    ];
    sample::select(words.to_vec()).prop_map(rules)
}

/// `bytes` cut at these places.
fn cut<'a>(bytes: &'a [u8], places: &[sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places.iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|ends| &bytes[ends[0]..ends[1]])
        .collect()
}

proptest! {
    #![proptest_config(config())]

    /// After each part the verdict is that of all bytes so far, and so nothing depends on where the
    /// parts end. Only the first part counts of a body of another kind.
    #[test]
    fn the_verdict_is_that_of_the_bytes_whatever_the_parts(
        (body, bytes) in case(),
        rules in some_rules(),
        places in collection::vec(any::<sample::Index>(), 0..12),
    ) {
        let mut scanner = Scanner::new(body, &rules);
        let mut fed = 0;
        let mut first = None;
        for part in cut(&bytes, &places) {
            fed += part.len();
            let seen = scanner.feed(part);
            if body == Body::Other {
                first = first.or_else(|| Some(fed).filter(|fed| *fed > 0));
            }
            let so_far = &bytes[..first.unwrap_or(fed)];
            prop_assert_eq!(seen, model::verdict(body, &rules, so_far, false));
        }
        let all = &bytes[..first.unwrap_or(fed)];
        prop_assert_eq!(scanner.end(), model::verdict(body, &rules, all, true));
    }

    /// A byte at a time is the worst of parts.
    #[test]
    fn single_bytes_say_the_same(bytes in any_length(), rules in some_rules()) {
        let mut scanner = Scanner::new(Body::Sse, &rules);
        for byte in bytes.chunks(1) {
            scanner.feed(byte);
        }
        prop_assert_eq!(scanner.end(), model::verdict(Body::Sse, &rules, &bytes, true));
    }

    /// Once there is a verdict it stays, and there is one after so many bytes.
    #[test]
    fn what_comes_after_the_verdict_or_beyond_16_kib_changes_nothing(
        (body, mut bytes) in case(),
        rules in some_rules(),
        more in short(),
    ) {
        let mut scanner = Scanner::new(body, &rules);
        let seen = scanner.feed(&bytes);
        if seen == Verdict::Undecided {
            bytes.resize(MOST, b'x');
            let mut whole = Scanner::new(body, &rules);
            let decided = whole.feed(&bytes);
            prop_assert_eq!(decided, model::verdict(body, &rules, &bytes, false));
            assert_ne!(decided, Verdict::Undecided);
            prop_assert_eq!(whole.feed(&more), decided);
            bytes.extend(more);
            prop_assert_eq!(Scanner::new(body, &rules).feed(&bytes), decided);
        } else {
            prop_assert_eq!(scanner.feed(&more), seen);
            prop_assert_eq!(scanner.end(), seen);
        }
    }

    /// Whatever the bytes, nothing panics, and the end decides.
    #[test]
    fn any_bytes_at_all_are_decided_at_the_end(
        body in sample::select(&[Body::Sse, Body::Grpc, Body::Other]),
        parts in collection::vec(collection::vec(any::<u8>(), 0..64), 0..8),
        rules in some_rules(),
    ) {
        let seen = verdicts(body, &rules, &parts);
        assert!(seen.ends_with(['c', 'f']), "{seen}");
    }
}
