//! The layers in their order: the file, the environment, flags.

use std::path::Path;

use super::command_line;
use super::content::{Content, ValueSource};
use super::document;
use super::environment::{self, Variables};
use super::found_file;
use super::inputs::{Overrides, Surroundings};
use super::keys::{self, CONFIG_VARIABLE};
use super::layers::Layers;
use super::network::ProxyEnvironment;
use crate::credentials::{FileError, SecretSource, read_regular_described, withhold_variable};

/// Set by systemd for units with `LoadCredential=` and similar settings.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads all layers. Problems are collected without stopping.
pub(crate) fn read(overrides: &Overrides, surroundings: &Surroundings) -> Layers {
    let mut layers = empty(overrides, surroundings);
    let variables = environment::cupbearer_variables(&mut layers.problems, &surroundings.variables);
    find_file(&mut layers, overrides, &variables, surroundings);
    environment::read(&mut layers, &variables);
    for setting in &overrides.settings {
        command_line::read(&mut layers, setting);
    }
    if layers.is_found_here {
        reject_commands(&mut layers);
    }
    withhold_variables(&layers, surroundings);
    layers
}

/// Reads all layers, with `text` in place of the content of the file in `overrides`.
pub(crate) fn read_text(text: &str, overrides: &Overrides, surroundings: &Surroundings) -> Layers {
    let mut layers = empty(overrides, surroundings);
    let variables = environment::cupbearer_variables(&mut layers.problems, &surroundings.variables);
    let path = overrides.file.clone().unwrap_or_default();
    document::read(&mut layers, &path, text.as_bytes());
    layers.file = Some(path);
    environment::read(&mut layers, &variables);
    for setting in &overrides.settings {
        command_line::read(&mut layers, setting);
    }
    if overrides.is_found_here {
        reject_commands(&mut layers);
    }
    withhold_variables(&layers, surroundings);
    layers
}

/// Keeps the secrets in the environment from programs, whether the configuration is valid or not.
fn withhold_variables(layers: &Layers, surroundings: &Surroundings) {
    if !surroundings.has_running_proxies {
        layers
            .variables_of_secrets()
            .for_each(|name| withhold_variable(name));
    }
}

fn empty(overrides: &Overrides, surroundings: &Surroundings) -> Layers {
    Layers {
        proxies: ProxyEnvironment::of(surroundings),
        credentials: surroundings.variable(CREDENTIALS_DIRECTORY),
        file_name: overrides.file_name(),
        ..Layers::default()
    }
}

fn find_file(
    layers: &mut Layers,
    overrides: &Overrides,
    variables: &Variables,
    surroundings: &Surroundings,
) {
    let flag = overrides.file.as_deref();
    let variable = variables.get(CONFIG_VARIABLE).map(Path::new);
    if let Some((path, named_by)) = flag
        .map(|path| (path, "--config"))
        .or(variable.map(|path| (path, CONFIG_VARIABLE)))
    {
        layers.is_found_here = flag.is_some() && overrides.is_found_here;
        read_file(layers, path, Some(named_by));
        return;
    }
    for (index, path) in surroundings.optional_files().enumerate() {
        layers.is_found_here = index == 0;
        if read_file(layers, &path, None) {
            return;
        }
    }
    layers.is_found_here = false;
}

/// Whoever starts cupbearer in a directory of someone else's, such as a cloned repository, must not run a program that
/// a file there names. The command is removed, since also what an invalid configuration names is read.
fn reject_commands(layers: &mut Layers) {
    let file = layers.file.as_deref().unwrap_or(Path::new(""));
    let remedy = format!("if you trust it, name it: --config {}", file.display());
    for (path, set) in &mut layers.values {
        let is_command = match &set.content {
            Content::Secret(SecretSource::Command(_)) => true,
            Content::Toml(value) => {
                *path == keys::TOKEN_SOURCE.path() && value.get("command").is_some()
            }
            Content::Secret(_) | Content::Invalid => false,
        };
        if is_command && matches!(set.source, ValueSource::File { .. }) {
            set.content = Content::Invalid;
            let problem = (
                "runs a program, and the file that says so was only found in the working directory",
                remedy.clone(),
            );
            layers.problems.push(path, &set.source, problem);
        }
    }
}

/// Whether there is such a file. Where `named_by` names it, it must exist.
fn read_file(layers: &mut Layers, path: &Path, named_by: Option<&str>) -> bool {
    match read_regular_described(path, document::LONGEST) {
        Ok((bytes, metadata)) => {
            layers.file = Some(path.to_owned());
            let trusted = if layers.is_found_here {
                found_file::check(path, &metadata)
            } else {
                Ok(())
            };
            match trusted {
                Ok(()) => document::read(layers, path, &bytes),
                Err(problem) => layers.unreadable(path, "default path", problem),
            }
        }
        Err(FileError::Missing) if named_by.is_none() => return false,
        Err(error) => {
            let source = named_by.unwrap_or("default path");
            layers.unreadable(path, source, (error.to_string(), error.remedy()));
        }
    }
    true
}
