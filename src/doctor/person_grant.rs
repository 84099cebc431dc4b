//! Whether the authorization server can sign a person in, as far as its metadata says so.

use serde_json::{Map, Value};

use super::finding::{FailureKind, Finding};
use crate::config::LoginConfig;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What speaks against it, if anything does.
pub(super) fn judge(login: &LoginConfig, metadata: &Map<String, Value>) -> Option<Finding> {
    let (grant, endpoint, configured, key) = if login.is_device_only {
        let configured = login.device_url.is_some();
        let endpoint = "device_authorization_endpoint";
        (DEVICE_CODE, endpoint, configured, "token.device_url")
    } else {
        let configured = login.authorization_url.is_some();
        let endpoint = "authorization_endpoint";
        (
            "authorization_code",
            endpoint,
            configured,
            "token.authorization_url",
        )
    };
    let failed = |message: String| Finding::failed(FailureKind::Other, message);
    if offers(metadata, "grant_types_supported", grant) == Some(false) {
        let message =
            format!("the server does not offer the grant {grant} (grant_types_supported)");
        return Some(failed(message).remedy("set token.grant to one that the server offers"));
    }
    if !configured && metadata.get(endpoint).is_none_or(|url| !url.is_string()) {
        let message = format!("the server's metadata names no {endpoint}");
        return Some(failed(message).remedy(format!(
            "set {key} if the server has one, or set token.grant to another one"
        )));
    }
    if login.is_device_only {
        return None;
    }
    match offers(metadata, "code_challenge_methods_supported", "S256") {
        Some(true) => None,
        Some(false) => Some(
            failed("the server does not support PKCE with S256".to_owned()).remedy(
                "no sign-in begins there: have S256 enabled, or choose another token.grant",
            ),
        ),
        None => Some(
            Finding::note("the server does not say whether it supports PKCE with S256".to_owned())
                .remedy("make sure that the client requires PKCE with S256"),
        ),
    }
}

/// Whether a list in the metadata contains a word. `None` if there is no such list.
fn offers(metadata: &Map<String, Value>, list: &str, word: &str) -> Option<bool> {
    let words = metadata.get(list)?.as_array()?;
    Some(words.iter().any(|one| one.as_str() == Some(word)))
}

#[cfg(test)]
mod tests;
