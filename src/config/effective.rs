//! The effective configuration as `check` shows it: every key, its value and where that was set.
//!
//! Of a secret only its source is shown.

use std::fmt::Write as _;

use serde::Serialize;

use super::address::shown_url;
use super::content::Content;
use super::keys::{self, CALLER_KEYS, KEYS, KeyInfo, ValueKind, caller_path};
use super::layers::Layers;
use super::network::{self, ProxyUrl};
use super::token::{ClientAuth, GrantConfig};
use super::types::Config;
use crate::text::{Unprintable, sanitize_lines};

/// One key as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveValue {
    /// The key's path.
    pub key: String,
    /// Its value as TOML, `(set)` for a secret, `(unset)` for nothing.
    pub value: String,
    /// `default`, `cupbearer.toml:3`, a variable or a flag.
    pub source: String,
    /// Where a secret is: `file /run/secrets/x`; for `network.proxy`, which proxies result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// Every key in the table's order, those of callers after the guard's other ones.
pub(crate) fn effective_values(layers: &Layers, config: &Config) -> Vec<EffectiveValue> {
    let of_guard = |key: &&KeyInfo| key.path.starts_with("guard.");
    let rest = KEYS.iter().skip_while(|key| !of_guard(key));
    let (after, row) = (rest.skip_while(of_guard), |key: &KeyInfo| {
        row(layers, key, key.path.to_owned())
    });
    let until = KEYS.len() - after.clone().count();
    let of_callers = layers.callers.keys().flat_map(|caller| {
        let keys = CALLER_KEYS.iter();
        keys.map(|key| self::row(layers, key, caller_path(caller, key.path)))
    });
    let before = KEYS[..until].iter().map(row);
    let mut rows: Vec<EffectiveValue> = before.chain(of_callers).chain(after.map(row)).collect();
    let proxy = rows
        .iter_mut()
        .find(|row| row.key == keys::NETWORK_PROXY.path());
    if let Some(row) = proxy {
        row.place = proxies(config);
    }
    let auth = rows
        .iter_mut()
        .find(|row| row.key == keys::TOKEN_AUTH.path());
    if let Some(row) = auth {
        // This default depends on other keys.
        let is_none = |grant: &GrantConfig| grant.auth == ClientAuth::None;
        if config.token.grant().is_some_and(is_none) {
            row.value = toml::Value::from("none").to_string();
        }
    }
    rows
}

/// How both targets are reached; `None` if both are reached directly.
fn proxies(config: &Config) -> Option<String> {
    let upstream = config.upstream.proxy.clone();
    let token = config.token.server();
    let token = token.and_then(|(url, _)| config.network.proxy.for_url(&url));
    if upstream.is_none() && token.is_none() {
        return None;
    }
    let way = |proxy: Option<ProxyUrl>| {
        proxy.map_or_else(|| "directly".to_owned(), |proxy| format!("through {proxy}"))
    };
    Some(format!(
        "the API {}, the token endpoint {}",
        way(upstream),
        way(token)
    ))
}

fn row(layers: &Layers, key: &KeyInfo, path: String) -> EffectiveValue {
    let set = layers.values.get(&path);
    let (value, place) = match set.map(|set| &set.content) {
        Some(Content::Toml(toml::Value::String(text))) if key.kind == ValueKind::Proxy => {
            (toml::Value::from(network::shown(text)).to_string(), None)
        }
        Some(Content::Toml(toml::Value::String(text)))
            if key.path == keys::TOKEN_URL.path()
                || key.path == keys::TOKEN_REVOCATION_URL.path() =>
        {
            (toml::Value::from(shown_url(text)).to_string(), None)
        }
        Some(Content::Toml(value)) if key.kind == ValueKind::TokenSource => {
            let table = keys::TOKEN_SOURCE.parse(value).ok();
            ("(set)".to_owned(), table.map(|table| table.describe()))
        }
        Some(Content::Toml(value)) => (value.to_string(), None),
        Some(Content::Secret(secret)) => ("(set)".to_owned(), Some(secret.describe())),
        Some(Content::Invalid) => ("(invalid)".to_owned(), None),
        None => (
            key.default()
                .map_or_else(|| "(unset)".to_owned(), |value| value.to_string()),
            None,
        ),
    };
    EffectiveValue {
        key: path,
        value,
        source: set.map_or_else(|| "default".to_owned(), |set| set.source.to_string()),
        place,
    }
}

/// The rows in three columns, one line each.
#[must_use]
pub fn effective_table(rows: &[EffectiveValue]) -> String {
    const WIDEST: usize = 60;
    let width = |column: fn(&EffectiveValue) -> &str| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (key, value) = (width(|row| &row.key), width(|row| &row.value));
    let text = rows.iter().fold(String::new(), |mut text, row| {
        let _infallible = write!(
            text,
            "{:key$}  {:value$}  {}",
            row.key, row.value, row.source
        );
        if let Some(place) = &row.place {
            let _infallible = write!(text, ", {place}");
        }
        text + "\n"
    });
    // The names of files may contain anything.
    sanitize_lines(&text, Unprintable::Mark) + "\n"
}
