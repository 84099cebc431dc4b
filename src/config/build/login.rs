//! `token.grant = "authorization_code"` and `"device_code"`: how a person signs in at the authorization server.

use url::Url;

use super::token_endpoint::{NamedEndpoint, encrypted};
use crate::config::address::{self, Origin};
use crate::config::keys::{self, Key};
use crate::config::login::{DEVICE_URL_KEY, LoginConfig, REVOCATION_URL_KEY, redirect_url};
use crate::config::login_store::LoginStore;
use crate::config::token::{Endpoint, GrantName};
use crate::config::values::Values;

const REDIRECT_URL: &str = keys::TOKEN_REDIRECT_URL.path();
const AUTHORIZATION_URL: &str = keys::TOKEN_AUTHORIZATION_URL.path();

/// Whether a person signs in at the authorization server.
pub(super) fn is_chosen(values: &Values) -> bool {
    let grant = keys::TOKEN_GRANT.path();
    values.is_text(grant, "authorization_code") || values.is_text(grant, "device_code")
}

/// How a person signs in for the API at `upstream`.
pub(super) fn login(
    values: &mut Values,
    named: Option<&NamedEndpoint>,
    upstream: Option<&Origin>,
) -> Option<LoginConfig> {
    let is_device_only = values.is_text(keys::TOKEN_GRANT.path(), "device_code");
    let redirect = values.read(&keys::TOKEN_REDIRECT_URL);
    let redirect = redirect.and_then(|text| values.checked(REDIRECT_URL, redirect_url(&text)));
    let authorization_url = optional(values, &keys::TOKEN_AUTHORIZATION_URL);
    let device_url = optional(values, &keys::TOKEN_DEVICE_URL);
    let revocation_url = optional(values, &keys::TOKEN_REVOCATION_URL);
    let store = if values.is_set(keys::TOKEN_STORE.path()) {
        values.read(&keys::TOKEN_STORE)
    } else {
        Some(LoginStore::Automatic)
    };
    let issuer = match &named?.endpoint {
        Endpoint::Issuer { issuer, .. } => Some(issuer.clone()),
        Endpoint::Url(_) => None,
    };
    let (authorization_url, device_url) = (authorization_url.ok()?, device_url.ok()?);
    let (needed, path) = if is_device_only {
        (&device_url, DEVICE_URL_KEY)
    } else {
        (&authorization_url, AUTHORIZATION_URL)
    };
    if issuer.is_none() && needed.is_none() {
        let problem = (
            "is not set, and token.url alone does not say where a person signs in",
            "set it, or write token.issuer instead of token.url",
        );
        values.reject(path, problem);
        return None;
    }
    Some(LoginConfig {
        is_device_only,
        device_url,
        redirect_url: redirect?,
        authorization_url,
        revocation_url: revocation_url.ok()?,
        store: store?,
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
    let of_browser = [REDIRECT_URL, AUTHORIZATION_URL];
    let of_both = [DEVICE_URL_KEY, REVOCATION_URL_KEY, keys::TOKEN_STORE.path()];
    let unused: Vec<&str> = match grant {
        GrantName::AuthorizationCode => return,
        GrantName::DeviceCode => of_browser.to_vec(),
        GrantName::ClientCredentials
        | GrantName::JwtBearer
        | GrantName::TokenExchange
        | GrantName::Paste => of_browser.into_iter().chain(of_both).collect(),
    };
    for path in unused {
        if values.is_set(path) {
            values.warn(format!("{path} is set, but token.grant does not use it"));
        }
    }
}
