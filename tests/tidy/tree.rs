//! The files of the tree, and how a rule reports what breaks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use steerage_harness::serde_json::{self, Value};

/// A text file of the tree.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Its text without the tests at its end.
    pub(crate) fn code(&self) -> &str {
        let tests = self.text.match_indices("#[cfg(test)]").find(|(at, cfg)| {
            let after = self.text.get(at + cfg.len()..).unwrap_or_default();
            let next = after.trim_start().lines().next().unwrap_or_default();
            next.starts_with("mod ") && next.ends_with('{')
        });
        tests
            .and_then(|(at, _)| self.text.get(..at))
            .unwrap_or(&self.text)
    }

    /// Its lines of code with their numbers, without those that are only comments.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code()
            .lines()
            .enumerate()
            .map(|(position, line)| (position + 1, line.trim_start()))
            .filter(|(_, line)| !line.starts_with("//"))
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every path of the tree that is not built and not Git's: files, and folders with a `/` at the end.
pub(crate) fn paths() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = path.to_str().unwrap().replace('\\', "/");
            if name == ".git" || name == "target" {
                continue;
            }
            if fs::metadata(entry.path()).unwrap().is_dir() {
                found.push(name + "/");
                folders.push(path);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Every text file of the tree.
pub(crate) fn files() -> Vec<File> {
    paths()
        .into_iter()
        .filter(|path| !path.ends_with('/'))
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(root().join(&path)).unwrap()).ok()?;
            Some(File { path, text })
        })
        .collect()
}

/// Every source file that ships: under `src`, and not only there for tests.
pub(crate) fn sources() -> Vec<File> {
    let all = files();
    let mut only_for_tests = vec!["/tests/".to_owned()];
    for file in all.iter().filter(|file| file.is_under(&["src/"])) {
        let folder = file.path.rsplit_once('/').unwrap().0;
        for declared in file.text.split("#[cfg(test)]").skip(1) {
            let declared = declared.trim_start().lines().next().unwrap_or_default();
            if let Some(name) = declared
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'))
            {
                only_for_tests.push(format!("{folder}/{name}.rs"));
                only_for_tests.push(format!("{folder}/{name}/"));
            }
        }
    }
    all.into_iter()
        .filter(|file| file.is_rust() && file.is_under(&["src/"]))
        .filter(|file| !only_for_tests.iter().any(|part| file.path.contains(part)))
        .collect()
}

/// A document of the tree, by its path from the root.
pub(crate) fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
pub(crate) fn none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Lines of code outside `folders` in which one of `words` stands.
pub(crate) fn strays(words: &[&str], folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| !file.is_under(folders)) {
        for (number, line) in file.statements() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {line}", file.path));
            }
        }
    }
    found
}

/// Lines of any text file in which one of `words` stands.
pub(crate) fn mentions(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files() {
        for (position, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", file.path, position + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_walk_finds_the_tree() {
    // A walk that found nothing would make every rule below hold.
    let sources = sources();
    for path in ["src/lib.rs", "src/host/mod.rs", "src/policy/retry/mod.rs"] {
        assert!(sources.iter().any(|file| file.path == path), "{path}");
    }
    assert!(!sources.iter().any(|file| file.path.contains("/tests/")));
}

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// What it is built of.
    pub(crate) dependencies: Vec<String>,
    /// What only its tests use.
    pub(crate) dev_dependencies: Vec<String>,
}

/// The packages of the workspace, as Cargo reads their manifests.
pub(crate) fn packages() -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let output = cargo.current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata.get("packages").and_then(Value::as_array).unwrap();
    packages.iter().map(Package::of).collect()
}

impl Package {
    fn of(package: &Value) -> Self {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let used = package.get("dependencies").and_then(Value::as_array);
        let used = used.unwrap().iter();
        let (for_tests, built_of): (Vec<_>, Vec<_>) =
            used.partition(|used| text(used, "kind") == "dev");
        let names = |used: Vec<&Value>| used.into_iter().map(|used| text(used, "name")).collect();
        Self {
            name: text(package, "name"),
            dependencies: names(built_of),
            dev_dependencies: names(for_tests),
        }
    }
}
