//! No file imports itself by a circle.
//!
//! Two files that import each other can only be read together. The compiler does not mind, so this
//! reads the files' tokens ([`tokens`]), finds out which file each path leads to ([`package`]), and
//! looks for circles ([`circles`]).
//!
//! What counts is who uses whom: `mod x;` and a re-export whose name its file does not use are no
//! imports, and a re-exported item is imported from the file that holds it. Tests do not count.
//! What it cannot see is a method that another file adds to the same type.

mod circles;
mod package;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{File, files, none, sources};
use circles::circles;
use package::Package;

/// What is read besides the sources under `src`.
const OTHERS: [&str; 3] = ["benches/", "examples/", "tests/harness/src/"];

#[test]
fn no_file_imports_itself_by_a_circle() {
    let others = files().into_iter().filter(|file| file.is_under(&OTHERS));
    let texts = texts(sources().into_iter().chain(others));

    let mut imports = BTreeMap::new();
    for root in texts.keys().filter(|path| is_root(path)) {
        imports.extend(Package::read(root, &texts).imports());
    }
    // What was not reached was not looked at.
    none(
        "files that no package declares",
        texts
            .keys()
            .filter(|path| !imports.contains_key(*path))
            .cloned(),
    );
    let of_worker = imports.get("src/engine/worker.rs").unwrap();
    assert!(of_worker.contains("src/engine/walk/first_attempt.rs"));
    none("files that import each other", circles(&imports));
}

/// Whether a package's modules begin here.
fn is_root(path: &str) -> bool {
    path.ends_with("/lib.rs") || path.ends_with("/main.rs")
}

/// The Rust files among these, by their paths.
fn texts(files: impl IntoIterator<Item = File>) -> BTreeMap<String, String> {
    let files = files.into_iter().filter(File::is_rust);
    files.map(|file| (file.path, file.text)).collect()
}

/// The imports of a made-up package.
fn imports_of(files: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
    let texts = files.iter();
    let texts = texts.map(|(path, text)| (format!("p/{path}"), (*text).to_owned()));
    Package::read("p/lib.rs", &texts.collect()).imports()
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(circles(&imports_of(files)), expected);
}

#[test]
fn a_circle_is_found() {
    let root = ("lib.rs", "mod a; mod b; mod c;");
    check(
        &[
            root,
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            (
                "b.rs",
                "use super::{\n    c::{self, C as D},\n};\npub struct B(D);",
            ),
            ("c.rs", "pub struct C; fn f() { crate::a::g(); }"),
        ],
        &["p/a.rs -> p/b.rs -> p/c.rs -> p/a.rs"],
    );
    check(
        &[
            root,
            ("a.rs", "use crate::b; fn f() { b::g(); }"),
            ("b.rs", "use crate::a::*;"),
            ("c.rs", "use crate::{a, b};"),
        ],
        &["p/a.rs -> p/b.rs -> p/a.rs"],
    );
}

#[test]
fn a_circle_through_the_file_of_a_folder_is_found() {
    let child = ("m/child.rs", "use super::M; pub struct Child(M);");
    // A re-export alone is no use, ...
    check(
        &[
            ("lib.rs", "mod m; pub use m::Child;"),
            ("m/mod.rs", "mod child; pub use child::Child; pub struct M;"),
            child,
        ],
        &[],
    );
    // ... but naming what was re-exported is, and so is a path into the child.
    for used in [
        "pub struct M(Child);",
        "pub struct M; fn f() { child::g() }",
    ] {
        let text = format!("mod child; pub use child::Child; {used}");
        check(
            &[("lib.rs", "mod m;"), ("m/mod.rs", &text), child],
            &["p/m/child.rs -> p/m/mod.rs -> p/m/child.rs"],
        );
    }
}

#[test]
fn a_re_exported_item_is_imported_from_the_file_that_holds_it() {
    let files = [
        ("lib.rs", "mod m; mod user; pub use m::Child;"),
        (
            "m/mod.rs",
            "mod child; pub(crate) use self::child::Child; pub struct M;",
        ),
        ("m/child.rs", "pub struct Child;"),
        (
            "user.rs",
            "use crate::{Child, m::M}; fn f(_: Child, _: M) {}",
        ),
    ];
    let imports = imports_of(&files);
    let of_user = imports.get("p/user.rs").unwrap();
    let of_user: Vec<_> = of_user.iter().map(String::as_str).collect();
    assert_eq!(of_user, ["p/m/child.rs", "p/m/mod.rs"]);
}

#[test]
fn tests_comments_and_texts_import_nothing() {
    check(
        &[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            (
                "b.rs",
                "//! [`crate::a::A`]\npub struct B; /* crate::a::A */ const X: &str = \"crate::a::A\";\
                 #[cfg(test)] use crate::a::A; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ],
        &[],
    );
}
