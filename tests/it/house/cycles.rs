//! Finds which file of the crate depends on which other file, and whether the files of a room form a cycle.
//!
//! A file depends on the files that define what it names: `super::pool::Pool`, `crate::upstream::Pool` and a `Pool`
//! that `mod.rs` re-exports all refer to `pool.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::first_cycle;
use super::source::{File, Token};

/// A module's path below the crate's root; empty for `lib.rs`.
type Module = Vec<String>;

/// One cycle for each room that has any, as `src/a.rs -> src/b.rs -> itself`.
pub(super) fn cycles(files: &[File]) -> Vec<String> {
    let modules = Modules::of(files);
    let mut rooms: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (module, file) in &modules.files {
        let dependencies = modules.named_by(module, file);
        let dependencies = dependencies.iter().filter(|path| room(path) == file.room());
        rooms
            .entry(file.room())
            .or_default()
            .insert(&file.path, dependencies.copied().collect());
    }
    let found = rooms.values().filter_map(first_cycle);
    found
        .map(|files| format!("cycle: src/{} -> itself", files.join(" -> src/")))
        .collect()
}

fn room(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

struct Modules<'a> {
    files: BTreeMap<Module, &'a File>,
    /// What each module imports or re-exports: each name with the path that it refers to.
    imports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl<'a> Modules<'a> {
    fn of(files: &'a [File]) -> Self {
        let files: BTreeMap<Module, &File> = files
            .iter()
            .filter(|file| !file.is_test() && file.path != "main.rs")
            .map(|file| (module_of(&file.path), file))
            .collect();
        let imports = files
            .iter()
            .map(|(module, file)| (module.clone(), imports_of(&file.tokens)))
            .collect();
        Self { files, imports }
    }

    /// The files that a file names, other than itself.
    fn named_by(&self, module: &Module, file: &File) -> BTreeSet<&'a str> {
        paths(&file.tokens)
            .iter()
            .filter_map(|path| self.resolve(module, path, 0))
            .filter(|target| target != module && !target.is_empty())
            .filter_map(|target| self.files.get(&target))
            .map(|target| target.path.as_str())
            .collect()
    }

    /// The module that defines what `path` refers to inside `module`.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        const MOST_REEXPORTS: usize = 8;
        if depth > MOST_REEXPORTS {
            return None;
        }
        let (mut at, mut rest) = self.start(module, path, depth)?;
        while let Some((name, after)) = rest.split_first() {
            let child: Module = at.iter().cloned().chain([name.clone()]).collect();
            if self.files.contains_key(&child) {
                (at, rest) = (child, after);
                continue;
            }
            if let Some(original) = self.imports.get(&at).and_then(|names| names.get(name))
                && at != *module
                && let Some(found) = self.resolve(&at, original, depth + 1)
            {
                return Some(found);
            }
            break;
        }
        Some(at)
    }

    /// The module in which the rest of `path` is to be looked up.
    fn start<'p>(
        &self,
        module: &Module,
        path: &'p [String],
        depth: usize,
    ) -> Option<(Module, &'p [String])> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some((Module::new(), rest)),
            "self" => Some((module.clone(), rest)),
            "super" => {
                let levels = path.iter().take_while(|part| *part == "super").count();
                let parent = module.get(..module.len().checked_sub(levels)?)?;
                Some((parent.to_vec(), &path[levels..]))
            }
            name => {
                let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                if self.files.contains_key(&child) {
                    return Some((module.clone(), path));
                }
                let original = self.imports.get(module)?.get(name)?;
                let is_itself = original.first().is_some_and(|start| start == name);
                if rest.is_empty() || is_itself {
                    return None;
                }
                Some((self.resolve(module, original, depth + 1)?, rest))
            }
        }
    }
}

fn module_of(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Module::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

fn imports_of(tokens: &[Token]) -> BTreeMap<String, Vec<String>> {
    let mut imports = BTreeMap::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.text == "use" {
            let (tree, _) = use_tree(&[], &tokens[index + 1..]);
            imports.extend(tree.into_iter().map(|leaf| (leaf.name, leaf.path)));
        }
    }
    imports
}

/// All paths in product code, with those of `use` trees in full.
fn paths(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        if token.text == "use" {
            let (tree, behind) = use_tree(&[], after);
            paths.extend(tree.into_iter().map(|leaf| leaf.path));
            rest = behind;
        } else if is_word(&token.text) && is_separator(after) {
            let mut path = vec![token.text.clone()];
            while is_separator(rest) && rest.get(2).is_some_and(|next| is_word(&next.text)) {
                path.push(rest[2].text.clone());
                rest = &rest[3..];
            }
            paths.push(path);
        }
    }
    paths
}

/// A name that a `use` declaration imports.
struct Leaf {
    name: String,
    path: Vec<String>,
}

/// The leaves of a `use` tree, and what follows the tree.
fn use_tree<'t>(before: &[String], tokens: &'t [Token]) -> (Vec<Leaf>, &'t [Token]) {
    let mut path = before.to_vec();
    let mut rest = tokens;
    loop {
        let Some((token, after)) = rest.split_first() else {
            return (Vec::new(), rest);
        };
        match token.text.as_str() {
            ":" => rest = after,
            "{" => {
                let mut leaves = Vec::new();
                let mut inside = after;
                while inside.first().is_some_and(|next| next.text != "}") {
                    let (more, behind) = use_tree(&path, inside);
                    leaves.extend(more);
                    inside = match behind.split_first() {
                        Some((comma, behind)) if comma.text == "," => behind,
                        _ => behind,
                    };
                }
                return (leaves, inside.get(1..).unwrap_or_default());
            }
            "as" => {
                let name = after.first().map(|token| token.text.clone());
                let name = name.unwrap_or_default();
                return (
                    vec![Leaf { name, path }],
                    after.get(1..).unwrap_or_default(),
                );
            }
            word if is_word(word) || word == "*" => {
                path.push(word.to_owned());
                rest = after;
            }
            _ => break,
        }
    }
    if path.len() > before.len() && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = path.last().cloned().unwrap_or_default();
    (vec![Leaf { name, path }], rest)
}

fn is_separator(tokens: &[Token]) -> bool {
    matches!(tokens, [first, second, ..] if first.text == ":" && second.text == ":")
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[test]
fn a_cycle_is_found_however_the_paths_are_written() {
    for (one, two) in [
        ("use super::two::Two;", "use super::one::One;"),
        ("use crate::room::two::Two;", "fn f() { super::one::f() }"),
        ("use crate::room::Two;", "use crate::room::{One, two};"),
        ("use super::{two::{Two as T}};", "use super::One;"),
        (
            "use super::two; fn f() { two::g() }",
            "type T = super::One;",
        ),
    ] {
        let found = cycles(&[
            File::parse(
                "room/mod.rs",
                "mod one; mod two; pub use one::One; pub use two::Two;",
            ),
            File::parse("room/one.rs", one),
            File::parse("room/two.rs", two),
        ]);
        assert_eq!(
            found,
            ["cycle: src/room/one.rs -> src/room/two.rs -> itself"],
            "{one} {two}"
        );
    }
}

#[test]
fn a_file_that_uses_what_its_mod_rs_defines_forms_a_cycle_with_it() {
    let found = cycles(&[
        File::parse("room/mod.rs", "mod one; use one::One; struct Here;"),
        File::parse("room/one.rs", "use super::Here; struct One;"),
    ]);
    assert_eq!(
        found,
        ["cycle: src/room/mod.rs -> src/room/one.rs -> itself"]
    );
}

#[test]
fn ordered_files_tests_and_other_rooms_form_no_cycle() {
    let found = cycles(&[
        File::parse("room/mod.rs", "mod one; mod two; pub use one::One;"),
        File::parse(
            "room/one.rs",
            "use super::two::Two; use crate::other::Other;",
        ),
        File::parse(
            "room/two.rs",
            "use std::fmt; struct Two; #[cfg(test)] use super::one::One;",
        ),
        File::parse("room/two/tests.rs", "use super::super::one::One;"),
        File::parse("other/mod.rs", "use crate::room::One; struct Other;"),
    ]);
    assert_eq!(found, [""; 0]);
}
