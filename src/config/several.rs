//! Several proxies in one process: a file each. What holds for the process stands in one of them, and what
//! describes a proxy stands in its own file and nowhere else.

use std::path::PathBuf;

use super::keys::{Key, Scope};
use super::layers::{Layers, ValueSource};
use super::problems::ConfigProblems;
use super::values::default;
use super::{Loaded, Overrides, Surroundings, finish};

/// Reads the configuration of every proxy of a process.
///
/// # Errors
/// All that is wrong in any of them, at once.
pub fn load_all(
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Result<Vec<Loaded>, ConfigProblems> {
    let order: Vec<&Overrides> = all.iter().collect();
    let mut problems = ConfigProblems::default();
    let mut loaded = Vec::new();
    for layers in beside_each_other(&order, surroundings) {
        let file = layers.named.clone();
        match finish(layers, surroundings) {
            Ok(one) => loaded.push(one),
            Err(found) if all.len() == 1 => return Err(found),
            Err(found) => problems.add_of(&file, found),
        }
    }
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

/// Reads one proxy's configuration again; the others matter as far as they may not say the same.
///
/// # Errors
/// What is wrong with this one.
///
/// # Panics
/// Where `all` has no such place.
pub fn load_one_of(
    all: &[Overrides],
    place: usize,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    let others = all.iter().enumerate().filter(|(other, _)| *other != place);
    let mut order: Vec<&Overrides> = others.map(|(_, other)| other).collect();
    // Whoever comes later is told about what two have in common.
    order.push(&all[place]);
    let layers = beside_each_other(&order, surroundings)
        .pop()
        .expect("there is at least this one");
    finish(layers, surroundings)
}

fn beside_each_other(all: &[&Overrides], surroundings: &Surroundings) -> Vec<Layers> {
    let read = all.iter().map(|one| Layers::read(one, surroundings));
    let mut all: Vec<Layers> = read.collect();
    if all.len() > 1 {
        all.iter_mut().for_each(refuse_from_outside);
        share_what_is_the_process(&mut all);
        for key in ["name", "listen"] {
            keep_apart(&mut all, key);
        }
    }
    all
}

/// Whose would a proxy's key in the environment be?
fn refuse_from_outside(layers: &mut Layers) {
    let keys = layers.given.iter().filter_map(|(path, given)| {
        let outside = match given.source {
            ValueSource::File { .. } => false,
            ValueSource::Variable(_) | ValueSource::Flag(_) => true,
        };
        (outside && !is_of_process(path)).then(|| (path.clone(), given.source.clone()))
    });
    for (path, source) in keys.collect::<Vec<_>>() {
        let complaint = (
            "is a key of one proxy, and several are configured",
            "write it into the file of the proxy that it is for",
        );
        layers.problems.push(path, source, complaint);
    }
}

/// The keys of the process are read from the one file that has them.
fn share_what_is_the_process(all: &mut [Layers]) {
    let in_file = |layers: &Layers| -> Vec<(String, ValueSource)> {
        let given = layers.given.iter();
        given
            .filter(|(path, given)| {
                is_of_process(path) && matches!(given.source, ValueSource::File { .. })
            })
            .map(|(path, given)| (path.clone(), given.source.clone()))
            .collect()
    };
    let Some(holder) = all.iter().position(|layers| !in_file(layers).is_empty()) else {
        return;
    };
    let (named, keys) = (all[holder].named.clone(), in_file(&all[holder]));
    for layers in &mut all[holder + 1..] {
        for (path, source) in in_file(layers) {
            let complaint = (
                format!("is a key of the process, as others that {named} has"),
                format!("write it there, or all of them ({KEYS_OF_PROCESS}) here"),
            );
            layers.problems.push(path, source, complaint);
        }
    }
    let shared = keys.into_iter().filter_map(|(path, _)| {
        let given = all[holder].given.get(&path)?.clone();
        Some((path, given))
    });
    for (path, given) in shared.collect::<Vec<_>>() {
        for layers in &mut *all {
            layers.given.entry(path.clone()).or_insert(given.clone());
        }
    }
}

const KEYS_OF_PROCESS: &str = "admin.*, log.*, drain, drain_delay, runtime.*";

/// No two may have the same value of this key, not even by default.
fn keep_apart(all: &mut [Layers], key: &str) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for layers in all.iter_mut().filter(|layers| !layers.incomplete) {
        let given = layers.given.get(key);
        let value = match given {
            Some(given) => given.text(),
            None => Key::find(key)
                .and_then(default)
                .map(|value| value.to_string()),
        };
        let (Some(value), source) = (value, given.map(|given| given.source.clone())) else {
            continue;
        };
        if value.ends_with(":0\"") {
            continue; // any free port: another each time
        }
        match seen.iter().find(|(known, _)| *known == value) {
            Some((_, other)) => {
                let source = source.map_or_else(|| "default".to_owned(), |at| at.to_string());
                let complaint = (
                    format!("{value} is that of {other} too"),
                    format!("write another {key} here"),
                );
                layers.problems.push(key, source, complaint);
            }
            None => seen.push((value, layers.named.clone())),
        }
    }
}

fn is_of_process(path: &str) -> bool {
    Key::find(path).is_some_and(|key| match key.scope {
        Scope::Process => true,
        Scope::Proxy => false,
    })
}

/// Which of them says where the process's admin listener is: the only thing that a command which asks it needs.
#[must_use]
pub fn holder_of_admin<'a>(
    all: &'a [Overrides],
    surroundings: &Surroundings,
) -> Option<&'a Overrides> {
    let says = |one: &&Overrides| {
        let layers = Layers::read(one, surroundings);
        layers.given.contains_key("admin.listen")
    };
    all.iter().find(says).or_else(|| all.first())
}

/// As it is named in problems.
pub(super) fn named(file: Option<&PathBuf>) -> String {
    file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests;
