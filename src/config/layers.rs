//! The layers in their order: defaults, the file, the environment, flags. Each may replace what
//! the one before it said about a key. Here a value is TOML still; `values` gives it a type.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::Surroundings;
use super::keys::{
    self, CALLER_KEYS, CONFIG_VARIABLE, Key, PREFIX, ValueKind, caller_in, caller_in_variable,
    caller_path, is_section, nearest_path, nearest_variable, variable,
};
use super::network::ProxyEnvironment;
use super::problems::{ConfigProblems, InvalidValue};
use super::{document, secret_source, several};
use crate::credentials::{FileError, Secret, SecretSource, read_regular};
use crate::text::quoted;

/// Set by systemd for units with `LoadCredential=` and the like.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// What the command line says: a file and single keys.
///
/// No `Debug`: somebody may have written a secret there, which is then refused.
#[derive(Clone, Default)]
pub struct Overrides {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// `--listen`, `--upstream`, `--log-level` and every `--set`, in order: a later one replaces an earlier one.
    pub settings: Vec<Setting>,
}

/// One key set on the command line.
#[derive(Clone)]
pub struct Setting {
    /// The flag as it is named in problems: `--listen`, `--set`.
    pub flag: &'static str,
    /// The key's path.
    pub key: String,
    /// Its value: text as it is, lists and tables as TOML.
    pub text: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueSource {
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A key's value and where it came from.
#[derive(Clone)]
pub(crate) struct SetValue {
    pub(crate) content: Content,
    pub(crate) source: ValueSource,
}

impl SetValue {
    /// A value that is no secret, as TOML.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.content {
            Content::Toml(value) => Some(value.to_string()),
            Content::Secret(_) | Content::Broken => None,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Content {
    Toml(toml::Value),
    Secret(SecretSource),
    /// It was set, but unreadably; that has been said, and the key is not missing.
    Broken,
}

/// Everything that was set, before it has types.
#[derive(Default)]
pub(crate) struct Layers {
    pub(crate) given: BTreeMap<String, SetValue>,
    /// Every caller that something was said about, and where that was first.
    pub(crate) callers: BTreeMap<String, ValueSource>,
    pub(crate) problems: ConfigProblems,
    pub(crate) warnings: Vec<String>,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// The file that was asked for, as problems name it.
    pub(crate) named: String,
    /// What stands there about proxies.
    pub(crate) proxies: ProxyEnvironment,
    /// Where systemd has put the credentials of the unit that we are.
    pub(crate) credentials: Option<PathBuf>,
    /// The file could not be read to its end: what is missing may stand there.
    pub(crate) incomplete: bool,
}

impl Layers {
    /// Reads all layers. What is wrong is collected, and reading goes on.
    pub(crate) fn read(overrides: &Overrides, surroundings: &Surroundings) -> Self {
        let mut layers = Self {
            proxies: ProxyEnvironment::of(surroundings),
            credentials: surroundings.variable(CREDENTIALS_DIRECTORY),
            named: several::named(overrides.file.as_ref()),
            ..Self::default()
        };
        let variables = layers.our_variables(&surroundings.variables);
        layers.find_file(overrides.file.as_deref(), &variables, surroundings);
        layers.environment(&variables);
        for setting in &overrides.settings {
            layers.setting(setting);
        }
        layers
    }

    /// Whoever has written nothing yet is told where it would be looked for.
    pub(crate) fn complain_of_nothing(&mut self, surroundings: &Surroundings) {
        let places: Vec<String> = surroundings
            .optional_files()
            .map(|path| path.display().to_string())
            .collect();
        self.problems.say_first(if cfg!(feature = "demo") {
            "nothing is configured: `cupbearer init` writes a configuration, `cupbearer demo` needs none"
        } else {
            "nothing is configured: `cupbearer init` writes a configuration"
        });
        self.problems.push(
            "cupbearer.toml",
            "not found",
            (
                format!(
                    "nothing is configured, there is no {}",
                    places.join(" and no ")
                ),
                "write one with the keys above, or name one with --config",
            ),
        );
    }

    pub(crate) fn set(&mut self, path: &str, content: Content, source: ValueSource) {
        self.note_caller(path, &source);
        self.given
            .insert(path.to_owned(), SetValue { content, source });
    }

    /// A caller is there even if its table is empty.
    pub(crate) fn note_caller(&mut self, path: &str, source: &ValueSource) {
        if let Some((name, _)) = caller_in(path) {
            self.callers
                .entry(name.to_owned())
                .or_insert_with(|| source.clone());
        }
    }

    /// The variables that concern us, as text.
    fn our_variables(&mut self, all: &[(OsString, OsString)]) -> BTreeMap<String, String> {
        let mut ours = BTreeMap::new();
        for (name, value) in all {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            match value.to_str() {
                Some("") => self.problems.push(
                    name,
                    "environment",
                    ("is set but empty", "give it a value, or unset it"),
                ),
                Some(value) => {
                    ours.insert(name.to_owned(), value.to_owned());
                }
                None => self.problems.push(
                    name,
                    "environment",
                    (
                        "is not UTF-8",
                        "write it in UTF-8; a secret may stand in a file instead",
                    ),
                ),
            }
        }
        ours
    }

    fn find_file(
        &mut self,
        flag: Option<&Path>,
        variables: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) {
        let variable = variables.get(CONFIG_VARIABLE).map(Path::new);
        if let Some((path, named_by)) = flag
            .map(|path| (path, "--config"))
            .or(variable.map(|path| (path, CONFIG_VARIABLE)))
        {
            self.file(path, Some(named_by));
            return;
        }
        for path in surroundings.optional_files() {
            if self.file(&path, None) {
                return;
            }
        }
    }

    /// Whether there is such a file. `named_by`: who says that there must be.
    fn file(&mut self, path: &Path, named_by: Option<&str>) -> bool {
        match read_regular(path, document::LONGEST) {
            Ok(bytes) => {
                self.file = Some(path.to_owned());
                document::read(self, path, &bytes);
            }
            Err(FileError::Missing) if named_by.is_none() => return false,
            Err(error) => {
                let source = named_by.unwrap_or("looked for");
                self.unreadable(path, source, (error.to_string(), error.remedy()));
            }
        }
        true
    }

    /// A file that gives no keys at all.
    pub(crate) fn unreadable(
        &mut self,
        path: &Path,
        source: impl fmt::Display,
        complaint: impl Into<InvalidValue>,
    ) {
        self.incomplete = true;
        self.problems
            .push(path.display().to_string(), source, complaint);
    }

    fn environment(&mut self, variables: &BTreeMap<String, String>) {
        for key in &keys::KEYS {
            self.variables_of(key, key.path, variables);
        }
        let callers: BTreeSet<String> = variables
            .keys()
            .filter_map(|name| caller_in_variable(name))
            .collect();
        for caller in &callers {
            for key in &CALLER_KEYS {
                self.variables_of(key, &caller_path(caller, key), variables);
            }
        }
        self.warn_of_unknown(variables);
    }

    fn variables_of(
        &mut self,
        key: &'static Key,
        path: &str,
        variables: &BTreeMap<String, String>,
    ) {
        let name = variable(path);
        if key.kind == ValueKind::Secret {
            self.secret_variables(path, variables);
        } else if let Some(text) = variables.get(&name) {
            self.text(key, path, text, ValueSource::Variable(name));
        }
    }

    /// A secret may be given as itself, as a file or as a command; by two of them, by none.
    fn secret_variables(&mut self, path: &str, variables: &BTreeMap<String, String>) {
        let bare = variable(path);
        let names = [
            bare.clone(),
            format!("{bare}__FILE"),
            format!("{bare}__COMMAND"),
        ];
        let given: Vec<(&String, &String)> = names
            .iter()
            .filter_map(|name| variables.get_key_value(name))
            .collect();
        let [(name, text)] = given[..] else {
            if !given.is_empty() {
                let all: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
                let both = (
                    format!("{} are set", all.join(" and ")),
                    "set only one of them",
                );
                self.problems.push(path, "environment", both);
                self.set(path, Content::Broken, ValueSource::Variable(bare));
            }
            return;
        };
        let read = if *name == names[1] {
            secret_source::file(text, self.credentials.as_deref())
        } else if *name == names[2] {
            secret_source::command_from_text(text)
        } else {
            Ok(SecretSource::Value(Secret::new(text.as_bytes())))
        };
        let source = ValueSource::Variable(name.clone());
        let content = read.map_or_else(
            |complaint| {
                self.problems.push(path, &source, complaint);
                Content::Broken
            },
            Content::Secret,
        );
        self.set(path, content, source);
    }

    /// Kubernetes sets the likes of `CUPBEARER_PORT_80_TCP` for a service named cupbearer.
    fn warn_of_unknown(&mut self, variables: &BTreeMap<String, String>) {
        let callers: Vec<&str> = self.callers.keys().map(String::as_str).collect();
        let known: Vec<String> = keys::variables(&callers).collect();
        let given = self.given.values();
        let referred_to: Vec<&String> = given
            .filter_map(|given| match &given.content {
                Content::Secret(SecretSource::Env(name)) => Some(name),
                Content::Secret(_) | Content::Toml(_) | Content::Broken => None,
            })
            .collect();
        for name in variables.keys() {
            let injected = ["PORT", "SERVICE_"]
                .iter()
                .any(|start| name[PREFIX.len()..].starts_with(start));
            if injected || known.contains(name) || referred_to.contains(&name) {
                continue;
            }
            let hint = nearest_variable(name)
                .map(|nearest| format!("; did you mean {nearest}?"))
                .unwrap_or_default();
            self.warnings.push(format!(
                "the variable {name} is none of ours and is ignored{hint}"
            ));
        }
    }

    fn setting(&mut self, setting: &Setting) {
        let Some(key) = Key::find(&setting.key) else {
            let known_start = setting
                .key
                .match_indices('.')
                .map(|(dot, _)| &setting.key[..dot])
                .find(|start| Key::find(start).is_some_and(|key| key.kind == ValueKind::Secret));
            match known_start {
                Some(path) => self.refuse_secret(path, setting.flag),
                None => self.unknown(&setting.key, &ValueSource::Flag(setting.flag)),
            }
            return;
        };
        if key.kind == ValueKind::Secret {
            self.refuse_secret(&setting.key, setting.flag);
            return;
        }
        self.text(
            key,
            &setting.key,
            &setting.text,
            ValueSource::Flag(setting.flag),
        );
    }

    fn refuse_secret(&mut self, path: &str, flag: &'static str) {
        let variable = variable(path);
        self.problems.push(
            path,
            flag,
            (
                "a command line is readable for every user of the machine",
                format!("set {variable}__FILE, or write {path} = {{ file = \"…\" }}"),
            ),
        );
        // What was meant is unknown; that it is missing besides would be noise.
        if !self.given.contains_key(path) {
            self.set(path, Content::Broken, ValueSource::Flag(flag));
        }
    }

    /// A value from the environment or the command line.
    fn text(&mut self, key: &'static Key, path: &str, text: &str, source: ValueSource) {
        let read = if key.kind.takes_as_is(text) {
            Ok(toml::Value::String(text.to_owned()))
        } else {
            document::value(text)
        };
        let content = if let Ok(value) = read {
            Content::Toml(value)
        } else {
            let complaint = (
                format!("{} is not TOML", quoted(text)),
                format!("write it as in {}", key.example_at(path)),
            );
            self.problems.push(path, &source, complaint);
            Content::Broken
        };
        self.set(path, content, source);
    }

    pub(crate) fn unknown(&mut self, path: &str, source: &ValueSource) {
        let remedy = misplaced(path, source).unwrap_or_else(|| match nearest_path(path) {
            Some(near) if is_section(&near) => format!("did you mean [{near}]?"),
            Some(near) => format!("did you mean {near}?"),
            None => "remove it; config/example.toml lists every key".to_owned(),
        });
        self.problems.push(path, source, ("is no key", remedy));
    }
}

/// Where the key of this name belongs that stands below the wrong table of a file.
fn misplaced(path: &str, source: &ValueSource) -> Option<String> {
    let (_, name) = path.rsplit_once('.')?;
    match source {
        ValueSource::File { .. } => {}
        ValueSource::Variable(_) | ValueSource::Flag(_) => return None,
    }
    if Key::find(name).is_some() {
        return Some(format!("`{name}` belongs above the first [table]"));
    }
    let mut so_named = keys::KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.'))
        .filter(|(_, last)| *last == name);
    match (so_named.next(), so_named.next()) {
        (Some((section, _)), None) => Some(format!("`{name}` belongs below [{section}]")),
        (Some(_), Some(_)) | (None, _) => None,
    }
}
