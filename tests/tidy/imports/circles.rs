//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The circles, each as the shortest way from its first file to itself. Of circles that share a file
/// one is enough to begin with.
pub(super) fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for file in imports.keys() {
        if seen.contains(file.as_str()) {
            continue;
        }
        if let Some(circle) = way_back(file, imports) {
            found.push(circle.join(" -> "));
            seen.extend(circle);
        }
    }
    found
}

/// The shortest way from a file to itself.
fn way_back<'a>(
    start: &'a str,
    imports: &'a BTreeMap<String, BTreeSet<String>>,
) -> Option<Vec<&'a str>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for imported in imports.get(file).into_iter().flatten() {
            if !from.contains_key(imported.as_str()) {
                from.insert(imported, file);
                next.push_back(imported);
            }
        }
        if from.contains_key(start) {
            let mut way = vec![start];
            let mut at = start;
            while let Some(&before) = from.get(at) {
                way.push(before);
                at = before;
                if at == start {
                    break;
                }
            }
            way.reverse();
            return Some(way);
        }
    }
    None
}
