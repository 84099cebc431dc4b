//! Writes the configuration as text, with the description of each key as a comment above it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::answers::{NewClient, NewConfig, SecretAuthMethod, SecretLocation};
use crate::config::keys::{KEYS, KeyInfo};

/// Keys that users often need next. They are written as comments.
const SUGGESTED: [&str; 6] = [
    "listen",
    "network.proxy",
    "network.ca_file",
    "token.scope",
    "guard.read_only",
    "log.access",
];

const HEAD: &str = "\
# Written by `cupbearer init`. Lines such as `# key = value` show a default or an example.
# `cupbearer check` shows every key and its effective value; `cupbearer doctor` tries the configuration.
";

/// The whole file. `secret_file` is the path of a secret that is stored in a new file.
pub(super) fn text(config: &NewConfig, secret_file: Option<&Path>) -> String {
    let values = values(config, secret_file);
    let mut text = HEAD.to_owned();
    let mut current = "";
    for key in &KEYS {
        let value = values.get(key.path);
        let is_of_client = key.path == "token.scope" && config.client.is_none();
        if value.is_none() && (!SUGGESTED.contains(&key.path) || is_of_client) {
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

fn write_key(text: &mut String, key: &KeyInfo, name: &str, value: Option<&toml::Value>) {
    let _infallible = match value {
        Some(value) => write!(text, "\n# {}\n{name} = {value}\n", key.help),
        None => write!(
            text,
            "\n# {}\n# {name} = {}\n",
            key.help,
            key.fallback.text()
        ),
    };
}

fn values(config: &NewConfig, secret_file: Option<&Path>) -> BTreeMap<&'static str, toml::Value> {
    let mut values = BTreeMap::from([("upstream.url", config.api.url.clone().into())]);
    let secret = secret_source(&config.secret, secret_file);
    match &config.client {
        Some(client) => values.extend(client_values(client, &config.secret, secret)),
        None => drop(values.insert("token.source", secret)),
    }
    if let Some(header) = config.api.xsrf_header() {
        values.insert("upstream.headers", table("X-XSRF-Header", header.into()));
    }
    if let Some(listen) = &config.listen {
        values.insert("listen", listen.clone().into());
    }
    if config.read_only {
        values.insert("guard.read_only", true.into());
    }
    values
}

fn client_values(
    client: &NewClient,
    location: &SecretLocation,
    secret: toml::Value,
) -> BTreeMap<&'static str, toml::Value> {
    let mut values = BTreeMap::from([("token.client_id", client.id.clone().into())]);
    for (key, value) in client.token.settings() {
        values.insert(key, value.into());
    }
    if matches!(location, SecretLocation::Assertion(_)) {
        values.insert("token.auth", "client_assertion".into());
        values.insert("token.client_assertion", secret);
    } else {
        values.insert("token.client_secret", secret);
        if client.auth != SecretAuthMethod::Basic {
            values.insert("token.auth", client.auth.name().into());
        }
    }
    if let Some(scope) = &client.scope {
        values.insert("token.scope", scope.clone().into());
    }
    values
}

fn secret_source(location: &SecretLocation, secret_file: Option<&Path>) -> toml::Value {
    let file = |path: &Path| table("file", path.to_string_lossy().into_owned().into());
    match (location, secret_file) {
        (SecretLocation::File(path) | SecretLocation::Assertion(path), _) => file(path),
        (SecretLocation::Command(words), _) => table("command", words.clone().into()),
        (SecretLocation::Keyring(entry, _), _) => table("keyring", entry.to_string().into()),
        (SecretLocation::NewFile(_), path) => file(path.unwrap_or(Path::new("client_secret"))),
    }
}

fn table(name: &str, value: toml::Value) -> toml::Value {
    toml::Value::Table(toml::Table::from_iter([(name.to_owned(), value)]))
}
