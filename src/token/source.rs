//! One look at `token.source`: runs the command, reads the file or asks the server, and takes the token from what that
//! yields. Like `grant`, does not know when it is called, nor what was obtained before.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tokio::time::{sleep, timeout};
use url::Url;

use super::bearer::bearer_header;
use super::client::{Client, unreachable};
use super::clock::{Clock, Timestamp};
use super::grant_error::GrantError;
use super::identity_memory::IdentityMemory;
use super::jwt::is_renewal;
use super::ownership::{Ownership, SourceOwner};
use super::response::{self, AccessToken};
use super::token_output::{OutputDefect, TokenOutput, token_output};
use crate::config::{SOURCE_KEY, TokenPlace, TokenSource, is_on_link};
use crate::credentials::{DatedFile, Secret, run_command};

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
pub(super) struct SourceLook {
    source: TokenSource,
    client: Client,
    ownership: Ownership,
    /// The last token that was found and belongs to this identity.
    known: Mutex<Option<Secret>>,
    /// When the tokens that any identity has found end.
    memory: IdentityMemory,
    /// The system's; another one in tests.
    pub(super) clock: Clock,
}

impl fmt::Debug for SourceLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceLook").field(&self.source).finish()
    }
}

/// What was found, before it is known whether it is a token.
struct Found {
    output: Vec<u8>,
    /// When a relative lifetime begins, if that is before the look.
    written: Option<SystemTime>,
    /// The last line that a command wrote to its standard error.
    said: Option<String>,
}

/// When a token ends by what its source says, and by its own `exp`.
type StatedEnds = (Option<SystemTime>, Option<SystemTime>);

impl SourceLook {
    /// Tokens that were not found before are used only if they belong to the identity with this `ownership`.
    pub(super) fn new(source: TokenSource, client: Client, ownership: Ownership) -> Self {
        Self {
            source,
            client,
            ownership,
            known: Mutex::default(),
            memory: IdentityMemory::default(),
            clock: Clock::SYSTEM,
        }
    }

    /// Looks with the memory of other identities.
    pub(super) fn remembering(self, memory: IdentityMemory) -> Self {
        Self { memory, ..self }
    }

    /// Looks for a token now.
    ///
    /// # Errors
    /// Why no token was obtained. Returns within 30 s for a command and about 10 s otherwise.
    pub(super) async fn obtain(&self) -> Result<AccessToken, GrantError> {
        let found = self.look().await;
        found.map_err(|error| match &*self.known() {
            Some(known) => error.without_token(known),
            None => error,
        })
    }

    async fn look(&self) -> Result<AccessToken, GrantError> {
        let since = self.clock.now();
        let found = match &self.source.place {
            TokenPlace::Command(words) => {
                let output = Box::pin(run_command(words, MAX_OUTPUT_BYTES)).await;
                let output = output.map_err(GrantError::SourceUnreadable)?;
                Found {
                    output: output.stdout.to_vec(),
                    written: None,
                    said: output.said,
                }
            }
            TokenPlace::File(path) => in_file(path).await?,
            TokenPlace::Http { url, headers } => Found {
                output: self.response(url, headers).await?,
                written: None,
                said: None,
            },
        };
        let (token, ends) = self.token(found, since.wall)?;
        self.admit(token, ends, since).await
    }

    /// Returns a token that may be used, with its lifetime: a new one only if the source still belongs to this
    /// identity, and one that any identity has seen for no longer than before, even if the wall clock was set back
    /// meanwhile.
    async fn admit(
        &self,
        mut token: AccessToken,
        (absolute_end, exp): StatedEnds,
        since: Timestamp,
    ) -> Result<AccessToken, GrantError> {
        let known = self.known().clone();
        let text = token.as_str().as_bytes();
        if known.as_ref().is_none_or(|known| known.expose() != text) {
            let may_use = match self.ownership.owner().await {
                SourceOwner::This => true,
                SourceOwner::Another => known.is_some_and(|known| is_renewal(known.expose(), text)),
            };
            if !may_use {
                return Err(GrantError::SourceOfAnother);
            }
        }
        let found = Secret::new(token.as_str());
        let lifetime = token.lifetime;
        let exp_left = exp.map(|exp| exp.duration_since(since.wall).unwrap_or_default());
        // A lifetime that is stated anew each time says nothing new about the token itself.
        for (at, left) in [(absolute_end, Some(lifetime)), (exp, exp_left)] {
            let (Some(at), Some(left)) = (at, left) else {
                continue;
            };
            let known = self.memory.end_of(found.expose(), at);
            // The monotonic clock never reaches some ends.
            let ends = since.monotonic.checked_add(left);
            let Some(ends) = ends.into_iter().chain(known).min() else {
                continue;
            };
            self.memory.note_end(found.expose(), at, ends);
            if known.is_none() {
                continue;
            }
            let left = ends.saturating_duration_since(since.monotonic);
            token.lifetime = token.lifetime.min(left);
            if left.is_zero() {
                return Err(self.unusable(OutputDefect::Expired { at }, None));
            }
        }
        *self.known() = Some(found);
        Ok(token)
    }

    fn known(&self) -> MutexGuard<'_, Option<Secret>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, and when it ends as far as that is said by a date.
    fn token(
        &self,
        found: Found,
        since: SystemTime,
    ) -> Result<(AccessToken, StatedEnds), GrantError> {
        let read = token_output(&found.output).and_then(|output: TokenOutput| {
            let default_lifetime = self.source.default_lifetime;
            let lifetime = output.lifetime(found.written, since, default_lifetime)?;
            let (header, token_start) = bearer_header(&output.token, &self.source.field)
                .map_err(OutputDefect::Unsendable)?;
            let token = AccessToken {
                header,
                token_start,
                lifetime,
                is_untyped: false,
            };
            Ok((
                token,
                (output.absolute_end(found.written), output.expires_at),
            ))
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

/// Reads a file again that may be being written, since some programs write in place.
async fn in_file(path: &Path) -> Result<Found, GrantError> {
    let mut before = None;
    for _ in 0..REREADS {
        let file = read(path).await?;
        let age = SystemTime::now().duration_since(file.modified);
        let is_settled = age.is_ok_and(|age| age >= SETTLED_AFTER)
            || before.as_deref() == Some(file.bytes.as_slice());
        let is_cut = token_output(&file.bytes).is_err_and(|defect| defect.may_be_cut());
        if is_settled && !is_cut {
            return Ok(Found::in_file(&file));
        }
        before = Some(file.bytes.to_vec());
        sleep(REREAD_INTERVAL).await;
    }
    Ok(Found::in_file(&read(path).await?))
}

async fn read(path: &Path) -> Result<DatedFile, GrantError> {
    DatedFile::read(path)
        .await
        .map_err(GrantError::SourceUnreadable)
}

impl Found {
    fn in_file(file: &DatedFile) -> Self {
        Self {
            output: file.bytes.to_vec(),
            written: Some(file.modified),
            said: None,
        }
    }
}
