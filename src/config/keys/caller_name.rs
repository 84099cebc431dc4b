//! `[guard.callers.NAME]`: the one table in which a name is chosen by the user.

use super::variable::{PREFIX, variable};

const TABLE: &str = "guard.callers.";

/// The caller's name in a path of `guard.callers`, and what follows it.
pub(crate) fn caller_in(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix(TABLE)?;
    Some(match rest.split_once('.') {
        Some((name, key)) => (name, Some(key)),
        None => (rest, None),
    })
}

/// The path of a caller's key, from the path that has `NAME` in its place.
pub(crate) fn caller_path(caller: &str, path: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    format!("{TABLE}{caller}.{key}")
}

/// The caller's name in a variable such as `CUPBEARER_GUARD__CALLERS__CI__KEY__FILE`.
pub(crate) fn caller_in_variable(name: &str) -> Option<String> {
    let table = variable(TABLE);
    debug_assert!(table.starts_with(PREFIX));
    let (caller, _) = name.strip_prefix(&table)?.split_once("__")?;
    Some(caller.to_ascii_lowercase())
}

/// Whether a caller may have this name, which also occurs in variables, in logs and as a metric's label.
#[must_use]
pub fn is_caller_name(name: &str) -> bool {
    let is_plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    (1..=32).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.contains("__")
        && !name.starts_with('_')
        && !name.ends_with('_')
}

#[cfg(test)]
mod tests;
