//! What the documents of the repository show.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A document of the repository.
pub(crate) fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The configurations of `envoy/presets/`, without `.json`.
pub(crate) const PRESETS: [&str; 5] = [
    "fast-api",
    "high-throughput",
    "long-processing",
    "reliability",
    "upload",
];

/// Every configuration that the documents show: those of the README, and those within `envoy/`.
pub(crate) fn samples() -> Vec<String> {
    let readme = document("README.md");
    let of_readme = readme
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|sample| sample.contains("\"endpoints\"") || sample.contains("\"pools\""))
        .map(str::to_owned);
    let mut samples: Vec<_> = of_readme.collect();
    for name in [
        "envoy",
        "operations",
        "demo",
        "llm-gateway",
        "router-retries",
    ] {
        let text = document(&format!("envoy/{name}.yaml"));
        let before = samples.len();
        for rest in text.split("value: |\n").skip(1) {
            let indent = rest.len() - rest.trim_start().len();
            let lines = rest.lines();
            let block = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
            samples.push(block.collect::<Vec<_>>().join("\n"));
        }
        assert!(samples.len() > before, "{name}");
    }
    samples.extend(PRESETS.map(|name| document(&format!("envoy/presets/{name}.json"))));
    assert!(samples.len() >= 13, "{}", samples.len());
    samples
}
