//! One key: where it is written, what its value looks like, what holds without it, and its help.

use std::time::Duration;

use super::caller_name::caller_in;
use super::on_system::on_system;
use super::variable::variable;
use crate::config::content::toml_value;
use crate::config::problems::InvalidValue;

/// What is known about a key whatever the type of its value.
#[derive(Debug, Clone, Copy)]
pub struct KeyInfo {
    /// The path in the file, `upstream.url`.
    pub path: &'static str,
    /// What its value looks like.
    pub kind: ValueKind,
    /// What holds where it is not set.
    pub fallback: Fallback,
    /// Whose it is when one process runs several proxies.
    pub scope: Scope,
    /// One line for people.
    pub help: &'static str,
}

/// What a value looks like, whichever way it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A string.
    Text,
    /// `"system"`, `"none"` or a proxy's URL, whose user name and password are never shown.
    Proxy,
    /// One of a few words.
    Choice,
    /// A string such as `"10s"`, not shorter than this.
    Duration(Duration),
    /// A string such as `"64KiB"`, between these numbers of bytes.
    Size(u64, u64),
    /// A whole number between these.
    Count(u32, u32),
    /// `true` or `false`.
    Switch,
    /// `"same"`, `"any"` or a list of user ids.
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
    /// What obtains access tokens in place of a grant.
    TokenSource,
    /// `"keyring"`, `"memory"` or a table with a file.
    LoginStore,
}

/// What holds where a key is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, as TOML.
    Default(&'static str),
    /// Nothing; the text is an example, as TOML.
    Unset(&'static str),
    /// The key must be set; the text is an example, as TOML.
    Required(&'static str),
}

/// Whose a key is when one process runs several proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each proxy has its own.
    Proxy,
    /// There is one for the process.
    Process,
}

/// A key whose value has the type `T`.
pub(crate) struct Key<T: 'static> {
    pub(crate) info: KeyInfo,
    parse: Parse<T>,
}

enum Parse<T: 'static> {
    With(fn(&KeyInfo, &toml::Value) -> Result<T, ParseError>),
    OneOf(&'static [(&'static str, T)]),
}

/// A key that says where a secret is.
pub(crate) struct SecretKey {
    pub(crate) info: KeyInfo,
}

/// Why a value cannot be read.
pub(crate) enum ParseError {
    /// TOML has another type for it.
    WrongType,
    /// It has the right type and makes no sense.
    Invalid(InvalidValue),
}

impl<T> Key<T> {
    pub(crate) const fn new(
        info: KeyInfo,
        parse: fn(&KeyInfo, &toml::Value) -> Result<T, ParseError>,
    ) -> Self {
        Self {
            info,
            parse: Parse::With(parse),
        }
    }

    /// A key whose value is one of these words, each with what it means.
    pub(crate) const fn one_of(info: KeyInfo, words: &'static [(&'static str, T)]) -> Self {
        Self {
            info,
            parse: Parse::OneOf(words),
        }
    }

    /// There is one for the process, even if it runs several proxies.
    pub(crate) const fn for_process(mut self) -> Self {
        self.info.scope = Scope::Process;
        self
    }

    /// The path in the file.
    pub(crate) const fn path(&self) -> &'static str {
        self.info.path
    }
}

impl<T: Clone> Key<T> {
    /// The value as its type.
    pub(crate) fn parse(&self, value: &toml::Value) -> Result<T, ParseError> {
        match self.parse {
            Parse::With(parse) => parse(&self.info, value),
            Parse::OneOf(words) => one_of(&self.info, words, value),
        }
    }
}

impl SecretKey {
    /// The path in the file.
    pub(crate) const fn path(&self) -> &'static str {
        self.info.path
    }
}

/// For a key of the guard, the remedy says what each of the words admits.
fn one_of<T: Clone>(
    key: &KeyInfo,
    words: &'static [(&'static str, T)],
    value: &toml::Value,
) -> Result<T, ParseError> {
    let text = value.as_str().ok_or(ParseError::WrongType)?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(meaning.clone());
    }
    let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
    Err(ParseError::invalid((
        format!("{} is not one of its values", crate::text::quoted(text)),
        if key.split().0 == "guard" {
            format!(
                "write {} ({})",
                all.join(" or "),
                key.help.trim_end_matches('.')
            )
        } else {
            format!("write {}", all.join(" or "))
        },
    )))
}

impl ParseError {
    pub(crate) fn invalid(value: impl Into<InvalidValue>) -> Self {
        Self::Invalid(value.into())
    }
}

impl KeyInfo {
    pub(crate) const fn new(
        path: &'static str,
        kind: ValueKind,
        fallback: Fallback,
        help: &'static str,
    ) -> Self {
        Self {
            path,
            kind,
            fallback,
            scope: Scope::Proxy,
            help,
        }
    }

    /// Its default, if it has one.
    pub(crate) fn default(&self) -> Option<toml::Value> {
        match self.fallback {
            Fallback::Default(text) => {
                Some(toml_value(text).expect("a test reads every default as TOML"))
            }
            Fallback::Unset(_) | Fallback::Required(_) => None,
        }
    }

    /// The name of its environment variable: `CUPBEARER_UPSTREAM__URL`.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.path)
    }

    /// How it could be written in a file at `path`: `guard.hosts = []`. A restriction gets a value that restricts,
    /// since its default, which does not, cannot be what was meant.
    #[must_use]
    pub fn example_at(&self, path: &str) -> String {
        let restriction = match path.rsplit('.').next() {
            Some("read_only" | "require_client") => Some("true"),
            Some("deny") => Some("[\"DELETE /**\"]"),
            Some(_) | None => None,
        };
        match restriction {
            Some(value) => format!("{path} = {value}"),
            None => format!("{path} = {}", self.fallback.example()),
        }
    }

    /// The table that contains it, and its name there; the top level has no name.
    #[must_use]
    pub fn split(&self) -> (&'static str, &'static str) {
        let divided = match caller_in(self.path) {
            Some(_) => self.path.rsplit_once('.'),
            None => self.path.split_once('.'),
        };
        divided.unwrap_or(("", self.path))
    }
}

impl ValueKind {
    /// Whether `text`, from the environment or after `--set`, is taken as it is, without TOML's quotes.
    #[must_use]
    pub fn takes_as_is(self, text: &str) -> bool {
        match self {
            Self::Text
            | Self::Proxy
            | Self::Choice
            | Self::Duration(_)
            | Self::Size(..)
            | Self::Mode
            | Self::Addresses => true,
            Self::Users => !text.starts_with('['),
            Self::LoginStore => !text.starts_with('{'),
            Self::Count(..)
            | Self::Switch
            | Self::Texts
            | Self::Map
            | Self::Secret
            | Self::TokenSource => false,
        }
    }

    /// Its form in TOML, in words.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Text
            | Self::Proxy
            | Self::Choice
            | Self::Duration(_)
            | Self::Size(..)
            | Self::Mode => "a string",
            Self::Users => "\"same\", \"any\" or a list of user ids",
            Self::Count(..) => "a whole number",
            Self::Switch => "true or false",
            Self::Addresses => "an address, a list of them or \"off\"",
            Self::Texts => "a list of strings",
            Self::Map => "a table of strings",
            Self::Secret => "a secret source",
            Self::LoginStore => "\"keyring\", \"memory\" or a table with a file",
            Self::TokenSource => "a table with one of command, file and http",
        }
    }
}

impl Fallback {
    /// The default or the example, as TOML.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Default(text) | Self::Unset(text) | Self::Required(text) => text,
        }
    }

    /// The same for a user of this system.
    #[must_use]
    pub fn example(self) -> String {
        on_system(self.text(), cfg!(unix))
    }
}
