//! Every key that can be set, in one table, and what follows from a key's path alone.
//!
//! The table drives reading (file, environment, `--set`), the names of environment variables, the
//! nearest known key, what `check` prints and `config/example.toml`. It reads nothing itself.

mod callers;
mod example;
mod markdown;
mod table;

use std::time::Duration;

pub use callers::{CALLER_KEYS, is_caller_name};
pub(crate) use callers::{caller_in, caller_in_variable, caller_path};
pub use example::example;
pub use markdown::markdown_table;
pub use table::KEYS;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The path in the file, `upstream.url`.
    pub path: &'static str,
    /// What its value looks like.
    pub kind: ValueKind,
    /// What holds where it is not set.
    pub fallback: Fallback,
    /// Whose it is.
    pub scope: Scope,
    /// One line for people.
    pub doc: &'static str,
}

/// What a value looks like, whichever way it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A string.
    Text,
    /// `"system"`, `"none"` or a proxy's URL, whose user name and password are never shown.
    Proxy,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A string such as `"10s"`, not shorter than this.
    Duration(Duration),
    /// A string such as `"64KiB"`, between these numbers of bytes.
    Size(u64, u64),
    /// A whole number between these.
    Count(u32, u32),
    /// `true` or `false`.
    Switch,
    /// `"same"`, `"any"` or a list of numbers.
    Users,
    /// A file's permissions in octal, as a string.
    Mode,
    /// A listener's address, a list of them, or `"off"`.
    Addresses,
    /// A list of strings.
    Texts,
    /// A table of strings.
    Map,
    /// A secret source: where the secret is, never the secret.
    Secret,
}

impl ValueKind {
    /// Whether `text`, from the environment or after `--set`, is taken as it is, without TOML's quotes.
    #[must_use]
    pub fn takes_as_is(self, text: &str) -> bool {
        match self {
            Self::Text
            | Self::Proxy
            | Self::Choice(_)
            | Self::Duration(_)
            | Self::Size(..)
            | Self::Mode
            | Self::Addresses => true,
            Self::Users => !text.starts_with('['),
            Self::Count(..) | Self::Switch | Self::Texts | Self::Map | Self::Secret => false,
        }
    }
}

/// What holds where a key is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, as TOML.
    Default(&'static str),
    /// Nothing; the text is an example, as TOML.
    Unset(&'static str),
    /// It must be set; the text is an example, as TOML.
    Required(&'static str),
}

impl Fallback {
    /// The default or the example, as TOML.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Default(text) | Self::Unset(text) | Self::Required(text) => text,
        }
    }
}

/// Whose a key is when one process runs several proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each proxy has its own.
    Proxy,
    /// There is one for the process.
    Process,
}

impl Key {
    /// The key with exactly this path; a caller's keys are found by any caller's name.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        match caller_in(path) {
            Some((_, Some(name))) => CALLER_KEYS.iter().find(|key| key.split().1 == name),
            Some((_, None)) => None,
            None => KEYS.iter().find(|key| key.path == path),
        }
    }

    /// The name of its environment variable: `CUPBEARER_UPSTREAM__URL`.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.path)
    }

    /// How it could be written in a file at `path`: `guard.hosts = []`.
    #[must_use]
    pub fn example_at(&self, path: &str) -> String {
        format!("{path} = {}", self.fallback.text())
    }

    /// The table it stands in, and its name there; the top level has no name.
    #[must_use]
    pub fn split(&self) -> (&'static str, &'static str) {
        let divided = match caller_in(self.path) {
            Some(_) => self.path.rsplit_once('.'),
            None => self.path.split_once('.'),
        };
        divided.unwrap_or(("", self.path))
    }
}

/// The name of the environment variable of a key's path.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

/// What every environment variable of ours begins with.
pub const PREFIX: &str = crate::credentials::VARIABLE_PREFIX;

/// The endings of a secret key's variables, beside the bare name.
pub(crate) const SECRET_ENDINGS: [&str; 2] = ["__FILE", "__COMMAND"];

/// Whether `path` is a table that holds keys: `upstream`, `token.pingone`.
pub(crate) fn is_section(path: &str) -> bool {
    let holds = |key: &Key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    KEYS.iter().chain(&CALLER_KEYS).any(holds) || matches!(caller_in(path), Some((_, None)))
}

/// Every name of a variable that is read, with these callers.
pub(crate) fn variables(callers: &[&str]) -> impl Iterator<Item = String> {
    let of_callers = callers.iter().flat_map(|caller| {
        let keys = CALLER_KEYS.iter();
        keys.map(|key| (key, caller_path(caller, key)))
    });
    KEYS.iter()
        .map(|key| (key, key.path.to_owned()))
        .chain(of_callers)
        .flat_map(|(key, path)| {
            let endings: &[&str] = if key.kind == ValueKind::Secret {
                &SECRET_ENDINGS
            } else {
                &[]
            };
            let bare = variable(&path);
            let mut names: Vec<String> = endings.iter().map(|end| format!("{bare}{end}")).collect();
            names.push(bare);
            names
        })
        .chain([CONFIG_VARIABLE.to_owned()])
}

/// Names the file; not a key, because it says where the keys are.
pub(crate) const CONFIG_VARIABLE: &str = "CUPBEARER_CONFIG";

/// The known key or table that `unknown` was most likely meant to be.
pub(crate) fn nearest_path(unknown: &str) -> Option<String> {
    let sections = KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.').map(|(section, _)| section));
    let paths = KEYS.iter().map(|key| key.path);
    let of_caller = caller_in(unknown).into_iter().flat_map(|(caller, _)| {
        let keys = CALLER_KEYS.iter();
        keys.map(move |key| caller_path(caller, key))
    });
    let known = paths.chain(sections).chain(["guard.callers"]);
    nearest(unknown, known.map(str::to_owned).chain(of_caller), '.')
}

/// The known variable that `unknown` was most likely meant to be.
pub(crate) fn nearest_variable(unknown: &str) -> Option<String> {
    let caller = caller_in_variable(unknown);
    let callers: Vec<&str> = caller.as_deref().into_iter().collect();
    nearest(unknown, variables(&callers), '_')
}

/// The candidate most like `unknown`; one whose last part is the same counts as quite like it, so
/// that a key written into the wrong table is found too.
fn nearest(unknown: &str, known: impl Iterator<Item = String>, separator: char) -> Option<String> {
    const SAME_LAST_PART: f64 = 0.75;
    const LIKE_ENOUGH: f64 = 0.6;
    let spelled = unknown.replace('-', "_");
    let last_part = |path: &str| path.rsplit(separator).next().map(str::to_owned);
    known
        .map(|candidate| {
            let likeness = strsim::normalized_damerau_levenshtein(&spelled, &candidate);
            let same_end = last_part(&spelled) == last_part(&candidate);
            (
                if same_end {
                    likeness.max(SAME_LAST_PART)
                } else {
                    likeness
                },
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
