//! The API's OpenAPI document: in a file, or asked for through the proxy, as the API gives it to us.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Empty;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::super::ask;
use crate::config::PathPattern;
use crate::credentials::read_regular;
use crate::learn::{ObservedRequests, OpenApiDocument, candidate_paths};

/// For one document, and for the search for one.
const LIMIT: Duration = Duration::from_secs(30);

/// The most that a file may have, in bytes: as much as the proxy rewrites.
const LONGEST: u64 = 8 << 20;

/// Where to ask, and with which key.
pub(super) struct At<'a> {
    pub(super) address: SocketAddr,
    pub(super) key: &'a Zeroizing<String>,
}

/// A document, and where it was.
pub(super) struct Found {
    pub(super) document: OpenApiDocument,
    pub(super) place: String,
}

/// The one that was asked for: a file, else a path of the API.
pub(super) async fn named(place: &str, at: &At<'_>) -> Result<Found, String> {
    let path = Path::new(place);
    if path.is_file() {
        let text = read_regular(path, LONGEST)
            .map_err(|error| format!("{place}: {error}; {}", error.remedy()))?;
        return parsed(&text, place, "/");
    }
    if !place.starts_with('/') {
        return Err(format!(
            "--openapi: there is no file {place}, and a path of the API begins with a slash"
        ));
    }
    let answered = at
        .get(place)
        .await
        .map_err(|error| format!("GET {place}: {error}"))?;
    if answered.status != StatusCode::OK {
        return Err(format!("GET {place}: {}", answered.status));
    }
    parsed(answered.text.as_bytes(), place, place)
}

/// Why a search came to no end.
pub(super) const TOO_SLOW: &str = "the search for the OpenAPI document was ended after 30 s without all answers: --openapi names its path, or a file";

/// The first that there is and that knows anything of what was asked for.
///
/// # Errors
/// [`TOO_SLOW`].
pub(super) async fn anywhere(
    patterns: &[PathPattern],
    seen: &ObservedRequests,
    at: &At<'_>,
) -> Result<Option<Found>, &'static str> {
    let search = async {
        for path in candidate_paths(patterns, seen) {
            if let Some(found) = at.document(&path, seen).await {
                return Some(found);
            }
        }
        None
    };
    timeout(LIMIT, search).await.map_err(|_elapsed| TOO_SLOW)
}

fn parsed(text: &[u8], place: &str, path: &str) -> Result<Found, String> {
    let document =
        OpenApiDocument::parse(text, path).map_err(|error| format!("{place} {error}"))?;
    Ok(Found {
        document,
        place: place.to_owned(),
    })
}

impl At<'_> {
    /// A document that knows anything of what was asked for.
    async fn document(&self, path: &str, seen: &ObservedRequests) -> Option<Found> {
        let answered = self.get(path).await.ok()?;
        if answered.status != StatusCode::OK {
            return None;
        }
        let found = parsed(answered.text.as_bytes(), path, path).ok()?;
        found.document.matches_any(seen).then_some(found)
    }

    async fn get(&self, path: &str) -> Result<ask::Answered, ask::AnyError> {
        let request = Request::builder()
            .uri(path)
            .header("host", "localhost")
            .header("accept", "application/json")
            .header("x-cupbearer-key", self.key.as_str())
            .body(Empty::new())?;
        let asking = async {
            let stream = TcpStream::connect(self.address).await?;
            ask::send_over(stream, request).await
        };
        timeout(LIMIT, asking).await?
    }
}

#[cfg(test)]
mod tests;
