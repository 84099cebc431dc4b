//! One look at `token.source`: runs the command, reads the file or asks the server, and takes the token from what that
//! yields. Like `grant`, does not know when it is called, nor what was obtained before.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tokio::time::{sleep, timeout};
use url::Url;

use super::bearer::bearer_header;
use super::client::{Client, unreachable};
use super::grant_error::GrantError;
use super::response::{self, AccessToken};
use super::token_output::{OutputDefect, TokenOutput, token_output};
use crate::config::{SOURCE_KEY, TokenPlace, TokenSource, is_on_link};
use crate::credentials::{DatedFile, run_command};

/// From the name lookup to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is read of a command's output or of a response: more than any server accepts as a token.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;
/// A file that was written less than this long ago may not be complete yet …
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// … and is read again until it is the same twice, or for a second.
const REREADS: u32 = 10;
const REREAD_INTERVAL: Duration = Duration::from_millis(100);

/// Where tokens are looked for.
#[derive(Debug)]
pub(super) struct SourceLook {
    source: TokenSource,
    client: Client,
}

/// What was found, before it is known whether it is a token.
struct Found {
    output: Vec<u8>,
    /// When a relative lifetime begins.
    written: SystemTime,
    /// The last line that a command wrote to its standard error.
    said: Option<String>,
}

impl SourceLook {
    pub(super) fn new(source: TokenSource, client: Client) -> Self {
        Self { source, client }
    }

    /// Looks for a token now.
    ///
    /// # Errors
    /// Why no token was obtained. Returns within 30 s for a command and about 10 s otherwise.
    pub(super) async fn obtain(&self) -> Result<AccessToken, GrantError> {
        let since = SystemTime::now();
        match &self.source.place {
            TokenPlace::Command(words) => {
                let output = Box::pin(run_command(words, MAX_OUTPUT_BYTES)).await;
                let output = output.map_err(GrantError::SourceUnreadable)?;
                let found = Found {
                    output: output.stdout.to_vec(),
                    written: since,
                    said: output.said,
                };
                self.token(found, since)
            }
            TokenPlace::File(path) => self.token_in_file(path, since).await,
            TokenPlace::Http { url, headers } => {
                let found = Found {
                    output: self.response(url, headers).await?,
                    written: since,
                    said: None,
                };
                self.token(found, since)
            }
        }
    }

    /// Reads a file again that may be being written, since some programs write in place.
    async fn token_in_file(
        &self,
        path: &Path,
        since: SystemTime,
    ) -> Result<AccessToken, GrantError> {
        let mut before = None;
        for _ in 0..REREADS {
            let file = DatedFile::read(path).await;
            let file = file.map_err(GrantError::SourceUnreadable)?;
            let age = SystemTime::now().duration_since(file.modified);
            let is_settled = age.is_ok_and(|age| age >= SETTLED_AFTER)
                || before.as_deref() == Some(file.bytes.as_slice());
            let is_cut = token_output(&file.bytes).is_err_and(|defect| defect.may_be_cut());
            let bytes = file.bytes.to_vec();
            if is_settled && !is_cut {
                let found = Found {
                    output: bytes,
                    written: file.modified,
                    said: None,
                };
                return self.token(found, since);
            }
            before = Some(bytes);
            sleep(REREAD_INTERVAL).await;
        }
        let file = DatedFile::read(path).await;
        let file = file.map_err(GrantError::SourceUnreadable)?;
        let found = Found {
            output: file.bytes.to_vec(),
            written: file.modified,
            said: None,
        };
        self.token(found, since)
    }

    fn token(&self, found: Found, since: SystemTime) -> Result<AccessToken, GrantError> {
        let read = token_output(&found.output).and_then(|output: TokenOutput| {
            let default_lifetime = self.source.default_lifetime;
            let lifetime = output.lifetime(found.written, since, default_lifetime)?;
            let (header, token_start) = bearer_header(&output.token, &self.source.field)
                .map_err(OutputDefect::Unsendable)?;
            Ok(AccessToken {
                header,
                token_start,
                lifetime,
                is_untyped: false,
            })
        });
        read.map_err(|defect| self.unusable(defect, found.said))
    }

    fn unusable(&self, defect: OutputDefect, said: Option<String>) -> GrantError {
        GrantError::SourceUnusable {
            place: self.source.place.to_string(),
            is_program: matches!(self.source.place, TokenPlace::Command(_)),
            is_server: matches!(self.source.place, TokenPlace::Http { .. }),
            defect,
            said,
        }
    }

    async fn response(&self, url: &Url, headers: &HeaderMap) -> Result<Vec<u8>, GrantError> {
        let connected = AtomicBool::new(false);
        let asking = timeout(REQUEST_TIMEOUT, self.ask(url, headers, &connected));
        asking.await.unwrap_or_else(|_| {
            Err(GrantError::TimedOut {
                limit: REQUEST_TIMEOUT,
                server: self.client.server(url, SOURCE_KEY),
                connected: connected.load(Ordering::Relaxed),
            })
        })
    }

    async fn ask(
        &self,
        url: &Url,
        headers: &HeaderMap,
        connected: &AtomicBool,
    ) -> Result<Vec<u8>, GrantError> {
        // A metadata server is on the machine's own link, which no proxy can reach.
        let client = if is_on_link(url) {
            self.client.without_proxy()
        } else {
            self.client.clone()
        };
        let failed = |failure| unreachable(client.server(url, SOURCE_KEY), failure);
        let mut request = Request::new(Full::<Bytes>::default());
        request.headers_mut().clone_from(headers);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(ACCEPT).or_insert(json);
        let sent = client.send(url, request, connected).await;
        let mut response = sent.map_err(failed)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(GrantError::SourceStatus {
                status,
                retry_after: response::retry_after(response.headers(), SystemTime::now()),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > usize::try_from(MAX_OUTPUT_BYTES).unwrap_or(usize::MAX) {
                return Err(self.unusable(OutputDefect::TooLong, None));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
