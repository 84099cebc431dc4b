//! `token.grant = "paste"` and `token.login_url`, and what this grant needs of the other tables.

use super::token_field::token_field;
use crate::config::address::Origin;
use crate::config::guard::GuardConfig;
use crate::config::keys::{self, KEYS};
use crate::config::listen::Listen;
use crate::config::sign_in::{LoginSharing, SignInConfig, login_url};
use crate::config::types::AdminConfig;
use crate::config::values::Values;
use crate::vendor::advanced_services;

const LOGIN_URL: &str = keys::TOKEN_LOGIN_URL.path();
const SHARE: &str = keys::GUARD_SHARE_LOGIN.path();

/// The keys of `token` that apply to a token that a person hands over.
const COMMON: [&str; 6] = [
    "token.grant",
    LOGIN_URL,
    "token.header",
    "token.keep_authorization",
    "token.prefix",
    "token.wait",
];

/// Whether a person hands over the tokens.
pub(super) fn is_chosen(values: &Values) -> bool {
    values.is_text(keys::TOKEN_GRANT.path(), "paste")
}

/// How a person hands over tokens for the API at `upstream`.
pub(super) fn sign_in(values: &mut Values, upstream: Option<&Origin>) -> Option<SignInConfig> {
    warn_of_unused(values);
    let field = token_field(values);
    let configured = match values.read(&keys::TOKEN_LOGIN_URL) {
        Some(text) => Some(values.checked(LOGIN_URL, login_url(&text))?),
        None => None,
    };
    let known = || advanced_services::login_url(upstream?.authority.host());
    let known = || url::Url::parse(&known()?).ok();
    Some(SignInConfig {
        login_url: configured.or_else(known),
        api: upstream.cloned(),
        field: field?,
    })
}

fn warn_of_unused(values: &mut Values) {
    let others = KEYS.iter().map(|key| key.path);
    let others = others.filter(|path| path.starts_with("token.") && !COMMON.contains(path));
    for path in others.collect::<Vec<_>>() {
        if values.is_set(path) {
            values.warn(format!(
                "{path} is set, but token.grant = \"paste\" does not use it"
            ));
        }
    }
}

/// Another grant has no use for it.
pub(super) fn warn_of_login_url(values: &mut Values) {
    if values.is_set(LOGIN_URL) {
        values.warn(format!(
            "{LOGIN_URL} is set, but token.grant does not use it"
        ));
    }
}

/// The sign-in reaches the proxy by its admin listener only. A session in `token.store` needs none.
pub(super) fn warn_of_no_listener(values: &mut Values, admin: Option<&AdminConfig>) {
    if admin.is_some_and(|admin| admin.listen.is_empty()) {
        let path = keys::ADMIN_LISTEN.path();
        values.warn(format!(
            "{path} is \"off\", so nobody can sign in to this proxy: set it to an address such as \"localhost:6750\""
        ));
    }
}

/// A person's token serves only that person, unless `guard.share_login` is set: whoever else may connect would act as
/// that person.
pub(super) fn reject_sharing(
    values: &mut Values,
    listen: Option<&Listen>,
    guard: Option<&GuardConfig>,
) {
    let (Some(listen), Some(guard)) = (listen, guard) else {
        return;
    };
    let (path, problem, remedy) = match LoginSharing::of(listen, guard) {
        None => return,
        Some(LoginSharing::SocketMode(mode)) => (
            keys::LISTEN_MODE.path(),
            format!(
                "is \"{mode:04o}\", so others could connect and act as the person who signs in"
            ),
            "write \"0600\"",
        ),
        Some(LoginSharing::Network) => (
            keys::LISTEN.path(),
            "is not loopback, so others could connect and act as the person who signs in"
                .to_owned(),
            "write listen = \"localhost:6749\"",
        ),
        Some(LoginSharing::LocalUsers) => (
            keys::GUARD_LOCAL_USERS.path(),
            "admits other users, who would act as the person who signs in".to_owned(),
            "write guard.local_users = \"same\"",
        ),
    };
    let remedy = format!(
        "{remedy}; or, if everyone who may connect may act as that person, set {SHARE} = true"
    );
    values.reject(path, (problem, remedy));
}
