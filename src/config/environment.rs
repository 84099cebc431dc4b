//! The layer of environment variables.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::content::{Content, ValueSource};
use super::keys::{
    self, CALLER_KEYS, KEYS, KeyInfo, PREFIX, ValueKind, caller_in, caller_in_variable,
    caller_path, nearest_variable, variable, variables as known_variables,
};
use super::layers::Layers;
use super::misspelt;
use super::problems::{ConfigProblems, InvalidValue};
use super::secret_source;
use super::text_value;
use crate::credentials::{Secret, SecretSource};

/// The variables of cupbearer, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// The variables that start with `CUPBEARER_`, as text. Others are problems if their beginning is misspelt and ignoring
/// them may admit more than was meant.
pub(crate) fn cupbearer_variables(
    problems: &mut ConfigProblems,
    all: &[(OsString, OsString)],
) -> Variables {
    let mut variables = BTreeMap::new();
    let guarding = misspelt::guarding(&[]);
    for (name, value) in all {
        let Some(name) = name.to_str() else {
            continue;
        };
        if !name.starts_with(PREFIX) {
            if let Some(meant) = misspelt::meant_for_guard(name, &guarding) {
                problems.push(name, "environment", meant.problem());
            }
            continue;
        }
        let problem = match value.to_str() {
            Some("") if !may_be_empty(name) => ("is set but empty", "give it a value, or unset it"),
            Some(value) => {
                variables.insert(name.to_owned(), value.to_owned());
                continue;
            }
            None => (
                "is not UTF-8",
                "write it in UTF-8; a secret can be read from a file instead",
            ),
        };
        problems.push(name, "environment", problem);
    }
    variables
}

/// Whether an empty value says something: no prefix. A variable of any other key has been emptied by mistake.
fn may_be_empty(name: &str) -> bool {
    name == variable(keys::TOKEN_PREFIX.path())
}

/// Adds what the variables set.
pub(crate) fn read(layers: &mut Layers, variables: &Variables) {
    for key in &KEYS {
        read_key(layers, key, key.path, variables);
    }
    let callers: BTreeSet<String> = variables
        .keys()
        .filter_map(|name| caller_in_variable(name))
        .collect();
    for caller in &callers {
        warn_of_hyphens(layers, caller);
        for key in &CALLER_KEYS {
            read_key(layers, key, &caller_path(caller, key.path), variables);
        }
    }
    report_unknown(layers, variables);
}

/// A variable cannot contain the hyphen in a caller's name, so it may name another caller than the one that was meant.
fn warn_of_hyphens(layers: &mut Layers, caller: &str) {
    if layers.callers.contains_key(caller) {
        return;
    }
    let mut known = layers.callers.keys();
    if let Some(meant) = known.find(|known| known.replace('-', "_") == caller) {
        layers.warnings.push(format!(
            "a variable sets keys of the caller {caller}, which is another one than {meant}: set those of {meant} in the \
             file, since variables cannot name it"
        ));
    }
}

fn read_key(layers: &mut Layers, key: &KeyInfo, path: &str, variables: &Variables) {
    let name = variable(path);
    if key.kind == ValueKind::Secret {
        read_secret(layers, path, variables);
    } else if let Some(text) = variables.get(&name) {
        text_value::set(layers, key, path, text, ValueSource::Variable(name));
    }
}

/// A secret is set by one variable: to the secret itself, a file or a command.
fn read_secret(layers: &mut Layers, path: &str, variables: &Variables) {
    let bare = variable(path);
    let names = [
        bare.clone(),
        format!("{bare}__FILE"),
        format!("{bare}__COMMAND"),
    ];
    let set: Vec<(&String, &String)> = names
        .iter()
        .filter_map(|name| variables.get_key_value(name))
        .collect();
    let [(name, text)] = set[..] else {
        if !set.is_empty() {
            let all: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
            let problem = (
                format!("{} are set", all.join(" and ")),
                "set only one of them",
            );
            layers.problems.push(path, "environment", problem);
            layers.set(path, Content::Invalid, ValueSource::Variable(bare));
        }
        return;
    };
    let read = if *name == names[1] {
        secret_source::file(text, layers.credentials.as_deref())
    } else if *name == names[2] {
        secret_source::command_from_text(text)
    } else {
        the_secret_itself(layers, path, &bare, text)
    };
    let source = ValueSource::Variable(name.clone());
    let content = read.map_or_else(
        |problem| {
            layers.problems.push(path, &source, problem);
            Content::Invalid
        },
        Content::Secret,
    );
    layers.set(path, content, source);
}

/// The variable without a suffix is the secret itself. A source in it, as the file has them, would be a secret that
/// anyone can guess who has read the documentation.
fn the_secret_itself(
    layers: &mut Layers,
    path: &str,
    bare: &str,
    text: &str,
) -> Result<SecretSource, InvalidValue> {
    if secret_source::looks_like_source(text) {
        let remedy = format!(
            "set {bare}__FILE to the name of a file, {bare}__COMMAND to the words of a command, or {bare} to the secret"
        );
        return Err((
            "is a source, but this variable must be the secret itself",
            remedy,
        )
            .into());
    }
    if secret_source::looks_like_path(text) {
        if caller_in(path).is_some() {
            let problem = "is the name of a file, but this variable must be the key itself";
            return Err((problem, format!("set {bare}__FILE to it instead")).into());
        }
        layers.warnings.push(format!(
            "{bare} is the secret itself, but looks like the name of a file; if it is one, set {bare}__FILE instead"
        ));
    }
    Ok(SecretSource::Value(Secret::new(text.as_bytes())))
}

/// Reports misspelt variables: as problems where ignoring one may admit more than was meant, else as warnings.
fn report_unknown(layers: &mut Layers, variables: &Variables) {
    let callers: Vec<&str> = layers.callers.keys().map(String::as_str).collect();
    let known: Vec<String> = known_variables(&callers).collect();
    let guarding = misspelt::guarding(&callers);
    let referred_to: Vec<String> = layers.variables_of_secrets().cloned().collect();
    for name in variables.keys() {
        let is_known = known.contains(name) || referred_to.contains(name);
        if is_known || misspelt::is_of_service(name) {
            continue;
        }
        if let Some(meant) = misspelt::meant_for_guard(name, &guarding) {
            layers.problems.push(name, "environment", meant.problem());
            continue;
        }
        let hint = nearest_variable(name)
            .map(|nearest| format!("; did you mean {nearest}?"))
            .unwrap_or_default();
        layers
            .warnings
            .push(format!("the variable {name} is unknown and ignored{hint}"));
    }
}
