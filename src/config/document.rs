//! The layer of the file, with the line of each key.
//!
//! A syntax error names its line and never quotes it, because it may contain a secret.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::content::{Content, SetValue, ValueSource, owned_value};
use super::keys::{self, KeyInfo, ValueKind, is_section};
use super::layers::Layers;
use super::secret_source;

/// No configuration is longer than 1 MiB.
pub(crate) const LONGEST: u64 = 1 << 20;

/// Reads one file's bytes into `layers`.
pub(crate) fn read(layers: &mut Layers, path: &Path, bytes: &[u8]) {
    let text = match text(bytes) {
        Ok(text) => text,
        Err(problem) => return layers.unreadable(path, "line 1", problem),
    };
    let document = FileText { path, text };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return document.table(layers, "", table.get_ref());
    }
    let mut lines = BTreeSet::new();
    for error in errors {
        let line = document.line(error.span().map_or(0, |span| span.start));
        // A second error in a line is most likely a consequence of the first.
        if lines.insert(line) {
            let message = error.message().lines().next().unwrap_or_default();
            let problem = (format!("is not TOML: {message}"), "correct that line");
            layers.unreadable(path, format_args!("line {line}"), problem);
        }
    }
    layers.salvaged_admin = document.salvage(keys::ADMIN_LISTEN.path());
}

fn text(bytes: &[u8]) -> Result<&str, (&'static str, &'static str)> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err((
            "starts with a byte order mark",
            "save it as UTF-8 without BOM",
        ));
    }
    std::str::from_utf8(bytes).map_err(|_| ("is not UTF-8", "save it as UTF-8 without BOM"))
}

struct FileText<'a> {
    path: &'a Path,
    text: &'a str,
}

impl FileText<'_> {
    /// The line, from 1, of a byte of the text.
    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.split(|byte| *byte == b'\n').count()
    }

    /// A key's value in a text that has syntax errors elsewhere.
    fn salvage(&self, path: &str) -> Option<SetValue> {
        let (document, _errors) = DeTable::parse_recoverable(self.text);
        let mut table = document.get_ref();
        let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
        for name in tables.split_terminator('.') {
            match table.get(name)?.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => return None,
            }
        }
        let (name, value) = table.get_key_value(key)?;
        Some(SetValue {
            content: Content::Toml(owned_value(value).ok()?),
            source: ValueSource::File {
                path: self.path.to_owned(),
                line: self.line(name.span().start),
            },
        })
    }

    /// Reads a table down to its keys. Of an unknown table the name is reported, not what is below it.
    fn table(&self, layers: &mut Layers, section: &str, table: &DeTable<'_>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let path = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            let source = ValueSource::File {
                path: self.path.to_owned(),
                line: self.line(name.span().start),
            };
            // In quotes, "guard.read_only" is one name; taken for a path, it would replace the key without a word.
            if name.get_ref().contains('.') {
                let problem = (
                    "is one name with a dot in it",
                    "write it without quotes, and only once",
                );
                layers.problems.push(&path, source, problem);
                continue;
            }
            match (keys::find(&path), value.get_ref()) {
                (Some(key), _) => set(layers, key, &path, value, source),
                (None, DeValue::Table(inner)) if is_section(&path) => {
                    layers.note_caller(&path, &source);
                    self.table(layers, &path, inner);
                }
                (None, _) if is_section(&path) => {
                    let remedy = format!("write [{path}] and its keys below");
                    layers.problems.push(
                        &path,
                        source,
                        ("is a table of keys, not a value", remedy),
                    );
                }
                (None, _) => layers.unknown(&path, &source),
            }
        }
    }
}

fn set(
    layers: &mut Layers,
    key: &KeyInfo,
    path: &str,
    value: &Spanned<DeValue<'_>>,
    source: ValueSource,
) {
    let read = match owned_value(value) {
        Err(_) => Err(("is a number that is too large", "write a smaller one").into()),
        Ok(value) if key.kind == ValueKind::Secret => {
            secret_source::from_toml(key, path, &value, layers.credentials.as_deref())
                .map(Content::Secret)
        }
        Ok(value) => Ok(Content::Toml(value)),
    };
    let content = read.unwrap_or_else(|problem| {
        layers.problems.push(path, &source, problem);
        Content::Invalid
    });
    layers.set(path, content, source);
}
