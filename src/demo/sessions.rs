//! Who has signed in: authorization codes, and refresh tokens that rotate. All of it is kept in memory.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::Instant;

use super::keys::random_text;
use super::people::Person;

/// How long a code is valid (RFC 6749 4.1.2 recommends at most ten minutes).
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// What a person has agreed to.
#[derive(Debug, Clone)]
pub(super) struct Consent {
    pub(super) person: Person,
    pub(super) scope: String,
    /// Of the authorization request, for the ID token.
    pub(super) nonce: Option<String>,
}

/// What a code is bound to.
pub(super) struct CodeBinding {
    pub(super) redirect_url: String,
    /// The S256 challenge (RFC 7636 4.2).
    pub(super) challenge: String,
}

#[derive(Default)]
pub(super) struct DemoSessions(Mutex<SessionsInner>);

#[derive(Default)]
struct SessionsInner {
    codes: HashMap<String, IssuedCode>,
    /// By the first half of each refresh token, which stays the same.
    sessions: HashMap<String, DemoSession>,
}

struct IssuedCode {
    signed_in: Consent,
    binding: CodeBinding,
    until: Instant,
}

struct DemoSession {
    signed_in: Consent,
    /// The second half of the refresh token that is valid now.
    current: String,
}

impl DemoSessions {
    /// # Errors
    /// The operating system provides no randomness.
    pub(super) fn code(&self, signed_in: Consent, binding: CodeBinding) -> io::Result<String> {
        let code = random_text()?;
        let codes = &mut self.lock().codes;
        codes.retain(|_, code| Instant::now() < code.until);
        let issued = IssuedCode {
            signed_in,
            binding,
            until: Instant::now() + CODE_LIFETIME,
        };
        codes.insert(code.clone(), issued);
        Ok(code)
    }

    /// Begins a session, and returns its first refresh token. Any attempt uses up the code. `None` if the code is
    /// unknown, has expired, or is bound to another redirect address or challenge.
    pub(super) fn redeem(
        &self,
        code: &str,
        redirect_url: &str,
        verifier: &str,
    ) -> Option<(Consent, String)> {
        let mut inner = self.lock();
        let issued = inner.codes.remove(code)?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let fits = Instant::now() < issued.until
            && issued.binding.redirect_url == redirect_url
            && issued.binding.challenge == challenge;
        if !fits {
            return None;
        }
        drop(inner);
        self.begin(issued.signed_in)
    }

    /// Begins a session, and returns its first refresh token. `None` if the operating system provides no randomness.
    pub(super) fn begin(&self, signed_in: Consent) -> Option<(Consent, String)> {
        let (id, current) = (random_text().ok()?, random_text().ok()?);
        let token = format!("{id}.{current}");
        let session = DemoSession {
            signed_in: signed_in.clone(),
            current,
        };
        self.lock().sessions.insert(id, session);
        Some((signed_in, token))
    }

    /// Replaces a refresh token. A replaced one that is used again ends the session (RFC 9700 4.14.2).
    pub(super) fn rotate(&self, token: &str) -> Option<(Consent, String)> {
        let (id, half) = token.split_once('.')?;
        let sessions = &mut self.lock().sessions;
        let session = sessions.get_mut(id)?;
        if verify_slices_are_equal(session.current.as_bytes(), half.as_bytes()).is_err() {
            sessions.remove(id);
            return None;
        }
        session.current = random_text().ok()?;
        let next = format!("{id}.{}", session.current);
        Some((session.signed_in.clone(), next))
    }

    /// Ends the session of a refresh token (RFC 7009 2.1). An unknown token has no effect.
    pub(super) fn revoke(&self, token: &str) {
        if let Some((id, _)) = token.split_once('.') {
            self.lock().sessions.remove(id);
        }
    }

    /// Ignores poisoning: no method panics halfway through a change.
    fn lock(&self) -> MutexGuard<'_, SessionsInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
