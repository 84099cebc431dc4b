//! The block to paste, as TOML with what a reader should know in comments.

use std::fmt::Write as _;
use std::path::Path;

use super::{Folded, FoldedRule, Request};
use crate::text::{Unprintable, is_printable, sanitize};

/// What the block is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `guard.callers.NAME`.
    pub name: &'a str,
    /// Where its key will be.
    pub key: &'a Path,
    /// The program that was run, without its arguments: there may be a secret among them.
    pub program: &'a str,
    /// How many requests passed.
    pub requests: u64,
    /// Where the document is that paths were folded by.
    pub document: Option<&'a str>,
    /// What makes the run doubtful.
    pub warnings: &'a [String],
}

/// Writes `[guard.callers.NAME]`. Whatever the program chose stands in strings, or in comments on one line.
#[must_use]
pub fn write(about: &About<'_>, folded: &Folded) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let (name, key) = (about.name, about.key.display().to_string());
    let paths = match about.document {
        Some(document) => format!("paths folded by {}", sanitize(document, Unprintable::Mark)),
        None => "each path as it was asked for, since no OpenAPI document was found".to_owned(),
    };
    let (program, requests) = (sanitize(about.program, Unprintable::Mark), about.requests);
    line(&format!(
        "# Learned from one run of {program}: {requests} requests; {paths}."
    ));
    for warning in about.warnings {
        line(&format!(
            "# Warning: {}",
            sanitize(warning, Unprintable::Mark)
        ));
    }
    line(&format!(
        "# Make its key: cupbearer keygen --caller {name} --out {}",
        sanitize(&key, Unprintable::Mark)
    ));
    line(&format!("[guard.callers.{name}]"));
    line(&format!("key = {{ file = {} }}", quoted(&key)));
    if folded.read_only {
        line("read_only = true");
    }
    line("allow = [");
    for rule in &folded.allow {
        line(&format!("  {},{}", quoted(&rule.rule), remark(rule)));
    }
    line("]");
    if !folded.deny.is_empty() {
        line("# Within a rule above, and something else to the API, which the run did not use:");
        line("deny = [");
        for rule in &folded.deny {
            line(&format!("  {},", quoted(rule)));
        }
        line("]");
    }
    list(
        &mut text,
        "No rule can say these; they will be refused:",
        &folded.unwritable,
    );
    list(
        &mut text,
        "Refused in this run, by [guard] or since servers differ on the path or a field:",
        &folded.refused,
    );
    text
}

fn list(text: &mut String, title: &str, requests: &[Request]) {
    if requests.is_empty() {
        return;
    }
    // A String takes every write.
    let _ = writeln!(text, "# {title}");
    for Request { path, method } in requests {
        let _ = writeln!(
            text,
            "#   {} {}",
            sanitize(method, Unprintable::Mark),
            sanitize(path, Unprintable::Mark)
        );
    }
}

fn remark(rule: &FoldedRule) -> String {
    match &rule.notes[..] {
        [] => String::new(),
        notes => format!(" # {}", notes.join("; ")),
    }
}

/// As TOML; where an eye would be misled by what the string holds, with that escaped.
fn quoted(text: &str) -> String {
    if text.chars().all(is_printable) {
        return toml::Value::from(text).to_string();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        // A String takes every write.
        let _ = match letter {
            '"' | '\\' => write!(quoted, "\\{letter}"),
            letter if is_printable(letter) => write!(quoted, "{letter}"),
            letter => write!(quoted, "\\U{:08X}", u32::from(letter)),
        };
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
