//! Writes the configuration as text, with the description of each key as a comment above it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::answers::NewConfig;
use super::files;
use super::identity::{
    ClientAuthMethod, ClientProof, NewClient, NewGrant, NewIdentity, NewSource, NewTokenField,
    SecretLocation, SignInDevice,
};
use crate::config::keys::{KEYS, KeyInfo, on_system};

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

/// The name of the caller whose key is created. Everyone who has the key is this caller.
const CALLER: &str = "me";

/// The whole file, as it will be at `path`, beside which new files have the secrets.
pub(super) fn text(config: &NewConfig, path: &Path) -> String {
    let values = values(config, &files::secret_path(path));
    let mut text = HEAD.to_owned();
    let mut current = "";
    for key in &KEYS {
        let value = values.get(key.path);
        let is_of_client =
            key.path == "token.scope" && matches!(config.identity, NewIdentity::Source(_));
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
    if config.caller_key {
        let key = file(&files::caller_key_path(path));
        let _infallible = write!(
            text,
            "\n[guard.callers.{CALLER}]\n# Every request must have this key. `#` before a key in the file revokes it.\nkey = {key}\n"
        );
    }
    text
}

fn write_key(text: &mut String, key: &KeyInfo, name: &str, value: Option<&toml::Value>) {
    let help = on_system(key.help, cfg!(unix));
    let _infallible = match value {
        Some(value) => write!(text, "\n# {help}\n{name} = {value}\n"),
        None => write!(text, "\n# {help}\n# {name} = {}\n", key.fallback.example()),
    };
}

fn values(config: &NewConfig, secret_file: &Path) -> BTreeMap<&'static str, toml::Value> {
    let mut values = BTreeMap::from([("upstream.url", config.api.url.clone().into())]);
    match &config.identity {
        NewIdentity::Client(client) => values.extend(client_values(client, secret_file)),
        NewIdentity::Source(NewSource::Person { login_url }) => {
            values.insert("token.grant", "paste".into());
            values.extend(login_url.clone().map(|url| ("token.login_url", url.into())));
        }
        NewIdentity::Source(source) => drop(values.insert("token.source", source_value(source))),
    }
    values.extend(field_values(&config.field));
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

fn field_values(field: &NewTokenField) -> impl Iterator<Item = (&'static str, toml::Value)> {
    let text = |text: &Option<String>| text.clone().map(toml::Value::from);
    let keeps_authorization = field.keeps_authorization.then_some(true.into());
    [
        ("token.header", text(&field.header)),
        ("token.prefix", text(&field.prefix)),
        ("token.keep_authorization", keeps_authorization),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
}

fn client_values(client: &NewClient, secret_file: &Path) -> BTreeMap<&'static str, toml::Value> {
    let mut values = BTreeMap::new();
    for (key, value) in client.token.settings() {
        values.insert(key, value.into());
    }
    if let Some(id) = &client.id {
        values.insert("token.client_id", id.clone().into());
    }
    values.extend(proof_values(&client.proof, secret_file));
    if let ClientProof::Assertion {
        kind: Some(kind), ..
    } = &client.proof
    {
        values.insert("token.client_assertion_type", kind.clone().into());
    }
    values.extend(grant_values(&client.grant));
    if let Some(scope) = &client.scope {
        values.insert("token.scope", scope.clone().into());
    }
    if !client.params.is_empty() {
        values.insert("token.params", map(&client.params));
    }
    values
}

fn proof_values(proof: &ClientProof, secret_file: &Path) -> Vec<(&'static str, toml::Value)> {
    let (key, source, method) = match proof {
        ClientProof::Secret(method, location) => (
            "token.client_secret",
            secret_source(location, secret_file),
            *method,
        ),
        ClientProof::PrivateKey(path) => (
            "token.private_key",
            file(path),
            ClientAuthMethod::PrivateKeyJwt,
        ),
        ClientProof::Assertion { file: path, .. } => (
            "token.client_assertion",
            file(path),
            ClientAuthMethod::ClientAssertion,
        ),
        ClientProof::Nothing => {
            return vec![("token.auth", ClientAuthMethod::None.name().into())];
        }
    };
    let is_default = method == ClientAuthMethod::Basic;
    let auth = (!is_default).then(|| ("token.auth", method.name().into()));
    std::iter::once((key, source)).chain(auth).collect()
}

fn grant_values(grant: &NewGrant) -> Vec<(&'static str, toml::Value)> {
    match grant {
        NewGrant::ClientCredentials => Vec::new(),
        NewGrant::SignIn { device, endpoint } => {
            let (grant, key) = match device {
                SignInDevice::This => ("authorization_code", "token.authorization_url"),
                SignInDevice::Another => ("device_code", "token.device_url"),
            };
            let url = endpoint.clone().map(|url| (key, url.into()));
            let grant = ("token.grant", grant.into());
            std::iter::once(grant).chain(url).collect()
        }
        NewGrant::Assertion(path) => {
            vec![
                ("token.grant", "jwt_bearer".into()),
                ("token.assertion", file(path)),
            ]
        }
        NewGrant::Signed { key, claims } => {
            let claims = (!claims.is_empty()).then(|| ("token.claims", map(claims)));
            let fixed = [
                ("token.grant", "jwt_bearer".into()),
                ("token.private_key", file(key)),
            ];
            fixed.into_iter().chain(claims).collect()
        }
        NewGrant::Exchange { subject, actor } => {
            let mut values = vec![
                ("token.grant", "token_exchange".into()),
                ("token.subject_token", file(&subject.file)),
                ("token.subject_token_type", subject.kind.clone().into()),
            ];
            if let Some(actor) = actor {
                values.push(("token.actor_token", file(&actor.file)));
                values.push(("token.actor_token_type", actor.kind.clone().into()));
            }
            values
        }
    }
}

fn source_value(source: &NewSource) -> toml::Value {
    match source {
        NewSource::Command(words) => table("command", words.clone().into()),
        NewSource::File(path) => file(path),
        // A grant, which `values` writes.
        NewSource::Person { .. } => toml::Value::Table(toml::Table::new()),
        NewSource::Http { url, headers } => {
            let headers = (!headers.is_empty()).then(|| ("headers".to_owned(), map(headers)));
            let url = ("http".to_owned(), url.clone().into());
            toml::Value::Table(std::iter::once(url).chain(headers).collect())
        }
    }
}

fn secret_source(location: &SecretLocation, secret_file: &Path) -> toml::Value {
    match location {
        SecretLocation::File(path) => file(path),
        SecretLocation::Command(words) => table("command", words.clone().into()),
        SecretLocation::Keyring(entry, _) => table("keyring", entry.to_string().into()),
        SecretLocation::NewFile(_) => file(secret_file),
    }
}

/// The paths have been checked to be UTF-8.
fn file(path: &Path) -> toml::Value {
    table("file", path.to_string_lossy().into_owned().into())
}

fn table(name: &str, value: toml::Value) -> toml::Value {
    toml::Value::Table(toml::Table::from_iter([(name.to_owned(), value)]))
}

fn map(pairs: &[(String, String)]) -> toml::Value {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()));
    toml::Value::Table(pairs.collect())
}
