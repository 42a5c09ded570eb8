//! The modules of one package, and which file a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::Parsed;

/// The modules of one package by their paths from its root, which is the empty path.
#[derive(Debug)]
pub(super) struct Package {
    modules: BTreeMap<Vec<String>, Module>,
}

#[derive(Debug)]
struct Module {
    file: String,
    parsed: Parsed,
}

/// Where a path leads.
enum Target<'a> {
    Module(Vec<String>),
    /// To something that this file holds.
    In(&'a str),
    /// To another package, or to a name that the file itself defines.
    Elsewhere,
}

impl Package {
    /// Reads the package whose modules begin in the file `root`.
    pub(super) fn read(root: &str, texts: &BTreeMap<String, String>) -> Self {
        let mut modules = BTreeMap::new();
        let mut found = vec![(Vec::new(), root.to_owned())];
        while let Some((path, file)) = found.pop() {
            let parsed = Parsed::of(texts.get(&file).unwrap());
            let folder = match file.rsplit_once('/').unwrap() {
                (folder, "lib.rs" | "main.rs" | "mod.rs") => folder.to_owned(),
                (folder, name) => format!("{folder}/{}", name.trim_end_matches(".rs")),
            };
            for name in &parsed.modules {
                let places = [
                    format!("{folder}/{name}.rs"),
                    format!("{folder}/{name}/mod.rs"),
                ];
                let Some(place) = places.into_iter().find(|place| texts.contains_key(place)) else {
                    panic!("{file}: no file of `mod {name};`");
                };
                let below = path.iter().chain([name]).cloned().collect();
                found.push((below, place));
            }
            modules.insert(path, Module { file, parsed });
        }
        Self { modules }
    }

    /// Which files each file imports.
    pub(super) fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let modules = self.modules.iter();
        let imports = modules.map(|(path, module)| (module.file.clone(), self.imports_of(path)));
        imports.collect()
    }

    fn imports_of(&self, path: &[String]) -> BTreeSet<String> {
        let module = self.module(path);
        let mut imported = BTreeSet::new();
        for import in &module.parsed.imports {
            let is_used = !import.is_public || module.parsed.names.contains(&import.name);
            match self.target(path, &import.path, 0) {
                Target::In(file) if is_used => imported.extend([file]),
                Target::Module(below) if import.name == "*" && is_used => {
                    imported.extend([self.module(&below).file.as_str()]);
                }
                // Of a module that is imported by name the paths in the code say what is used.
                _ => {}
            }
        }
        for used in &module.parsed.paths {
            if let Target::In(file) = self.target(path, used, 0) {
                imported.insert(file);
            }
        }
        imported.remove(module.file.as_str());
        imported.into_iter().map(str::to_owned).collect()
    }

    /// Where `path` leads, as the module `from` writes it. `depth` is the number of re-exports that
    /// were followed on the way.
    fn target(&self, from: &[String], path: &[String], depth: u8) -> Target<'_> {
        let Some((first, mut rest)) = path.split_first() else {
            return Target::Module(from.to_vec());
        };
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => parent(from),
            _ => return self.named(from, path, depth),
        };
        while let Some((step, below)) = rest.split_first()
            && step == "super"
        {
            at = parent(&at);
            rest = below;
        }
        match self.named(&at, rest, depth) {
            Target::Elsewhere if !self.brings_in(&at, rest) => Target::In(&self.module(&at).file),
            target => target,
        }
    }

    /// Where `path` leads if it begins with a name that the module `at` knows: that of a module below
    /// it, or one that it imports.
    fn named(&self, at: &[String], path: &[String], depth: u8) -> Target<'_> {
        let Some((name, rest)) = path.split_first() else {
            return Target::Module(at.to_vec());
        };
        let below: Vec<_> = at.iter().chain([name]).cloned().collect();
        if self.modules.contains_key(&below) {
            return match self.named(&below, rest, depth) {
                Target::Elsewhere if !self.brings_in(&below, rest) => {
                    Target::In(&self.module(&below).file)
                }
                target => target,
            };
        }
        let mut imports = self.module(at).parsed.imports.iter();
        let import = imports.find(|import| import.name == *name);
        let Some(import) = import.filter(|_| depth < DEEPEST) else {
            return self.exported_macro(at, name);
        };
        // `use rand;` names the package, not itself.
        if import.path.first() == Some(name) {
            return Target::Elsewhere;
        }
        let path: Vec<_> = import.path.iter().chain(rest).cloned().collect();
        self.target(at, &path, depth + 1)
    }

    /// An exported macro is known by its name in the package's root, wherever it is defined.
    fn exported_macro(&self, at: &[String], name: &str) -> Target<'_> {
        let mut modules = self.modules.values();
        let holder = modules.find(|module| at.is_empty() && module.parsed.macros.contains(name));
        holder.map_or(Target::Elsewhere, |module| Target::In(&module.file))
    }

    /// Whether the module `at` imports what `path` begins with.
    fn brings_in(&self, at: &[String], path: &[String]) -> bool {
        let mut imports = self.module(at).parsed.imports.iter();
        imports.any(|import| path.first() == Some(&import.name))
    }

    fn module(&self, path: &[String]) -> &Module {
        self.modules.get(path).unwrap()
    }
}

fn parent(path: &[String]) -> Vec<String> {
    let above = path.split_last().map(|(_, above)| above.to_vec());
    above.unwrap_or_default()
}

/// More re-exports than this would be one of itself.
const DEEPEST: u8 = 16;
