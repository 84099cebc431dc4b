//! The effective configuration as `check` shows it: every key, its value and where it came from.
//!
//! A secret is `(set)` and its place. Prints nothing itself.

use std::fmt::Write as _;

use serde::Serialize;

use super::keys::{KEYS, Key};
use super::layers::{Content, Layers};
use super::values::default;

/// One key as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The key's path.
    pub key: &'static str,
    /// Its value as TOML, `(set)` for a secret, `(unset)` for nothing.
    pub value: String,
    /// `default`, `cupbearer.toml:3`, a variable or a flag.
    pub source: String,
}

/// Every key in the table's order.
pub(crate) fn rows(layers: &Layers) -> Vec<Row> {
    KEYS.iter().map(|key| row(layers, key)).collect()
}

fn row(layers: &Layers, key: &Key) -> Row {
    let Some(given) = layers.given.get(key.path) else {
        let value = default(key).map_or_else(|| "(unset)".to_owned(), |value| value.to_string());
        return Row {
            key: key.path,
            value,
            source: "default".to_owned(),
        };
    };
    let (value, source) = match &given.content {
        Content::Toml(value) => (value.to_string(), given.source.to_string()),
        Content::Secret(secret) => (
            "(set)".to_owned(),
            format!("{} ({})", given.source, secret.describe()),
        ),
        Content::Broken => ("(broken)".to_owned(), given.source.to_string()),
    };
    Row {
        key: key.path,
        value,
        source,
    }
}

/// The rows in three columns, one line each.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    const WIDEST: usize = 60;
    let width = |column: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (key, value) = (width(|row| row.key), width(|row| &row.value));
    rows.iter().fold(String::new(), |mut text, row| {
        let _infallible = writeln!(text, "{:key$}  {:value$}  {}", row.key, row.value, row.source);
        text
    })
}
