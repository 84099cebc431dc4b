//! Several proxies in one process: one file each. Keys of the process are set in one of the files, and keys of a proxy
//! in its own file and nowhere else.

use super::content::{Content, SetValue, ValueSource};
use super::digests::KeyDigests;
use super::inputs::{Overrides, Surroundings};
use super::keys::{self, Key, Scope};
use super::layers::Layers;
use super::listen;
use super::load::{InvalidConfig, Loaded, finish};
use super::own_addresses;
use super::problems::{ConfigProblem, ConfigProblems};
use super::sources;
use super::store_files;

/// Reads the configuration of every proxy of a process.
///
/// # Errors
/// All problems in any of them, at once, with what the files name.
pub fn load_all(
    all: &[Overrides],
    surroundings: &Surroundings,
) -> Result<Vec<Loaded>, InvalidConfig> {
    let order: Vec<&Overrides> = all.iter().collect();
    let mut problems = ConfigProblems::default();
    let (mut loaded, mut named) = (Vec::new(), Vec::new());
    let mut together = read_together(&order, surroundings);
    reject_stores_of_others(&mut together);
    for layers in together {
        let file = layers.file_name.clone();
        match finish(layers, surroundings) {
            Ok(one) => {
                named.push(one.named.clone());
                loaded.push(one);
            }
            Err(found) if all.len() == 1 => return Err(found),
            Err(found) => {
                problems.add_of(&file, found.problems);
                named.extend(found.named);
            }
        }
    }
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(InvalidConfig { problems, named })
    }
}

/// Reads one proxy's configuration again. The others matter only where two must not be equal, and only for what this
/// one has changed since `in_use`, or since it was last `accepted`, which may need a restart: whichever file has
/// changed must give way.
///
/// # Errors
/// What is wrong with this one.
///
/// # Panics
/// If `all` has no such index.
pub fn load_one_of(
    all: &[Overrides],
    place: usize,
    surroundings: &Surroundings,
    in_use: &KeyDigests,
    accepted: &KeyDigests,
) -> Result<Loaded, ConfigProblems> {
    let others = all.iter().enumerate().filter(|(other, _)| *other != place);
    let mut order: Vec<&Overrides> = others.map(|(_, other)| other).collect();
    // Of two that conflict, the later one is reported.
    order.push(&all[place]);
    let mut others = read_together(&order, surroundings);
    let mut layers = others.pop().expect("there is at least this one");
    let changed = KeyDigests::of(&layers).changed_from(in_use);
    let changed_back = KeyDigests::of(&layers).changed_from(accepted);
    let begins_to_sign_in = changed.iter().any(|key| key == keys::TOKEN_GRANT.path());
    layers
        .problems
        .retain_after(layers.own_problems, |conflict| {
            let is_redirect = conflict.key == keys::TOKEN_REDIRECT_URL.path();
            let has_changed =
                changed.contains(&conflict.key) || changed_back.contains(&conflict.key);
            has_changed || is_redirect && begins_to_sign_in
        });
    reject_keys_of_unreadable(&mut layers, &others, &changed, in_use);
    reject_stores(&mut layers, &others, &changed);
    // The admin listener, wherever it is set, is no server that this one may connect to, and has an address that this
    // one cannot take.
    let admin = admin_of_others(&layers, &others, &changed);
    let digests = KeyDigests::of(&layers);
    let own = without_others(&layers, admin.as_ref());
    // What another file sets for the process is in force too, unless that file is the one with a problem.
    let shared = Layers {
        values: layers
            .values
            .into_iter()
            .chain(own.values.clone())
            .collect(),
        ..own.clone()
    };
    let loaded = finish(shared, surroundings).or_else(|_| finish(own, surroundings));
    let loaded = loaded.map_err(|invalid| invalid.problems)?;
    // Where the admin listener is set decides which file's change it is.
    let loaded = Loaded { digests, ..loaded };
    if changed.iter().any(|key| key == ADMIN) {
        let broken = broken_by_admin(others, surroundings);
        if !broken.is_empty() {
            return Err(broken);
        }
    }
    Ok(loaded)
}

/// Without what the files of other proxies set for the process, and with this `admin.listen`, if there is one.
fn without_others(layers: &Layers, admin: Option<&SetValue>) -> Layers {
    let mut own = layers.clone();
    own.values
        .retain(|path, value| !is_of_process(path) || is_own(value, layers));
    if let Some(admin) = admin {
        own.values.insert(ADMIN.to_owned(), admin.clone());
    }
    own
}

/// A file that begins to set keys of the process must wait while another file cannot be read, because that one may set
/// such keys too.
fn reject_keys_of_unreadable(
    layers: &mut Layers,
    others: &[Layers],
    changed: &[String],
    in_use: &KeyDigests,
) {
    let is_of_process = |key: &String| is_of_process(key);
    let defaults = KeyDigests::of(&Layers::default());
    if in_use.changed_from(&defaults).iter().any(is_of_process) {
        return;
    }
    let Some(unread) = others.iter().find(|other| other.incomplete) else {
        return;
    };
    for key in changed.iter().filter(|key| is_of_process(key)) {
        let source = layers.values.get(key).map(|set| set.source.to_string());
        let problem = (
            format!(
                "applies to the whole process, and {}, which may set such keys too, cannot be read",
                unread.file_name
            ),
            "correct that file first",
        );
        layers
            .problems
            .push(key, source.unwrap_or_default(), problem);
    }
}

const ADMIN: &str = keys::ADMIN_LISTEN.path();

/// The `admin.listen` by which to judge a file that does not set it; `None` if it does, or if nobody does.
fn admin_of_others(layers: &Layers, others: &[Layers], changed: &[String]) -> Option<SetValue> {
    let set = layers.values.get(ADMIN);
    if set.is_some_and(|set| is_own(set, layers)) {
        return None;
    }
    let matters = |key: &String| {
        let table = key.split('.').next().unwrap_or(key);
        matches!(table, "listen" | "upstream" | "token" | "network")
    };
    let is_valid = |set: &&SetValue| {
        let Content::Toml(value) = &set.content else {
            return false;
        };
        let Ok(texts) = keys::ADMIN_LISTEN.parse(value) else {
            return false;
        };
        texts.iter().all(|text| is_admin_address(text))
    };
    match set {
        // A file that changes nothing here is not the one to reject if that file does.
        Some(set) if changed.iter().any(matters) && is_valid(&set) => Some(set.clone()),
        None if others.iter().all(|other| !other.incomplete) => None,
        Some(_) | None => Some(no_admin()),
    }
}

fn is_admin_address(text: &str) -> bool {
    text.eq_ignore_ascii_case("off") || listen::admin_listen(text).is_ok()
}

/// Whether a value was not set by the file of another proxy.
fn is_own(set: &SetValue, layers: &Layers) -> bool {
    match &set.source {
        ValueSource::File { path, .. } => layers.file.as_ref() == Some(path),
        ValueSource::Variable(_) | ValueSource::Flag(_) => true,
    }
}

fn no_admin() -> SetValue {
    SetValue {
        content: Content::Toml("off".into()),
        source: ValueSource::Flag("default"),
    }
}

/// The problems that the files of other proxies have only because of the `admin.listen` that all share.
fn broken_by_admin(others: Vec<Layers>, surroundings: &Surroundings) -> ConfigProblems {
    let mut broken = ConfigProblems::default();
    for mut layers in others {
        let file = layers.file_name.clone();
        let with = problems(layers.clone(), surroundings);
        layers.values.insert(ADMIN.to_owned(), no_admin());
        let without = problems(layers, surroundings);
        let mut found = with;
        found.retain(|one: &ConfigProblem| without.iter().all(|other| other != one));
        broken.add_of(&file, found);
    }
    broken
}

fn problems(layers: Layers, surroundings: &Surroundings) -> ConfigProblems {
    match finish(layers, surroundings) {
        Ok(_) => ConfigProblems::default(),
        Err(invalid) => invalid.problems,
    }
}

/// Whether the configuration, as it is now, names the same token endpoint, client and secret source as `before`, and
/// the same API if the token itself comes from a source. If not, what the source contains may be meant for another
/// server. `None` if the configuration cannot be read.
#[must_use]
pub fn names_same_client(
    overrides: &Overrides,
    surroundings: &Surroundings,
    before: &KeyDigests,
) -> Option<bool> {
    let layers = sources::read(overrides, surroundings);
    let changed = KeyDigests::of(&layers).changed_from(before);
    let has_source = before.contains(keys::TOKEN_SOURCE.path());
    let is_of_identity =
        |key: &String| is_of_client(key) || has_source && key == keys::UPSTREAM_URL.path();
    (!layers.incomplete).then(|| !changed.iter().any(is_of_identity))
}

/// Whether the key names the token endpoint, the client or where its secrets are.
fn is_of_client(path: &str) -> bool {
    [
        keys::TOKEN_URL.path(),
        keys::TOKEN_ISSUER.path(),
        keys::TOKEN_PINGONE_DOMAIN.path(),
        keys::TOKEN_PINGONE_REGION.path(),
        keys::TOKEN_PINGONE_ENVIRONMENT_ID.path(),
        keys::TOKEN_CLIENT_ID.path(),
        keys::TOKEN_CLIENT_SECRET.path(),
        keys::TOKEN_PRIVATE_KEY.path(),
        keys::TOKEN_CLIENT_KEY_FILE.path(),
        keys::TOKEN_CLIENT_ASSERTION.path(),
        keys::TOKEN_ASSERTION.path(),
        keys::TOKEN_SUBJECT_TOKEN.path(),
        keys::TOKEN_ACTOR_TOKEN.path(),
        keys::TOKEN_SOURCE.path(),
    ]
    .contains(&path)
}

fn read_together(all: &[&Overrides], surroundings: &Surroundings) -> Vec<Layers> {
    let read = all.iter().map(|one| sources::read(one, surroundings));
    let mut all: Vec<Layers> = read.collect();
    let is_one_of_several = all.len() > 1;
    for layers in &mut all {
        if is_one_of_several {
            reject_from_outside(layers);
        }
        layers.own_problems = layers.problems.count();
    }
    if is_one_of_several {
        share_keys_of_process(&mut all);
        require_distinct(&mut all, &keys::NAME);
        own_addresses::require_separate_listeners(&mut all);
        own_addresses::require_free_redirects(&mut all);
    }
    all
}

/// It is unclear which proxy a variable or flag would be for.
fn reject_from_outside(layers: &mut Layers) {
    let keys = layers.values.iter().filter_map(|(path, given)| {
        let outside = match given.source {
            ValueSource::File { .. } => false,
            ValueSource::Variable(_) | ValueSource::Flag(_) => true,
        };
        (outside && !is_of_process(path)).then(|| (path.clone(), given.source.clone()))
    });
    for (path, source) in keys.collect::<Vec<_>>() {
        let problem = (
            "is a key of one proxy, but several are configured",
            "set it in the file of the proxy that it applies to",
        );
        layers.problems.push(path, source, problem);
    }
}

/// Copies the keys of the process from the one file that sets them to all proxies.
fn share_keys_of_process(all: &mut [Layers]) {
    let in_file = |layers: &Layers| -> Vec<(String, ValueSource)> {
        let given = layers.values.iter();
        given
            .filter(|(path, given)| {
                is_of_process(path) && matches!(given.source, ValueSource::File { .. })
            })
            .map(|(path, given)| (path.clone(), given.source.clone()))
            .collect()
    };
    let Some(holder) = all.iter().position(|layers| !in_file(layers).is_empty()) else {
        return;
    };
    let (named, keys) = (all[holder].file_name.clone(), in_file(&all[holder]));
    for layers in &mut all[holder + 1..] {
        for (path, source) in in_file(layers) {
            let problem = (
                format!("applies to the whole process, for which {named} sets keys"),
                format!("set it there, or move all of them ({KEYS_OF_PROCESS}) here"),
            );
            layers.problems.push(path, source, problem);
        }
    }
    let shared = keys.into_iter().filter_map(|(path, _)| {
        let given = all[holder].values.get(&path)?.clone();
        Some((path, given))
    });
    for (path, given) in shared.collect::<Vec<_>>() {
        for layers in &mut *all {
            layers.values.entry(path.clone()).or_insert(given.clone());
        }
    }
}

/// No sign-in may replace a file that another proxy needs.
fn reject_stores_of_others(all: &mut [Layers]) {
    for index in 0..all.len() {
        let (before, rest) = all.split_at_mut(index);
        let Some((layers, after)) = rest.split_first_mut() else {
            return;
        };
        for other in before.iter().chain(&*after) {
            store_files::reject_store_for(layers, other);
        }
    }
}

/// The same for the one file that is read again, and what it has changed.
fn reject_stores(layers: &mut Layers, others: &[Layers], changed: &[String]) {
    for other in others {
        if changed.iter().any(|key| key == store_files::STORE) {
            store_files::reject_store_for(layers, other);
        }
        for (key, problem) in store_files::keys_in_store_of(layers, other) {
            if changed.contains(&key) {
                let source = layers.values.get(&key).map(|set| set.source.to_string());
                let source = source.unwrap_or_default();
                layers.problems.push(key, source, problem);
            }
        }
    }
}

const KEYS_OF_PROCESS: &str = "admin.*, log.*, drain, drain_delay, runtime.*";

/// No two may have the same value of this key, even by default.
fn require_distinct(all: &mut [Layers], key: &Key<String>) {
    let path = key.path();
    let mut seen: Vec<(String, String)> = Vec::new();
    for layers in all.iter_mut().filter(|layers| !layers.incomplete) {
        let given = layers.values.get(path);
        let value = match given {
            Some(given) => given.text(),
            None => key.info.default().map(|value| value.to_string()),
        };
        let (Some(value), source) = (value, given.map(|given| given.source.clone())) else {
            continue;
        };
        match seen.iter().find(|(known, _)| *known == value) {
            Some((_, other)) => {
                let source = source.map_or_else(|| "default".to_owned(), |at| at.to_string());
                let problem = (
                    format!("{value} is also used by {other}"),
                    format!("choose another {path}"),
                );
                layers.problems.push(path, source, problem);
            }
            None => seen.push((value, layers.file_name.clone())),
        }
    }
}

fn is_of_process(path: &str) -> bool {
    keys::find(path).is_some_and(|key| match key.scope {
        Scope::Process => true,
        Scope::Proxy => false,
    })
}

/// The one that sets where the admin listener of the process is.
#[must_use]
pub fn holder_of_admin<'a>(
    all: &'a [Overrides],
    surroundings: &Surroundings,
) -> Option<&'a Overrides> {
    let sets_admin = |one: &&Overrides| {
        let layers = sources::read(one, surroundings);
        layers.values.contains_key(keys::ADMIN_LISTEN.path()) || layers.salvaged_admin.is_some()
    };
    all.iter().find(sets_admin).or_else(|| all.first())
}

#[cfg(test)]
mod tests;
