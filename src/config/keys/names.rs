//! Finding a key by its path or its variable, and the key that a misspelt one was meant to be.

use super::caller_name::{caller_in, caller_in_variable, caller_path};
use super::key::{KeyInfo, ValueKind};
use super::table::{CALLER_KEYS, KEYS};
use super::variable::{CONFIG_VARIABLE, SECRET_ENDINGS, variable};

/// The key with exactly this path; a caller's keys are found by any caller's name.
#[must_use]
pub fn find(path: &str) -> Option<&'static KeyInfo> {
    match caller_in(path) {
        Some((_, Some(name))) => CALLER_KEYS.iter().find(|key| key.split().1 == name),
        Some((_, None)) => None,
        None => KEYS.iter().find(|key| key.path == path),
    }
}

/// Whether `path` is a table that holds keys: `upstream`, `token.pingone`.
pub(crate) fn is_section(path: &str) -> bool {
    let holds = |key: &KeyInfo| {
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
        keys.map(|key| (key, caller_path(caller, key.path)))
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

/// The known key or table that `unknown` was most likely meant to be.
pub(crate) fn nearest_path(unknown: &str) -> Option<String> {
    let sections = KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.').map(|(section, _)| section));
    let paths = KEYS.iter().map(|key| key.path);
    let of_caller = caller_in(unknown).into_iter().flat_map(|(caller, _)| {
        let keys = CALLER_KEYS.iter();
        keys.map(move |key| caller_path(caller, key.path))
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

/// The candidate most similar to `unknown`. One with the same last part counts as quite similar, so that a key
/// in the wrong table is found too.
fn nearest(unknown: &str, known: impl Iterator<Item = String>, separator: char) -> Option<String> {
    const SAME_LAST_PART: f64 = 0.75;
    const SIMILAR_ENOUGH: f64 = 0.6;
    let spelled = unknown.replace('-', "_");
    let last_part = |path: &str| path.rsplit(separator).next().map(str::to_owned);
    known
        .map(|candidate| {
            let similarity = strsim::normalized_damerau_levenshtein(&spelled, &candidate);
            if last_part(&spelled) == last_part(&candidate) {
                (similarity.max(SAME_LAST_PART), candidate)
            } else {
                (similarity, candidate)
            }
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
