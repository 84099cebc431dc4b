//! What both servers share: the identifiers of the environment, the signing key and the state.

use super::device_codes::DeviceCodes;
use super::keys::RsaSigningKey;
use super::sessions::DemoSessions;
use super::state::DemoState;

/// The only environment of the authorization server.
pub const ENVIRONMENT_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be001";
/// The organization that the environment belongs to; the claim `org`.
pub const ORGANIZATION_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be002";
/// The application with a secret, for programs.
pub const CLIENT_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be003";
/// The application without a secret, to which people sign in.
pub const LOGIN_CLIENT_ID: &str = "5c1b6e2e-7d1a-4a5e-9c55-0d3f0a9be004";
/// The scopes of that application. The last one is that of the API.
pub(super) const LOGIN_SCOPES: [&str; 3] = ["openid", "profile", "self-service"];

/// What both servers read. Only `state`, `sessions` and `devices` change.
pub(super) struct ServerContext {
    pub(super) issuer: String,
    pub(super) key: RsaSigningKey,
    pub(super) state: DemoState,
    pub(super) sessions: DemoSessions,
    pub(super) devices: DeviceCodes,
}
