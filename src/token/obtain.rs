//! How a token is obtained: by a grant, or from `token.source`.

use std::pin::Pin;
use std::sync::Arc;

use super::client::Client;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::identity_memory::IdentityMemory;
use super::ownership::Ownership;
use super::request_secrets::RequestSecrets;
use super::response::AccessToken;
use super::source::SourceLook;
use crate::config::{self, TokenOrigin, TokenPlace};

/// The future that a [`RequestToken`] returns.
pub(super) type RequestingToken =
    Pin<Box<dyn Future<Output = Result<AccessToken, GrantError>> + Send>>;

/// Requests one token from the token endpoint.
pub(super) type RequestToken = Arc<dyn Fn(RequestSecrets) -> RequestingToken + Send + Sync>;

/// How tokens are obtained, while their source has this `ownership`, with the `memory` of the proxy's identities, and
/// from what kind of source if not by a grant.
pub(super) fn request_token(
    config: &config::TokenConfig,
    client: Client,
    ownership: Ownership,
    proxy: Option<String>,
    memory: IdentityMemory,
) -> (RequestToken, Option<SourceKind>) {
    match &config.origin {
        TokenOrigin::SignIn(_) => {
            let request: RequestToken =
                Arc::new(|_| Box::pin(async { Err(GrantError::OnlyPerson) }));
            (request, None)
        }
        TokenOrigin::Grant(grant) => {
            let grant = Grant::new((**grant).clone(), client).for_proxy(proxy);
            let grant = Arc::new(grant.belonging_to(ownership));
            let request: RequestToken = Arc::new(move |secrets| {
                let grant = Arc::clone(&grant);
                Box::pin(async move { grant.exchange(&secrets).await })
            });
            (request, None)
        }
        TokenOrigin::Source(source) => {
            let kind = match source.place {
                TokenPlace::Command(_) => SourceKind::Program,
                TokenPlace::File(_) | TokenPlace::Http { .. } => SourceKind::Other,
            };
            let look = SourceLook::new((**source).clone(), client, ownership);
            let look = Arc::new(look.remembering(memory));
            // A file is also read as a secret, which shows when it changes. Here its date matters too, and the look
            // itself finds out whose token it is.
            let request: RequestToken = Arc::new(move |_| {
                let look = Arc::clone(&look);
                Box::pin(async move { look.obtain().await })
            });
            (request, Some(kind))
        }
    }
}

/// What obtains tokens in place of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// It runs only once at a time.
    Program,
    Other,
}
