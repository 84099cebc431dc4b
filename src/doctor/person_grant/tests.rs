use serde_json::json;
use url::Url;

use super::*;
use crate::config::LoginStore;
use crate::doctor::finding::Outcome;

fn login(is_device_only: bool) -> LoginConfig {
    LoginConfig {
        is_device_only,
        redirect_url: Url::parse("http://127.0.0.1:6753/callback").unwrap(),
        authorization_url: None,
        device_url: None,
        revocation_url: None,
        store: LoginStore::Memory,
        issuer: Some("https://as.example.com".to_owned()),
        api: None,
    }
}

/// Whether the check fails, or `None` without a finding.
fn fails(login: &LoginConfig, metadata: &Value) -> Option<bool> {
    let finding = judge(login, metadata.as_object().unwrap())?;
    Some(matches!(finding.outcome, Outcome::Failed(_)))
}

#[test]
fn a_server_must_offer_the_grant_its_endpoint_and_pkce_with_s256() {
    let endpoint = "https://as.example.com/authorize";
    let s256 = json!(["plain", "S256"]);
    for (metadata, expected) in [
        (
            json!({ "authorization_endpoint": endpoint, "code_challenge_methods_supported": s256 }),
            None,
        ),
        (
            json!({ "authorization_endpoint": endpoint, "code_challenge_methods_supported": ["plain"] }),
            Some(true),
        ),
        (json!({ "authorization_endpoint": endpoint }), Some(false)),
        (
            json!({ "code_challenge_methods_supported": s256 }),
            Some(true),
        ),
        (
            json!({ "authorization_endpoint": endpoint, "code_challenge_methods_supported": s256, "grant_types_supported": ["implicit"] }),
            Some(true),
        ),
    ] {
        assert_eq!(fails(&login(false), &metadata), expected, "{metadata}");
    }
    let device = "https://as.example.com/device";
    for (metadata, expected) in [
        (json!({ "device_authorization_endpoint": device }), None),
        (
            json!({ "device_authorization_endpoint": device, "grant_types_supported": [DEVICE_CODE] }),
            None,
        ),
        (
            json!({ "device_authorization_endpoint": device, "grant_types_supported": ["authorization_code"] }),
            Some(true),
        ),
        (json!({}), Some(true)),
    ] {
        assert_eq!(fails(&login(true), &metadata), expected, "{metadata}");
    }
    let configured = LoginConfig {
        device_url: Url::parse(device).ok(),
        ..login(true)
    };
    assert_eq!(fails(&configured, &json!({})), None);
}
