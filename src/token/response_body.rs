//! Reads the body of a response of the token endpoint, as far as it is of use.

use std::time::SystemTime;

use super::client::TokenResponse;
use super::client_auth::ClientCredentials;
use super::grant_error::GrantError;
use super::response;
use super::response_error::ResponseDefect;
use super::unreachable::HttpFailure;

/// The most that is read of a response; the largest known tokens have 16 KiB.
pub(super) const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// Some servers send their JSON as `text/plain` or with another type, so a body of any type is read as long as it looks
/// like an object.
pub(super) async fn error_response(
    response: &mut TokenResponse,
    credential: &ClientCredentials<'_>,
) -> GrantError {
    let is_json = response::may_be_json(response.headers());
    let looks_like_object = |body: &[u8]| {
        let start = if is_json {
            body.trim_ascii_start()
        } else {
            body
        };
        start.first().is_none_or(|first| *first == b'{')
    };
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if !looks_like_object(&body) || body.len() > MAX_RESPONSE_BYTES {
            break;
        }
    }
    response::error(
        response.status(),
        response.headers(),
        looks_like_object(&body).then_some(&*body),
        credential,
        SystemTime::now(),
    )
}

/// The response's body, read in chunks until it ends or is too long.
pub(super) async fn body(
    response: &mut TokenResponse,
) -> Result<Result<Vec<u8>, ResponseDefect>, HttpFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Ok(Err(ResponseDefect::TooLong {
                limit: MAX_RESPONSE_BYTES,
            }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}
