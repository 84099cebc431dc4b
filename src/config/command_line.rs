//! The layer of flags.

use super::content::{Content, ValueSource};
use super::inputs::Setting;
use super::keys::{self, ValueKind, variable};
use super::layers::Layers;
use super::text_value;

/// Adds what one flag sets.
pub(crate) fn read(layers: &mut Layers, setting: &Setting) {
    let source = ValueSource::Flag(setting.flag);
    let set = layers.values.get(&setting.key);
    if setting.flag == "--set"
        && set.is_some_and(|set| matches!(set.source, ValueSource::Flag("--set")))
    {
        let problem = (
            "is set twice on the command line",
            "keep one of them; a list has all values in one --set",
        );
        layers.problems.push(&setting.key, setting.flag, problem);
    }
    match keys::find(&setting.key) {
        Some(key) if key.kind == ValueKind::Secret => {
            reject_secret(layers, &setting.key, setting.flag);
        }
        Some(key) => text_value::set(layers, key, &setting.key, &setting.text, source),
        None => match secret_key_above(&setting.key) {
            Some(path) => reject_secret(layers, path, setting.flag),
            None => layers.unknown(&setting.key, &source),
        },
    }
}

/// The secret key that `path` begins with, as in `token.client_secret.file`.
fn secret_key_above(path: &str) -> Option<&str> {
    let mut starts = path.match_indices('.').map(|(dot, _)| &path[..dot]);
    let is_secret =
        |start: &&str| keys::find(start).is_some_and(|key| key.kind == ValueKind::Secret);
    starts.find(is_secret)
}

fn reject_secret(layers: &mut Layers, path: &str, flag: &'static str) {
    let variable = variable(path);
    layers.problems.push(
        path,
        flag,
        (
            "every user of this machine can read the command line",
            format!("set {variable}__FILE, or write {path} = {{ file = \"…\" }}"),
        ),
    );
    // What was meant is unknown, but the key is not missing.
    if !layers.values.contains_key(path) {
        layers.set(path, Content::Invalid, ValueSource::Flag(flag));
    }
}
