//! The keys of `[guard.callers.NAME]`: the one table in which a name is the user's own.

use super::Fallback::{Default, Unset};
use super::ValueKind::{Count, Secret, Switch, Texts};
use super::{Fallback, Key, PREFIX, Scope, ValueKind, variable};

const fn key(path: &'static str, kind: ValueKind, fallback: Fallback, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        fallback,
        scope: Scope::Proxy,
        doc,
    }
}

/// The last uid is no user's (-1, "unchanged").
const UID: ValueKind = Count(0, u32::MAX - 1);

/// What can be set for each caller; `NAME` in a path stands for its name.
pub static CALLER_KEYS: [Key; 5] = [
    key(
        "guard.callers.NAME.key",
        Secret,
        Unset("{ file = \"/run/secrets/ci.key\" }"),
        "Where its keys are, one a line; `cupbearer keygen --caller` makes one. A changed file counts within 3 s.",
    ),
    key(
        "guard.callers.NAME.uid",
        UID,
        Unset("1000"),
        "The user of this machine that it must be, instead of a key or beside one.",
    ),
    key(
        "guard.callers.NAME.read_only",
        Switch,
        Default("false"),
        "Its own rails; those for everyone come on top.",
    ),
    key(
        "guard.callers.NAME.allow",
        Texts,
        Unset("[\"GET /api/v1/**\"]"),
        "As guard.allow.",
    ),
    key(
        "guard.callers.NAME.deny",
        Texts,
        Default("[]"),
        "As guard.deny.",
    ),
];

const TABLE: &str = "guard.callers.";

/// The caller's name in a path of `guard.callers`, and what stands behind it.
pub(crate) fn caller_in(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix(TABLE)?;
    Some(match rest.split_once('.') {
        Some((name, key)) => (name, Some(key)),
        None => (rest, None),
    })
}

/// The path of a caller's key.
pub(crate) fn caller_path(caller: &str, key: &Key) -> String {
    format!("{TABLE}{caller}.{}", key.split().1)
}

/// The caller's name in a variable such as `CUPBEARER_GUARD__CALLERS__CI__KEY__FILE`.
pub(crate) fn caller_in_variable(name: &str) -> Option<String> {
    let table = variable(TABLE);
    debug_assert!(table.starts_with(PREFIX));
    let (caller, _) = name.strip_prefix(&table)?.split_once("__")?;
    Some(caller.to_ascii_lowercase())
}

/// Whether a caller may have this name: it stands in a variable, in logs and as a metric's label.
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
