//! Finds the OpenAPI document of the API: in a file, or through the proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::cli::http_client::{BoxedError, TextResponse, send};
use crate::config::PathPattern;
use crate::credentials::read_regular;
use crate::learn::{ObservedRequests, OpenApiDocument, candidate_paths};

/// For one request, and for the whole search.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The largest file that is read, in bytes: as much as the proxy rewrites.
const MAX_FILE: u64 = 8 << 20;

/// Sends requests through the proxy of this run.
pub(super) struct ProxyClient<'a> {
    pub(super) address: SocketAddr,
    pub(super) key: &'a Zeroizing<String>,
}

/// A document, and the file or path where it was found.
pub(super) struct FoundDocument {
    pub(super) document: OpenApiDocument,
    pub(super) location: String,
}

/// Why the search was ended early.
pub(super) const SEARCH_TIMED_OUT: &str = "the search for the OpenAPI document was ended after 30 s: use --openapi with its path, or with a file";

/// The document that the user named: a file, or else a path of the API.
pub(super) async fn named(
    location: &str,
    client: &ProxyClient<'_>,
) -> Result<FoundDocument, String> {
    let path = Path::new(location);
    if path.is_file() {
        let text = read_regular(path, MAX_FILE)
            .map_err(|error| format!("{location}: {error}; {}", error.remedy()))?;
        return parse(&text, location, "/").map_err(|error| format!("{location} {error}"));
    }
    if !location.starts_with('/') {
        if path.exists() {
            let what = if path.is_dir() {
                "is a directory"
            } else {
                "is not a regular file"
            };
            return Err(format!("--openapi: {location} {what}: name a file"));
        }
        return Err(format!(
            "--openapi: {location} is neither a file nor a path of the API, which begins with a slash"
        ));
    }
    // It may have been meant as a file.
    let failed = |problem: String| {
        format!("--openapi: there is no file {location}, and as a path of the API it {problem}")
    };
    let response = client
        .get(location)
        .await
        .map_err(|error| failed(format!("cannot be requested: {error}")))?;
    if response.status != StatusCode::OK {
        return Err(failed(format!("is answered with {}", response.status)));
    }
    parse(response.text.as_bytes(), location, location).map_err(failed)
}

/// The first document that describes any of the recorded requests.
///
/// # Errors
/// [`SEARCH_TIMED_OUT`].
pub(super) async fn search(
    patterns: &[PathPattern],
    seen: &ObservedRequests,
    client: &ProxyClient<'_>,
) -> Result<Option<FoundDocument>, &'static str> {
    let search = async {
        for path in candidate_paths(patterns, seen) {
            if let Some(found) = client.document(&path, seen).await {
                return Some(found);
            }
        }
        None
    };
    timeout(TIME_LIMIT, search)
        .await
        .map_err(|_elapsed| SEARCH_TIMED_OUT)
}

fn parse(text: &[u8], location: &str, path: &str) -> Result<FoundDocument, String> {
    let document = OpenApiDocument::parse(text, path).map_err(|error| error.to_string())?;
    Ok(FoundDocument {
        document,
        location: location.to_owned(),
    })
}

impl ProxyClient<'_> {
    /// The document at `path`, if it describes any of the recorded requests.
    async fn document(&self, path: &str, seen: &ObservedRequests) -> Option<FoundDocument> {
        let response = self.get(path).await.ok()?;
        if response.status != StatusCode::OK {
            return None;
        }
        let found = parse(response.text.as_bytes(), path, path).ok()?;
        found.document.matches_any(seen).then_some(found)
    }

    async fn get(&self, path: &str) -> Result<TextResponse, BoxedError> {
        let request = Request::builder()
            .uri(path)
            .header("host", "localhost")
            .header("accept", "application/json")
            .header("x-cupbearer-key", self.key.as_str())
            .body(Full::default())?;
        let exchange = async {
            let stream = TcpStream::connect(self.address).await?;
            send(stream, request).await
        };
        timeout(TIME_LIMIT, exchange).await?
    }
}

#[cfg(test)]
mod tests;
