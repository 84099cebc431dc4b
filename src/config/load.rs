//! Reading the whole configuration.

use std::path::PathBuf;

use super::build;
use super::digests::KeyDigests;
use super::effective::{EffectiveValue, effective_values};
use super::inputs::{Overrides, Surroundings};
use super::keys;
use super::layers::Layers;
use super::listen::Listen;
use super::named_sources::NamedSources;
use super::problems::ConfigProblems;
use super::sources;
use super::store_files;
use super::types::{AdminConfig, Config};
use super::values::Values;

/// A configuration without problems, and where each part of it came from.
pub struct Loaded {
    /// What the rooms are given.
    pub config: Config,
    /// Every key with its effective value and source, for `check`.
    pub effective: Vec<EffectiveValue>,
    /// What is suspicious but not an error, such as unknown variables.
    pub warnings: Vec<String>,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Whether nobody named that file: it was only found in the working directory.
    pub is_found_here: bool,
    /// A digest of each key's value, to compare with another reading.
    pub digests: KeyDigests,
    /// What it names.
    pub named: NamedSources,
}

/// A configuration with problems.
pub struct InvalidConfig {
    /// What is wrong.
    pub problems: ConfigProblems,
    /// What each file names, as far as it could be read.
    pub named: Vec<NamedSources>,
}

/// Where the admin listener of a running process is, as far as the configuration says.
pub struct AdminAddress {
    /// The addresses.
    pub listen: Vec<Listen>,
    /// The file that could not be read, and why, if the addresses are the default for want of it.
    pub unreadable: Option<String>,
}

/// Reads only the address of the admin listener, for commands that ask a running process. The other keys are not
/// checked, and the file need not be valid: until it is, the process runs on with the last valid one.
///
/// # Errors
/// What is wrong with that key.
pub fn load_admin(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<AdminAddress, ConfigProblems> {
    let mut layers = sources::read(overrides, surroundings);
    layers.problems = ConfigProblems::default();
    let path = keys::ADMIN_LISTEN.path();
    if !layers.incomplete || layers.values.contains_key(path) {
        return admin_address(layers, None);
    }
    if let Some(salvaged) = layers.salvaged_admin.take() {
        let mut salvaged_layers = Layers::default();
        salvaged_layers.values.insert(path.to_owned(), salvaged);
        if let Ok(address) = admin_address(salvaged_layers, None) {
            return Ok(address);
        }
    }
    let unreadable = layers.unreadable.take();
    let unreadable = unreadable.map(|one| format!("{} ({}) {}", one.key, one.source, one.problem));
    admin_address(layers, unreadable)
}

fn admin_address(
    layers: Layers,
    unreadable: Option<String>,
) -> Result<AdminAddress, ConfigProblems> {
    let mut values = Values::new(layers);
    match build::admin(&mut values) {
        Some(AdminConfig { listen, .. }) => Ok(AdminAddress { listen, unreadable }),
        None => Err(values.layers.problems),
    }
}

/// Reads the whole configuration. Reads files, but no secret.
///
/// # Errors
/// All problems at once.
pub fn load(overrides: &Overrides, surroundings: &Surroundings) -> Result<Loaded, ConfigProblems> {
    load_or_named(overrides, surroundings).map_err(|invalid| invalid.problems)
}

/// The same, and on failure also what the configuration names.
///
/// # Errors
/// All problems at once.
pub fn load_or_named(
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, InvalidConfig> {
    finish(sources::read(overrides, surroundings), surroundings)
}

/// The same with `text` in place of the content of the file in `overrides`, which need not exist.
///
/// # Errors
/// All problems at once.
pub fn load_text(
    text: &str,
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Result<Loaded, ConfigProblems> {
    let layers = sources::read_text(text, overrides, surroundings);
    finish(layers, surroundings).map_err(|invalid| invalid.problems)
}

/// Gives the layers their types.
pub(super) fn finish(layers: Layers, surroundings: &Surroundings) -> Result<Loaded, InvalidConfig> {
    let mut values = Values::new(layers);
    let config = build::config(&mut values);
    if !values.layers.problems.is_empty() {
        build::find_hidden(&mut values);
    }
    let Values {
        mut layers,
        mut named,
        ..
    } = values;
    store_files::reject_own(&mut layers);
    named.variables = layers.variables_of_secrets().cloned().collect();
    let set = layers.values.iter();
    named.set_in = set
        .map(|(key, set)| (key.clone(), set.source.to_string()))
        .collect();
    if layers.values.is_empty() && layers.file.is_none() && !layers.incomplete {
        layers.report_nothing_set(surroundings);
    }
    match config {
        Some(config) if layers.problems.is_empty() => Ok(Loaded {
            effective: effective_values(&layers, &config),
            digests: KeyDigests::of(&layers),
            config,
            warnings: layers.warnings,
            file: layers.file,
            is_found_here: layers.is_found_here,
            named,
        }),
        Some(_) | None => Err(InvalidConfig {
            problems: layers.problems,
            named: vec![named],
        }),
    }
}
