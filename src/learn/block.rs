//! The configuration block to paste: TOML, with comments for the reader.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use super::fold::{FoldedRule, FoldedRules};
use super::record::ObservedRequest;
use crate::text::{Unprintable, counted, is_printable, sanitize};

/// The run from which the rules were derived.
#[derive(Debug, Clone, Copy)]
pub struct RunDescription<'a> {
    /// The NAME of `guard.callers.NAME`.
    pub name: &'a str,
    /// The file in which the key of the caller will be.
    pub key: &'a Path,
    /// The program that was run, without its arguments, which may contain a secret.
    pub program: &'a str,
    /// The number of accepted requests.
    pub requests: u64,
    /// Where the OpenAPI document was found, if one was used.
    pub document: Option<&'a str>,
    /// Reasons why the rules may be incomplete.
    pub warnings: &'a [String],
}

/// Formats `[guard.callers.NAME]`. Text that the program chose is quoted, or sanitized in one-line comments.
#[must_use]
pub fn write_block(run: &RunDescription<'_>, folded: &FoldedRules) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let (name, key) = (run.name, run.key.display().to_string());
    let paths = match run.document {
        Some(document) => format!(
            "paths grouped by the templates in {}",
            sanitize(document, Unprintable::Mark)
        ),
        None => "each path as requested, because no OpenAPI document was found".to_owned(),
    };
    let (program, requests) = (
        sanitize(run.program, Unprintable::Mark),
        counted(run.requests, "request"),
    );
    line(&format!(
        "# Learned from one run of {program}: {requests}; {paths}."
    ));
    for warning in run.warnings {
        line(&format!(
            "# Warning: {}",
            sanitize(warning, Unprintable::Mark)
        ));
    }
    line(&format!(
        "# To create its key: cupbearer keygen --caller {name} --out {}",
        shell_word(&sanitize(&key, Unprintable::Mark))
    ));
    line(&format!("[guard.callers.{name}]"));
    line(&format!("key = {{ file = {} }}", toml_string(&key)));
    if folded.read_only {
        line("read_only = true");
    }
    line("allow = [");
    for rule in &folded.allow {
        line(&format!("  {},{}", toml_string(&rule.rule), remark(rule)));
    }
    line("]");
    if !folded.deny.is_empty() {
        line(
            "# Also matched by a rule above, but other operations of the API, which the run did not use:",
        );
        line("deny = [");
        for rule in &folded.deny {
            line(&format!("  {},", toml_string(rule)));
        }
        line("]");
    }
    list(
        &mut text,
        "No rule can express these requests; they will be rejected:",
        &folded.inexpressible,
    );
    list(
        &mut text,
        "Rejected in this run, by [guard] or because servers interpret the path or a field differently:",
        &folded.rejected,
    );
    text
}

fn list(text: &mut String, title: &str, requests: &[ObservedRequest]) {
    if requests.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# {title}");
    for ObservedRequest { path, method } in requests {
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

/// As one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    // It fails only for a NUL, which `sanitize` has replaced.
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// The text as a TOML string, in which characters that would mislead a reader are escaped.
#[must_use]
pub fn toml_string(text: &str) -> String {
    if text.chars().all(is_printable) {
        return toml::Value::from(text).to_string();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        // Writing to a String cannot fail.
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
