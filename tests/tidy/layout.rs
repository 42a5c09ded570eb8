//! How files are named, how long they are, and what may not stand in them.

use crate::tree::{files, mentions, none, paths, sources};

/// Most lines of a source file, its tests not counted.
const LONGEST: usize = 400;

#[test]
fn source_files_are_short_enough_to_be_read() {
    none(
        "files that should be two",
        sources()
            .iter()
            .map(|file| (file, file.code().lines().count()))
            .filter(|(_, lines)| *lines > LONGEST)
            .map(|(file, lines)| format!("{}: {lines} lines", file.path)),
    );
}

#[test]
fn names_say_what_is_in_a_file() {
    let empty = [
        "common", "helper", "helpers", "misc", "types", "util", "utils",
    ];
    none(
        "names that say nothing",
        paths().into_iter().filter(|path| {
            let name = path.trim_end_matches('/').rsplit('/').next();
            let stem = name.and_then(|name| name.split('.').next());
            stem.is_some_and(|stem| empty.contains(&stem))
        }),
    );
}

#[test]
fn nothing_is_left_for_later_in_a_comment() {
    // In two parts each, so that this file passes.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    none("marks of unfinished work", mentions(&marks));
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    let folders = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/tm", "p/w"),
    ];
    none("paths of one machine", mentions(&folders));
}

#[test]
fn a_module_with_children_is_a_folder() {
    // One style: `foo/mod.rs`, never `foo.rs` beside `foo/`.
    let paths = paths();
    none(
        "files beside a folder of their name",
        paths.iter().filter_map(|path| {
            let folder = path.strip_suffix(".rs")?.to_owned() + "/";
            paths.contains(&folder).then(|| path.clone())
        }),
    );
    assert!(paths.iter().any(|path| path.ends_with("/mod.rs")));
}

#[test]
fn the_shell_stays_thin() {
    let sources = sources();
    let shell = sources.iter().filter(|file| file.is_under(&SHELL));
    let lines: usize = shell.map(|file| file.code().lines().count()).sum();
    let expected = 500..THICKEST;
    assert!(expected.contains(&lines), "{SHELL:?} have {lines} lines");
}

#[test]
fn comments_fit_on_a_screen() {
    let sources = files();
    let sources = sources.iter().filter(|file| file.is_rust());
    let mut found = Vec::new();
    for file in sources.filter(|file| file.is_under(&WRAPPED)) {
        let mut is_sample = false;
        for (position, line) in file.text.lines().enumerate() {
            let comment = line.trim_start();
            let text = comment.trim_start_matches(['/', '!']).trim_start();
            if !comment.starts_with("//") || text.starts_with("```") {
                // What a program prints stands between fences, as it prints it.
                is_sample = comment.starts_with("//") && !is_sample;
                continue;
            }
            let may_be_longer = is_sample || comment.contains("://") || text.starts_with('|');
            if line.chars().count() > WIDEST_COMMENT && !may_be_longer {
                found.push(format!("{}:{}", file.path, position + 1));
            }
        }
    }
    none("comments beyond column 100", found);
}

/// What translates between the host and the engine.
const SHELL: [&str; 2] = ["src/filter/", "src/host/"];

/// It has fewer lines than this, its tests not counted. It stands in two places: before the router
/// and behind it.
const THICKEST: usize = 3_480;

/// Where comments are wrapped.
const WRAPPED: [&str; 1] = ["src/"];

const WIDEST_COMMENT: usize = 100;
