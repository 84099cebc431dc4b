//! `token.grant = "paste"` as types: access tokens that a person hands over.

use serde_json::{Map, Value};
use url::Url;

use super::address::{Origin, is_loopback};
use super::guard::{GuardConfig, LocalUsers};
use super::listen::Listen;
use super::problems::InvalidValue;
use super::token_field::TokenField;
use crate::text::quoted;
use crate::vendor::advanced_services::{environment_of_host, matching_roles, roles_in_groups};
use crate::vendor::pingone::managed_api;

/// How a person hands over access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInConfig {
    /// `token.login_url`, or what is known for this API: where a person signs in and copies a token.
    pub login_url: Option<Url>,
    /// `upstream.url`: the API that the tokens are for.
    pub api: Option<Origin>,
    /// How a request to the API carries the token.
    pub field: TokenField,
}

impl SignInConfig {
    /// Whether a token that was handed over under `other` serves here too: for the same API, in the same header field.
    #[must_use]
    pub fn takes_tokens_of(&self, other: &Self) -> bool {
        self.api == other.api
            && self.field.name == other.field.name
            && self.field.prefix == other.field.prefix
    }
}

/// What speaks against a token with these claims for this API: never enough to reject it, since only the API decides.
#[must_use]
pub fn role_doubts(api: Option<&Origin>, claims: &Map<String, Value>) -> Vec<String> {
    let host = api.map_or("", |api| api.authority.host());
    let (Some(api), Some(environment)) = (managed_api(host), environment_of_host(host)) else {
        return Vec::new();
    };
    match roles_in_groups(claims.get("groups")) {
        Err((problem, _)) => vec![problem],
        Ok(roles) if matching_roles(&roles, api, environment).is_empty() => {
            let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
            vec![format!(
                "the API is of the environment {environment}, but the token has no role there (its roles: {}): it may be a \
                 token of another environment",
                roles.join(", ")
            )]
        }
        Ok(_) => Vec::new(),
    }
}

/// By what others could use the token of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginSharing {
    /// A listener that is not loopback.
    Network,
    /// A unix socket with this mode.
    SocketMode(u32),
    /// Other users of this machine are admitted.
    LocalUsers,
}

impl LoginSharing {
    /// By what others could use a person's token on this listener; `None` if they cannot, or may.
    #[must_use]
    pub fn of(listen: &Listen, guard: &GuardConfig) -> Option<Self> {
        if guard.share_login {
            return None;
        }
        match listen {
            Listen::Unix { mode, .. } if mode & 0o177 != 0 => Some(Self::SocketMode(*mode)),
            Listen::Localhost(_) | Listen::Tcp(_) if !listen.is_local() => Some(Self::Network),
            Listen::Unix { .. } | Listen::Localhost(_) | Listen::Tcp(_) => {
                let admits_others = guard.local_users != LocalUsers::Same;
                (cfg!(target_os = "linux") && admits_others).then_some(Self::LocalUsers)
            }
        }
    }
}

/// `token.login_url`: https, or http on loopback, since a person enters a password there.
pub(crate) fn login_url(text: &str) -> Result<Url, InvalidValue> {
    let invalid = |problem: &str, remedy: &str| {
        Err((format!("{} {problem}", quoted(text)), remedy.to_owned()).into())
    };
    let remedy = "write the whole address of the page on which a person signs in, such as \
                  https://self-service-api.dev-example.eu1.ping.cloud/api/v1/auth/login/self-service";
    let Ok(url) = Url::parse(text.trim()) else {
        return invalid("is not a URL", remedy);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("contains a user name or password", "remove them");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => invalid("is not encrypted", "write https"),
        _ => invalid("is not an https address", remedy),
    }
}
