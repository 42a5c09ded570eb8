//! Where the instructions of a request go: for those who make it cheaper, and no test.
//!
//! With a module that has names (`CARGO_PROFILE_RELEASE_STRIP=false`), given as `STEERAGE_WASM`:
//! `cargo test --test cost -- --ignored --nocapture`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::engine;
use crate::fake_host::Host;
use crate::scenes::{everything, get, pass, post, retried, retrying, start, with_strategy};

#[test]
#[ignore = "shows a profile, and needs a module with names"]
fn where_the_instructions_go() {
    type Work = fn(&Host);
    let unmatched = r#"{"pools": [{"endpoints": ["e0"], "match": {"prefix": "/api"}}]}"#;
    let scenarios: [(&str, String, Work); 9] = [
        ("GET, defaults", with_strategy(4, "round_robin"), get),
        ("GET, everything on", everything(), get),
        (
            "GET, 200 endpoints in turn",
            with_strategy(200, "round_robin"),
            get,
        ),
        (
            "GET, least_response_time of 4",
            with_strategy(4, "least_response_time"),
            get,
        ),
        (
            "GET, least_response_time of 200",
            with_strategy(200, "least_response_time"),
            get,
        ),
        (
            "an idle round, 200 endpoints",
            with_strategy(200, "round_robin"),
            |host| pass(host, Duration::from_millis(90)),
        ),
        ("GET, unmatched", unmatched.to_owned(), get),
        ("POST", with_strategy(4, "round_robin"), post),
        ("GET, retried", retrying("100ms"), retried),
    ];
    for (name, configuration, work) in scenarios {
        let shown = thread::spawn(move || show(name, &configuration, work));
        shown.join().unwrap();
    }
}

/// The mean of the last requests of a steady flow.
fn show(name: &str, configuration: &str, work: fn(&Host)) {
    const BEFORE: u64 = 400;
    const COUNTED: u64 = 100;
    const SHOWN: usize = 30;
    let meter = engine::load_counting(true);
    let host = start(configuration, || ());
    let mut by_callback = BTreeMap::new();
    let mut by_function = BTreeMap::new();
    for n in 0..BEFORE + COUNTED {
        let before = meter.functions();
        let cost = meter.of(|| work(&host));
        if n >= BEFORE {
            for (callback, instructions) in cost.by_callback {
                *by_callback.entry(callback).or_default() += instructions;
            }
            for (number, (after, before)) in meter.functions().iter().zip(before).enumerate() {
                *by_function.entry(number).or_default() += after - before;
            }
        }
        pass(&host, Duration::from_millis(10));
    }
    let total: u64 = by_callback.values().sum();
    println!("\n{name}: {} instructions", total / COUNTED);
    for (callback, instructions) in &by_callback {
        println!("{:>9}  {callback}", instructions / COUNTED);
    }
    println!("of these, in the functions themselves:");
    let names = names();
    let mut by_function: Vec<(usize, u64)> = by_function.into_iter().collect();
    by_function.sort_unstable_by_key(|(_, instructions)| Reverse(*instructions));
    for (number, instructions) in by_function.iter().take(SHOWN) {
        let name = names.get(number).map_or("", String::as_str);
        println!("{:>9}  {name}", instructions / COUNTED);
    }
}

/// The names of the module's own functions by place, if it has any.
fn names() -> BTreeMap<usize, String> {
    let mut imported = 0;
    let mut names = BTreeMap::new();
    for part in Parser::new(0).parse_all(&engine::file()) {
        match part.unwrap() {
            Payload::ImportSection(imports) => imported = imports.count() as usize,
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(sections) = section.as_known() {
                    for section in sections {
                        if let Name::Function(map) = section.unwrap() {
                            for naming in map {
                                let naming = naming.unwrap();
                                if let Some(place) = (naming.index as usize).checked_sub(imported) {
                                    names.insert(place, naming.name.to_owned());
                                }
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    names
}
