//! Issues access tokens: to the application with a secret, and to people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use super::context::{ENVIRONMENT_ID, ORGANIZATION_ID, ServerContext};
use super::people::Person;
use super::state::{Behaviour, ExpiresIn, Groups};

impl ServerContext {
    /// An access token: a JWT that the API accepts for this long.
    pub(super) fn issue(&self, lifetime: Duration, purpose: &TokenPurpose<'_>) -> String {
        let behaviour = self.state.behaviour();
        let now = SystemTime::now();
        let expires_at = now + lifetime;
        let jti = Uuid::new_v4().to_string();
        let mut claims = json!({
            "aud": [purpose.audience],
            "client_id": purpose.client_id,
            "env": ENVIRONMENT_ID,
            "exp": whole_seconds(expires_at + Duration::from_nanos(999_999_999)),
            "iat": whole_seconds(now),
            "iss": self.issuer,
            "jti": jti,
            "org": ORGANIZATION_ID,
            "scope": purpose.scope,
        });
        match (purpose.person, &behaviour.groups) {
            (Some(person), _) => {
                claims["groups"] = json!([person.role]);
                claims["sub"] = json!(person.subject);
                claims["name"] = json!(person.name);
            }
            (None, Groups::Array(roles)) => claims["groups"] = json!(roles),
            (None, Groups::Text(text)) => claims["groups"] = json!(text),
            (None, Groups::Missing) => {}
        }
        self.state.record_issue(jti, expires_at);
        self.key.sign(&behaviour.typ, &claims)
    }
}

/// What an access token is issued for.
pub(super) struct TokenPurpose<'a> {
    pub(super) client_id: &'a str,
    pub(super) audience: &'a str,
    pub(super) scope: &'a str,
    /// Whose token it is; `None` if it is the application's own.
    pub(super) person: Option<Person>,
}

/// The members of every access token response (RFC 6749 5.1).
pub(super) fn token_response(behaviour: &Behaviour, token: &str, scope: &str) -> Value {
    let mut response = json!({ "access_token": token, "token_type": "Bearer", "scope": scope });
    match &behaviour.expires_in {
        ExpiresIn::True => response["expires_in"] = behaviour.lifetime.as_secs().into(),
        ExpiresIn::Missing => {}
        ExpiresIn::Says(value) => response["expires_in"] = value.clone(),
    }
    response
}

/// Seconds since 1970, rounded down (`NumericDate`, RFC 7519 2).
pub(super) fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
