//! The resources in `envoy/istio` and `envoy/gateway`: they are what the program writes, their
//! configurations are good, and Kubernetes would take each of them and none with a misspelt field.
//!
//! Limits: without the definitions (see `definitions`) fields are not checked. HTTPRoute and
//! BackendTrafficPolicy are checked by none that is commonly at hand; what is written into them is
//! tested in `gateway`, and their routing on an Envoy.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::definitions::{Complaint, Definitions, yaml};
use crate::samples::root;
use crate::steerage;

/// Every file of resources under `folder`, by its path from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("istio"), folder.join("gateway")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                found.push(path.strip_prefix(folder).expect("it is within").into());
            }
        }
    }
    found.sort();
    found
}

/// Every resource, with the file that it is in.
fn resources() -> Vec<(PathBuf, Value)> {
    let folder = root().join("envoy");
    let mut resources = Vec::new();
    for file in files(&folder) {
        let text = fs::read_to_string(folder.join(&file)).expect("text");
        resources.extend(
            yaml(&text)
                .into_iter()
                .map(|resource| (file.clone(), resource)),
        );
    }
    assert!(resources.len() > 20);
    resources
}

#[test]
fn they_are_what_the_program_writes() {
    let envoy = root().join("envoy");
    let anew = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifests");
    let _ = fs::remove_dir_all(&anew);
    let script = Command::new("sh")
        .arg(envoy.join("render.sh"))
        .arg(env!("CARGO_BIN_EXE_steerage"))
        .arg(&anew)
        .output()
        .expect("a shell");
    assert!(
        script.status.success(),
        "{}",
        String::from_utf8_lossy(&script.stderr)
    );
    let rendered = files(&anew);
    assert!(rendered.len() > 8, "{rendered:?}");
    for file in &rendered {
        let text = |folder: &Path| fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            text(&anew) == text(&envoy),
            "{}: run `make manifests`",
            file.display()
        );
    }
    let written: BTreeSet<_> = files(&envoy).into_iter().collect();
    let by_hand: Vec<_> = written
        .iter()
        .filter(|file| !rendered.contains(file))
        .collect();
    assert_eq!(by_hand, [Path::new("istio/mesh.yaml")]);
}

/// The configuration of the filter in a resource that has one.
fn configuration(resource: &Value) -> Option<String> {
    let as_text = "/spec/configPatches/0/patch/value/typed_config/config/configuration/value";
    let place = |place: &&str| resource.pointer(place);
    let written = [
        "/spec/pluginConfig",
        "/spec/wasm/pluginConfig",
        "/spec/wasm/0/config",
        as_text,
    ]
    .iter()
    .find_map(place)?;
    let text = written.as_str().map(str::to_owned);
    Some(text.unwrap_or_else(|| written.to_string()))
}

#[test]
fn their_configurations_are_good() {
    let mut checked = 0;
    for (file, resource) in resources() {
        let Some(policy) = configuration(&resource) else {
            continue;
        };
        let run = steerage(&["check", "--strict", "-"], policy.as_bytes());
        assert_eq!(run.status, 0, "{}: {}", file.display(), run.output);
        checked += 1;
    }
    assert_eq!(checked, 11);
}

/// A field, as a path of JSON, and its resource with another name in its place.
fn misspelt(resource: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut places = vec![String::new()];
    while let Some(place) = places.pop() {
        match resource.pointer(&place) {
            Some(Value::Object(fields)) => {
                for name in fields.keys() {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let path = format!("{place}/{escaped}");
                    let mut other = resource.clone();
                    let object = other.pointer_mut(&place).and_then(Value::as_object_mut);
                    let object = object.expect("it is there");
                    let value = object.remove(name).expect("it is there");
                    object.insert(format!("{name}x"), value);
                    found.push((path.clone(), other));
                    places.push(path);
                }
            }
            Some(Value::Array(items)) => {
                places.extend((0..items.len()).map(|index| format!("{place}/{index}")));
            }
            _ => {}
        }
    }
    found
}

/// Whether this part of a resource may have any content: labels, names of headers, and parts that
/// Kubernetes does not know.
fn is_free(path: &str) -> bool {
    let within = ["/pluginConfig/", "/wasm/0/config/", "/patch/value/"];
    let below = ["/matchLabels", "/labels", "/headers"];
    within.iter().any(|part| path.contains(part))
        || path
            .rsplit_once('/')
            .is_some_and(|(parent, _)| below.iter().any(|end| parent.ends_with(end)))
}

#[test]
fn kubernetes_would_take_them_and_none_with_a_misspelt_field() {
    let Some(definitions) = Definitions::load() else {
        return;
    };
    let mut kinds = BTreeSet::new();
    let mut fields = 0;
    for (file, resource) in resources() {
        let file = file.display();
        match definitions.complaint(&resource) {
            Ok(()) => {}
            Err(Complaint::NoDefinition) => {
                eprintln!(
                    "not checked: {}, there is no definition of it",
                    resource["kind"]
                );
                continue;
            }
            Err(Complaint::Of(error)) => panic!("{file}: {error}"),
        }
        kinds.insert(resource["kind"].as_str().expect("a name").to_owned());
        for (path, other) in misspelt(&resource) {
            if is_free(&path) {
                continue;
            }
            fields += 1;
            assert!(
                definitions.complaint(&other).is_err(),
                "{file}: {path} can be misspelt"
            );
        }
    }
    for kind in [
        "EnvoyExtensionPolicy",
        "EnvoyFilter",
        "ServiceEntry",
        "TrafficExtension",
        "VirtualService",
        "WasmPlugin",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
    assert!(fields > 300, "{fields}");
}
