//! What is wrong with a configuration: all of it at once, each with key, source and remedy.
//!
//! A problem never contains a secret: values of secret keys are not quoted, and neither are URLs with a user name or
//! a password.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::text::{counted, is_printable};
use crate::vendor::VendorRejection;

/// One thing that is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// The key, or the file if the problem is not about a key.
    pub key: String,
    /// Where it was set: `cupbearer.toml:3`, a variable, a flag, or `not set`.
    pub source: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// Every problem of one configuration. Never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigProblems {
    found: Vec<ConfigProblem>,
    /// Printed before all problems.
    #[serde(skip)]
    first_of_all: Option<&'static str>,
}

impl ConfigProblems {
    /// The problems in the order of discovery.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigProblem> {
        self.found.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn push(
        &mut self,
        key: impl Into<String>,
        source: impl fmt::Display,
        value: impl Into<InvalidValue>,
    ) {
        let InvalidValue { problem, remedy } = value.into();
        let problem = ConfigProblem {
            key: key.into(),
            source: source.to_string(),
            problem,
            remedy,
        };
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Keeps those that were found first, and of the later ones those that are to be kept.
    pub(crate) fn retain_after(
        &mut self,
        first: usize,
        mut keep: impl FnMut(&ConfigProblem) -> bool,
    ) {
        let mut index = 0;
        self.found.retain(|problem| {
            index += 1;
            index <= first || keep(problem)
        });
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&ConfigProblem) -> bool) {
        self.found.retain(keep);
    }

    /// Sets the sentence that is printed before the problems.
    pub(crate) fn introduce(&mut self, words: &'static str) {
        self.first_of_all = Some(words);
    }

    /// The sentence before the problems, if there is one.
    #[must_use]
    pub const fn introduction(&self) -> Option<&'static str> {
        self.first_of_all
    }

    /// The text for a terminal with this many columns: as a table if that fits, otherwise each problem in lines of its
    /// own.
    #[must_use]
    pub fn at_width(&self, columns: usize) -> String {
        let table = self.to_string();
        if table.lines().all(|line| line.chars().count() <= columns) {
            return table;
        }
        let mut text = String::new();
        if let Some(words) = self.first_of_all {
            wrap(&mut text, "", words, columns);
        }
        wrap(&mut text, "", &self.title(), columns);
        for one in self.iter() {
            let place = format!("{} ({})", one.key, one.source);
            wrap(&mut text, "  ", &place, columns);
            wrap(&mut text, "      ", &one.problem, columns);
            wrap(&mut text, "      ", &one.remedy, columns);
        }
        printable(text.trim_end())
    }

    fn title(&self) -> String {
        format!("configuration: {}", counted(self.found.len(), "problem"))
    }

    /// Adds other problems.
    pub fn add(&mut self, others: Self) {
        self.found.extend(others.found);
        self.first_of_all = self.first_of_all.or(others.first_of_all);
    }

    /// Adds the problems of one of several files. A problem that all files share is listed once.
    pub(crate) fn add_of(&mut self, file: &str, others: Self) {
        for mut problem in others.found {
            if matches!(problem.source.as_str(), "not set" | "default") {
                problem.source = format!("{file}: {}", problem.source);
            }
            if !self.found.contains(&problem) {
                self.found.push(problem);
            }
        }
    }

    /// The width of a column in characters. A few very long entries do not widen it.
    fn width(&self, column: impl Fn(&ConfigProblem) -> &str) -> usize {
        const WIDEST: usize = 44;
        self.iter()
            .map(|problem| column(problem).chars().count())
            .filter(|width| *width <= WIDEST)
            .max()
            .unwrap_or(0)
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if let Some(words) = self.first_of_all {
            text = format!("{words}\n");
        }
        text += &self.title();
        let (key, source, what) = (
            self.width(|problem| &problem.key),
            self.width(|problem| &problem.source),
            self.width(|problem| &problem.problem),
        );
        for one in self.iter() {
            write!(
                text,
                "\n  {:key$}  {:source$}  {:what$}  {}",
                one.key, one.source, one.problem, one.remedy
            )?;
        }
        // The names of keys, callers and files may contain anything.
        f.write_str(&printable(&text))
    }
}

impl std::error::Error for ConfigProblems {}

/// The same text with escapes in place of control characters. What it quotes has been escaped before.
fn printable(text: &str) -> String {
    let escaped = |character: char| {
        if is_printable(character) || character == '\n' {
            character.to_string()
        } else {
            character.escape_unicode().to_string()
        }
    };
    text.chars().map(escaped).collect()
}

/// Adds `words` in lines of at most `columns` characters, each after `indent`. A word that is longer is not cut, since
/// it may be copied.
fn wrap(text: &mut String, indent: &str, words: &str, columns: usize) {
    let mut width = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length <= columns {
            text.push(' ');
            width += 1 + length;
            text.push_str(word);
            continue;
        }
        if width > 0 {
            text.push('\n');
        }
        text.push_str(indent);
        text.push_str(word);
        width = indent.chars().count() + length;
    }
    text.push('\n');
}

/// Why a value is invalid, and what to write instead. The parser that finds it knows neither the key nor the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidValue {
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

impl<P: Into<String>, R: Into<String>> From<(P, R)> for InvalidValue {
    fn from((problem, remedy): (P, R)) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

impl From<VendorRejection> for InvalidValue {
    fn from(VendorRejection { problem, remedy }: VendorRejection) -> Self {
        (problem, remedy).into()
    }
}

#[cfg(test)]
mod tests;
