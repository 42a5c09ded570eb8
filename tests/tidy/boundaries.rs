//! Which part of the tree may know which.
//!
//! A package cannot use what its manifest does not name, so these rules are about manifests, and
//! about the parts of one package.

use std::collections::BTreeSet;

use crate::tree::{document, none, packages, strays};

/// What operators read.
const DOCUMENTS: &str = "src/admin/documents.rs";

#[test]
fn only_host_calls_the_host() {
    none(
        "hostcalls outside of src/abi and src/host",
        strays(
            &["extern \"C\" {", "wasm_import_module"],
            &["src/abi/", "src/host/"],
        ),
    );
    none(
        "uses of the ABI outside of src/host",
        strays(&["proxy_wasm_abi", "abi::"], &["src/host/", "src/lib.rs"]),
    );
}

#[test]
fn only_callbacks_and_memory_are_called_by_the_host() {
    none(
        "exported functions outside of src/filter/callbacks.rs",
        strays(
            &["extern \"C\" fn", "no_mangle"],
            &["src/filter/callbacks.rs", "src/abi/memory.rs", "src/lib.rs"],
        ),
    );
}

#[test]
fn nothing_that_ships_uses_the_sdk() {
    let sdk = |place: &String| place.replace("proxy_wasm_abi", "").contains("proxy_wasm");
    let found = strays(&["proxy_wasm"], &[]).into_iter();
    none("uses of the SDK", found.filter(sdk));
}

#[test]
fn only_the_configuration_and_the_documents_know_json() {
    none(
        "uses of JSON outside of the configuration, its command line and of what operators are told",
        strays(&["serde_json"], &["src/cli/", "src/config/", DOCUMENTS]),
    );
}

#[test]
fn only_what_workers_share_is_written_down() {
    none(
        "uses of serde where nothing is shared",
        strays(
            &["serde"],
            &["src/cli/", "src/config/", "src/shared/wire/", DOCUMENTS],
        ),
    );
}

#[test]
fn the_policy_uses_nothing_of_the_platform() {
    let elsewhere = ["src/host", "src/filter/", "src/config/", "src/lib.rs"];
    let found = strays(&["std::"], &elsewhere);
    none(
        "uses of the standard library in the policy",
        found
            .into_iter()
            .filter(|place| place.starts_with("src/policy/")),
    );
}

#[test]
fn the_host_knows_nothing_of_the_configuration() {
    let found = strays(&["steerage_config"], &[]);
    assert!(!found.is_empty());
    let in_host = found.into_iter().filter(|it| it.starts_with("src/host/"));
    none("uses of the configuration by the host", in_host);
}

#[test]
fn the_engine_knows_the_policy_and_what_is_shared() {
    let below = below("steerage-engine");
    for name in ["steerage-policy", "steerage-shared"] {
        assert!(below.contains(name), "{name} is not in {below:?}");
    }
    // Neither itself nor by a package of ours.
    for unwanted in [
        "log",
        "proxy-wasm",
        "proxy-wasm-abi",
        "serde_json",
        "steerage",
        "steerage-config",
    ] {
        assert!(!below.contains(unwanted), "the engine uses {unwanted}");
    }
}

#[test]
fn the_policy_knows_no_serde() {
    let below = below("steerage-policy");
    assert!(below.contains("rand"), "{below:?}");
    let serde = below.iter().filter(|name| name.starts_with("serde"));
    none("formats that the policy knows", serde.cloned());
}

/// What a package of the workspace uses, and what those of the workspace that it uses do.
fn below(package: &str) -> BTreeSet<String> {
    let packages = packages();
    let mut found = BTreeSet::new();
    let mut next = vec![package.to_owned()];
    while let Some(name) = next.pop() {
        if let Some(package) = packages.iter().find(|package| package.name == name) {
            for used in &package.dependencies {
                if found.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
    }
    found
}

#[test]
fn every_dependency_has_its_reason_in_a_table() {
    let text = document("ARCHITECTURE.md");
    let (_, section) = text.split_once("\n## Dependencies\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (section, _) = section.split_once("| program |").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let described: BTreeSet<_> = rows
        .filter_map(|row| row.split(" |").next())
        .flat_map(|names| names.split(['`', ',', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();

    let packages = packages();
    let ours: BTreeSet<_> = packages.iter().map(|package| &package.name).collect();
    let used = packages.iter().flat_map(|package| {
        let for_tests = package.dev_dependencies.iter();
        package.dependencies.iter().chain(for_tests)
    });
    let used: BTreeSet<_> = used.filter(|name| !ours.contains(name)).cloned().collect();
    none(
        "dependencies without a reason",
        used.difference(&described).cloned(),
    );
    none(
        "reasons for what is not used",
        described.difference(&used).cloned(),
    );
}
