//! The configuration as text, with a comment from the table of keys above each value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::answers::{Auth, Credential, Plan};
use crate::config::keys::{KEYS, Key};

/// Keys that are likely to be wanted next; they stand there as comments.
const SUGGESTED: [&str; 6] = [
    "listen",
    "network.proxy",
    "network.ca_file",
    "token.scope",
    "guard.read_only",
    "log.access",
];

const HEAD: &str = "\
# Written by `cupbearer init`. Lines such as `# key = value` show what holds anyway, or an example.
# `cupbearer check` shows every key and what is in effect, `cupbearer doctor` tries it.
";

/// The whole file. `secret_file` is where a typed secret goes.
pub(super) fn text(plan: &Plan, secret_file: Option<&Path>) -> String {
    let values = values(plan, secret_file);
    let mut text = HEAD.to_owned();
    let mut current = "";
    for key in &KEYS {
        let value = values.get(key.path);
        if value.is_none() && !SUGGESTED.contains(&key.path) {
            continue;
        }
        let (section, name) = key.split();
        if section != current {
            current = section;
            let _infallible = write!(text, "\n[{section}]");
        }
        write_key(&mut text, key, name, value);
    }
    text
}

fn write_key(text: &mut String, key: &Key, name: &str, value: Option<&toml::Value>) {
    let _infallible = match value {
        Some(value) => write!(text, "\n# {}\n{name} = {value}\n", key.doc),
        None => write!(
            text,
            "\n# {}\n# {name} = {}\n",
            key.doc,
            key.fallback.text()
        ),
    };
}

fn values(plan: &Plan, secret_file: Option<&Path>) -> BTreeMap<&'static str, toml::Value> {
    let mut values = BTreeMap::from([
        ("upstream.url", plan.api.url.clone().into()),
        ("token.client_id", plan.client_id.clone().into()),
        ("token.client_secret", source(&plan.credential, secret_file)),
    ]);
    if let Some(header) = plan.api.xsrf_header() {
        values.insert("upstream.headers", table("X-XSRF-Header", header.into()));
    }
    for (key, value) in plan.token.settings() {
        values.insert(key, value.into());
    }
    if plan.auth != Auth::Basic {
        values.insert("token.auth", plan.auth.name().into());
    }
    if let Some(scope) = &plan.scope {
        values.insert("token.scope", scope.clone().into());
    }
    if let Some(listen) = &plan.listen {
        values.insert("listen", listen.clone().into());
    }
    if plan.read_only {
        values.insert("guard.read_only", true.into());
    }
    values
}

fn source(credential: &Credential, secret_file: Option<&Path>) -> toml::Value {
    let file = |path: &Path| table("file", path.to_string_lossy().into_owned().into());
    match (credential, secret_file) {
        (Credential::File(path), _) => file(path),
        (Credential::Command(words), _) => table("command", words.clone().into()),
        (Credential::Keyring(entry, _), _) => table("keyring", entry.to_string().into()),
        (Credential::Typed(_), path) => file(path.unwrap_or(Path::new("client_secret"))),
    }
}

fn table(name: &str, value: toml::Value) -> toml::Value {
    toml::Value::Table(toml::Table::from_iter([(name.to_owned(), value)]))
}
