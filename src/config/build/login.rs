//! `token.grant = "authorization_code"`: how a person signs in with a browser.

use url::Url;

use super::token_endpoint::{NamedEndpoint, encrypted};
use crate::config::address::{self, Origin};
use crate::config::keys::{self, Key};
use crate::config::login::{LoginConfig, redirect_url};
use crate::config::token::{Endpoint, GrantName};
use crate::config::values::Values;

const REDIRECT_URL: &str = keys::TOKEN_REDIRECT_URL.path();
const AUTHORIZATION_URL: &str = keys::TOKEN_AUTHORIZATION_URL.path();

/// Whether a person signs in with a browser.
pub(super) fn is_chosen(values: &Values) -> bool {
    values.is_text(keys::TOKEN_GRANT.path(), "authorization_code")
}

/// How a person signs in for the API at `upstream`.
pub(super) fn login(
    values: &mut Values,
    named: Option<&NamedEndpoint>,
    upstream: Option<&Origin>,
) -> Option<LoginConfig> {
    let redirect = values.read(&keys::TOKEN_REDIRECT_URL);
    let redirect = redirect.and_then(|text| values.checked(REDIRECT_URL, redirect_url(&text)));
    let authorization_url = optional(values, &keys::TOKEN_AUTHORIZATION_URL);
    let revocation_url = optional(values, &keys::TOKEN_REVOCATION_URL);
    let issuer = match &named?.endpoint {
        Endpoint::Issuer { issuer, .. } => Some(issuer.clone()),
        Endpoint::Url(_) => None,
    };
    let authorization_url = authorization_url.ok()?;
    if issuer.is_none() && authorization_url.is_none() {
        let problem = (
            "is not set, and token.url alone does not say where a person signs in",
            "set it, or write token.issuer instead of token.url",
        );
        values.reject(AUTHORIZATION_URL, problem);
        return None;
    }
    Some(LoginConfig {
        redirect_url: redirect?,
        authorization_url,
        revocation_url: revocation_url.ok()?,
        issuer,
        api: upstream.cloned(),
    })
}

/// A problem has been reported.
struct UnusableUrl;

fn optional(values: &mut Values, key: &Key<String>) -> Result<Option<Url>, UnusableUrl> {
    if !values.is_set(key.path()) {
        return Ok(None);
    }
    let (url, _) = encrypted(values, key, address::endpoint).ok_or(UnusableUrl)?;
    Ok(Some(url))
}

/// Another grant has no use for these keys.
pub(super) fn warn_of_unused(values: &mut Values, grant: GrantName) {
    if grant == GrantName::AuthorizationCode {
        return;
    }
    for path in [
        REDIRECT_URL,
        AUTHORIZATION_URL,
        keys::TOKEN_REVOCATION_URL.path(),
    ] {
        if values.is_set(path) {
            values.warn(format!("{path} is set, but token.grant does not use it"));
        }
    }
}
