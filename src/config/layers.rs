//! What all layers together set: a later layer replaces what an earlier one set for the same key.
//!
//! Here a value is still TOML; `values` gives it a type.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::content::{Content, SetValue, ValueSource};
use super::inputs::Surroundings;
use super::keys::{self, caller_in, is_section, nearest_path};
use super::network::ProxyEnvironment;
use super::problems::{ConfigProblem, ConfigProblems, InvalidValue};
use crate::credentials::SecretSource;

/// Everything that was set, before it has types.
#[derive(Clone, Default)]
pub(crate) struct Layers {
    pub(crate) values: BTreeMap<String, SetValue>,
    /// Every caller for which something was set, and where that was first.
    pub(crate) callers: BTreeMap<String, ValueSource>,
    pub(crate) problems: ConfigProblems,
    /// How many of these were found before the file was compared with those of other proxies.
    pub(crate) own_problems: usize,
    pub(crate) warnings: Vec<String>,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Whether nobody has named that file: it was only found in the working directory.
    pub(crate) is_found_here: bool,
    /// The file of `--config`, as problems name it.
    pub(crate) file_name: String,
    /// What the environment and the system say about proxies.
    pub(crate) proxies: ProxyEnvironment,
    /// Where systemd put the credentials of this unit.
    pub(crate) credentials: Option<PathBuf>,
    /// The file could not be read to its end, so it may contain what is missing.
    pub(crate) incomplete: bool,
    /// Why it could not.
    pub(crate) unreadable: Option<ConfigProblem>,
    /// `admin.listen` in a file that is not TOML as a whole, as far as it can be made out. The commands that ask a
    /// running proxy need it, since that one runs on with the last valid file.
    pub(crate) salvaged_admin: Option<SetValue>,
}

impl Layers {
    pub(crate) fn set(&mut self, path: &str, content: Content, source: ValueSource) {
        self.note_caller(path, &source);
        self.values
            .insert(path.to_owned(), SetValue { content, source });
    }

    /// The variables that the sources of secrets name.
    pub(crate) fn variables_of_secrets(&self) -> impl Iterator<Item = &String> {
        let set = self.values.values();
        set.filter_map(|value| match &value.content {
            Content::Secret(SecretSource::Env(name)) => Some(name),
            Content::Secret(_) | Content::Toml(_) | Content::Invalid => None,
        })
    }

    /// A caller exists even if its table is empty.
    pub(crate) fn note_caller(&mut self, path: &str, source: &ValueSource) {
        if let Some((name, _)) = caller_in(path) {
            self.callers
                .entry(name.to_owned())
                .or_insert_with(|| source.clone());
        }
    }

    /// Reports a file that sets no keys at all.
    pub(crate) fn unreadable(
        &mut self,
        path: &Path,
        source: impl fmt::Display,
        problem: impl Into<InvalidValue>,
    ) {
        self.incomplete = true;
        self.problems
            .push(path.display().to_string(), source, problem);
        let newest = self.problems.iter().last().cloned();
        self.unreadable = self.unreadable.take().or(newest);
    }

    /// Reports a path that is not a key.
    pub(crate) fn unknown(&mut self, path: &str, source: &ValueSource) {
        let remedy = misplaced(path, source).unwrap_or_else(|| match nearest_path(path) {
            Some(near) if is_section(&near) => format!("did you mean [{near}]?"),
            Some(near) => format!("did you mean {near}?"),
            None => "remove it; config/example.toml lists every key".to_owned(),
        });
        self.problems.push(path, source, ("unknown key", remedy));
    }

    /// Tells someone who has not configured anything yet where to begin.
    pub(crate) fn report_nothing_set(&mut self, surroundings: &Surroundings) {
        let places: Vec<String> = surroundings
            .optional_files()
            .map(|path| path.display().to_string())
            .collect();
        self.problems.introduce(if cfg!(feature = "demo") {
            "nothing is configured: `cupbearer init` writes a configuration, `cupbearer demo` needs none"
        } else {
            "nothing is configured: `cupbearer init` writes a configuration"
        });
        self.problems.push(
            "cupbearer.toml",
            "not found",
            (
                format!("there is no {}", places.join(" and no ")),
                "write one with the keys above, or name one with --config",
            ),
        );
    }
}

/// Where the key of this name belongs, if it is in the wrong table of a file.
fn misplaced(path: &str, source: &ValueSource) -> Option<String> {
    let (_, name) = path.rsplit_once('.')?;
    match source {
        ValueSource::File { .. } => {}
        ValueSource::Variable(_) | ValueSource::Flag(_) => return None,
    }
    if keys::find(name).is_some() {
        return Some(format!("`{name}` belongs above the first [table]"));
    }
    let mut of_that_name = keys::KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.'))
        .filter(|(_, last)| *last == name);
    match (of_that_name.next(), of_that_name.next()) {
        (Some((section, _)), None) => Some(format!("`{name}` belongs below [{section}]")),
        (Some(_), Some(_)) | (None, _) => None,
    }
}
