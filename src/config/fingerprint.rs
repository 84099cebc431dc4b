//! What identifies the proxy of a configuration, as far as it can be read: enough to recognize it among running
//! ones.

use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use super::address;
use super::content::Content;
use super::inputs::{Overrides, Surroundings};
use super::keys::{self, Key, Scope};
use super::layers::Layers;
use super::listen::{self, Listen};
use super::sources;
use super::token::TokenOrigin;
use super::types::Config;

/// A digest that identifies a proxy: its name, its API, the client that it acts as, and its guard. It contains
/// neither a secret nor where one is kept, and is comparable only within one version of cupbearer.
#[must_use]
pub fn running_fingerprint(config: &Config) -> String {
    let callers = config.guard.callers.iter();
    let callers = callers.map(|caller| {
        (
            &caller.name,
            caller.key.is_some(),
            &caller.san,
            caller.uid,
            &caller.rails,
        )
    });
    let guard = &config.guard;
    let identity = match &config.token.origin {
        TokenOrigin::Grant(grant) => format!(
            "{:?}",
            (
                grant.endpoint.as_str(),
                &grant.client_id,
                grant.auth,
                &grant.scope,
                &grant.params,
                &grant.field,
            )
        ),
        TokenOrigin::Source(source) => {
            format!("{:?}", (source.place.to_string(), &source.field))
        }
        TokenOrigin::SignIn(sign_in) => format!("{sign_in:?}"),
    };
    let rules = (
        &guard.hosts,
        &guard.origins,
        &guard.local_users,
        &guard.rails,
        guard.is_network_open,
        callers.collect::<Vec<_>>(),
    );
    digest(&(&config.name, &config.upstream.url, identity, rules))
}

fn digest(identity: &impl fmt::Debug) -> String {
    let text = format!("{identity:?}");
    let digest = BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
    format!("{digest:016x}")
}

/// What identifies one proxy.
#[derive(Debug, Clone, Default)]
pub struct ProxyFingerprint {
    /// Where it was read, in words: a file or the environment; or which file could not be read, and why.
    pub named: String,
    /// Whether the file could not be read, so that nothing below is known of it.
    pub is_unreadable: bool,
    /// Whether one of these values is set and cannot be used. No running proxy has it.
    pub is_invalid: bool,
    /// Whether nothing is configured, except perhaps keys of the process: this describes every proxy.
    pub is_unconfigured: bool,
    /// `name`.
    pub name: Option<String>,
    /// `upstream.url`: scheme, host and port.
    pub upstream: Option<String>,
    /// `listen`.
    pub listen: Option<Listen>,
}

impl ProxyFingerprint {
    /// A digest of what it says, without its source. Comparable only within one version of cupbearer.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&(&self.name, &self.upstream, &self.listen))
    }
}

/// Reads the fingerprint from all layers.
#[must_use]
pub fn fingerprint(overrides: &Overrides, surroundings: &Surroundings) -> ProxyFingerprint {
    let layers = sources::read(overrides, surroundings);
    let is_unconfigured = is_unconfigured(&layers);
    let mut values = IdentifyingValues {
        has_defaults: !layers.incomplete && !is_unconfigured,
        layers: &layers,
        is_invalid: false,
    };
    let name = values.read(&keys::NAME, |text| Some(text.to_owned()));
    let upstream = values.read(&keys::UPSTREAM_URL, |text| {
        let origin = address::origin(text, true).ok()?;
        Some(format!("{}://{}", origin.scheme, origin.authority))
    });
    let listen = values.read(&keys::LISTEN, |text| listen::listen(text).ok());
    let is_invalid = values.is_invalid;
    let named = match (&layers.unreadable, &layers.file) {
        (Some(one), _) => format!("{}, which {}", one.key, one.problem),
        (None, Some(file)) => file.display().to_string(),
        (None, None) => "this environment".to_owned(),
    };
    ProxyFingerprint {
        named,
        is_unreadable: layers.incomplete,
        is_invalid,
        is_unconfigured,
        name,
        upstream,
        listen,
    }
}

/// Reads values of keys that identify a proxy, and notes whether one cannot be used.
struct IdentifyingValues<'a> {
    layers: &'a Layers,
    /// Whether a key that is not set has its default.
    has_defaults: bool,
    is_invalid: bool,
}

impl IdentifyingValues<'_> {
    fn read<T>(&mut self, key: &Key<String>, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = match self.layers.values.get(key.path()) {
            Some(set) => match &set.content {
                Content::Toml(value) => Some(value.clone()),
                Content::Secret(_) | Content::Invalid => None,
            },
            None => Some(key.info.default().filter(|_| self.has_defaults)?),
        };
        let read = value.and_then(|value| parse(value.as_str()?));
        self.is_invalid |= read.is_none();
        read
    }
}

/// Whether there is no file, and only keys of the process are set.
fn is_unconfigured(layers: &Layers) -> bool {
    let is_of_process =
        |path: &String| keys::find(path).is_some_and(|key| key.scope == Scope::Process);
    layers.file.is_none() && !layers.incomplete && layers.values.keys().all(is_of_process)
}

#[cfg(test)]
mod tests;
