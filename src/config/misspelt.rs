//! Finds variables that name no key but were meant to set a rule of the guard, or TLS of the listener: ignoring one
//! would admit more than was meant.
//!
//! Variables that other programs set must not be taken for one: Kubernetes sets several for each service, and a prefix
//! such as `CUPBEARER_` may be in use for something else.

use super::keys::{KEYS, PREFIX, nearest_variable, variable, variables};

/// How many letters may be missing, superfluous, wrong or swapped.
const MOST_TYPOS: usize = 2;

/// The same in the name of a table alone, which is short.
const MOST_TYPOS_IN_TABLE: usize = 1;

/// Keys without which more is admitted.
const RESTRICTIONS: [&str; 4] = ["READ_ONLY", "ALLOW", "DENY", "LOCAL_USERS"];

/// What a misspelt variable was meant to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// This variable.
    Variable(String),
    /// One of the keys of a caller.
    Caller,
    /// Some key of the guard.
    Guard,
}

impl Meant {
    /// What is wrong with the variable, and the remedy.
    pub(super) fn problem(self) -> (&'static str, String) {
        let remedy = match self {
            Self::Variable(meant) => format!("did you mean {meant}? If not, unset it"),
            Self::Caller => {
                "set each key of a caller by itself, such as CUPBEARER_GUARD__CALLERS__CI__UID"
                    .to_owned()
            }
            Self::Guard => "unset it; docs/configuration.md lists every key".to_owned(),
        };
        ("is not the variable of a key", remedy)
    }
}

/// The variables of the keys that decide who may do what, with these callers.
pub(super) fn guarding(callers: &[&str]) -> Vec<String> {
    variables(callers)
        .filter(|name| is_guarding(name))
        .collect()
}

/// What the variable `name`, which is not that of a key, was meant to be, if that is one of the variables `guarding`.
pub(super) fn meant_for_guard(name: &str, guarding: &[String]) -> Option<Meant> {
    if is_of_service(name) {
        return None;
    }
    let name = name.to_ascii_uppercase();
    let spelled = letters(&name);
    if let Some(same) = guarding.iter().find(|known| letters(known) == spelled) {
        return Some(Meant::Variable(same.clone()));
    }
    if spelled.starts_with("CUPBEARERGUARD") {
        return Some(of_guard(&name));
    }
    let typos = |known: &String| {
        let difference = known.len().abs_diff(name.len());
        (difference <= MOST_TYPOS).then(|| strsim::osa_distance(&name, known))
    };
    let nearest = guarding
        .iter()
        .filter_map(|known| Some((typos(known)?, known)));
    if let Some((0..=MOST_TYPOS, nearest)) = nearest.min() {
        return Some(Meant::Variable(nearest.clone()));
    }
    meant_in_other_table(name.strip_prefix(PREFIX)?)
}

/// The same for what follows the prefix in a variable whose table is wrong, misspelt or missing.
fn meant_in_other_table(rest: &str) -> Option<Meant> {
    let rest = rest.trim_start_matches('_');
    let table = rest.split('_').next().unwrap_or_default();
    if table == "CALLERS" && rest.len() > table.len() {
        return Some(Meant::Caller);
    }
    if strsim::osa_distance(table, "GUARD") <= MOST_TYPOS_IN_TABLE && rest.len() > table.len() {
        let exact = format!("{PREFIX}GUARD{}", &rest[table.len()..]);
        return Some(of_guard(&exact));
    }
    let last = rest.rsplit("__").next().unwrap_or_default();
    let is_last_word = |key: &str| {
        let before = rest.strip_suffix(key);
        before.is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    let key = only_in_guard().find(|key| letters(key) == letters(last));
    let restriction = || RESTRICTIONS.into_iter().find(|key| is_last_word(key));
    let key = key.or_else(|| restriction().map(str::to_owned))?;
    Some(Meant::Variable(variable(&format!("guard.{key}"))))
}

/// What a variable that names the guard was meant to be.
fn of_guard(name: &str) -> Meant {
    let after = name.split("GUARD").nth(1).unwrap_or_default();
    let of_caller = after.trim_start_matches('_').strip_prefix("CALLERS");
    if of_caller.is_some_and(|rest| !rest.trim_start_matches('_').contains("__")) {
        return Meant::Caller;
    }
    match nearest_variable(name) {
        Some(nearest) if is_guarding(&nearest) => Meant::Variable(nearest),
        Some(_) | None => Meant::Guard,
    }
}

/// Whether Kubernetes sets the variable for a service whose name begins with `cupbearer`.
pub(super) fn is_of_service(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX.trim_end_matches('_')) else {
        return false;
    };
    let is_of_port = |rest: &str| {
        let digits = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        digits.len() < rest.len()
            && ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
                digits
                    .strip_prefix(protocol)
                    .is_some_and(|end| ["", "_PROTO", "_PORT", "_ADDR"].contains(&end))
            })
    };
    !rest.contains("__")
        && (rest.ends_with("_PORT")
            || rest.ends_with("_SERVICE_HOST")
            || rest.contains("_SERVICE_PORT_")
            || rest
                .match_indices("_PORT_")
                .any(|(at, port)| is_of_port(&rest[at + port.len()..])))
}

/// Whether a key of this variable decides who may do what.
fn is_guarding(variable: &str) -> bool {
    let rest = variable.strip_prefix(PREFIX).unwrap_or_default();
    rest.starts_with("GUARD__") || rest.starts_with("TLS__")
}

/// The names of keys, in capitals, that only `[guard]` itself has.
fn only_in_guard() -> impl Iterator<Item = String> {
    let is_elsewhere = |name: &str| {
        KEYS.iter().any(|key| {
            let (table, key) = key.split();
            table == name || table != "guard" && key == name
        })
    };
    let keys = KEYS.iter().map(super::keys::KeyInfo::split);
    keys.filter(move |(table, name)| *table == "guard" && !is_elsewhere(name))
        .map(|(_, name)| name.to_ascii_uppercase())
}

/// Without what separates the words.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests;
