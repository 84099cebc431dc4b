//! How the client proves itself to the token endpoint (RFC 6749 2.3, RFC 7523, RFC 8705): one method a request, never probed.
//!
//! Looks inside the secret, as `assertion` and `key` do; it neither sends nor logs.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::assertion;
use super::key::KeyError;
use crate::config::{self, ClientAuth};
use crate::credentials::Secret;

/// RFC 6749 2.3.1 encodes both halves of Basic; everything but RFC 3986's unreserved characters, so
/// that servers that decode `+` as a space and servers that do not read the same.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The shortest piece of a credential that counts as its disclosure.
const TELLING_PIECE: usize = 12;

/// A client's id and secret, and how they are shown.
#[derive(Debug)]
pub(super) struct Credential<'a> {
    pub(super) method: ClientAuth,
    pub(super) id: &'a str,
    pub(super) secret: &'a Secret,
    pub(super) assertion: &'a config::Assertion,
}

/// The proof could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error(transparent)]
    Header(#[from] InvalidHeaderValue),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Credential<'_> {
    /// Puts the proof into the request; `now` is the authorization server's time as far as it is known.
    pub(super) fn sign(
        &self,
        form: &mut Form,
        headers: &mut HeaderMap,
        now: SystemTime,
    ) -> Result<(), SignError> {
        match self.method {
            ClientAuth::Basic => {
                headers.insert(AUTHORIZATION, self.basic()?);
            }
            ClientAuth::Post => {
                form.pair("client_id", self.id.as_bytes());
                form.pair("client_secret", self.secret.expose());
            }
            ClientAuth::SecretJwt => {
                let made = assertion::with_secret(self.id, self.assertion, self.secret, now)?;
                form.assertion(&made);
            }
            ClientAuth::PrivateKeyJwt => {
                let made = assertion::with_key(self.id, self.assertion, self.secret, now)?;
                form.assertion(&made);
            }
            // RFC 8705 2: the certificate of the connection is the proof, the id says whose.
            ClientAuth::Tls => form.pair("client_id", self.id.as_bytes()),
        }
        Ok(())
    }

    /// Whether `text` repeats the secret, in any form in which it is sent, or a telling piece of it.
    pub(super) fn appears_in(&self, text: &str) -> bool {
        match self.method {
            ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt => {}
            // A private key is never sent; an assertion is withheld like any long opaque word.
            ClientAuth::PrivateKeyJwt | ClientAuth::Tls => return false,
        }
        let secret = self.secret.expose();
        let mut form = Form::with_room_for(secret.len());
        form.append(secret);
        [
            secret,
            encoded(secret).as_bytes(),
            form.0.as_bytes(),
            self.basic_credentials().as_bytes(),
        ]
        .into_iter()
        .any(|needle| shows(text.as_bytes(), needle))
    }

    fn basic(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut line = Zeroizing::new(String::with_capacity(8 + self.encoded_room() * 2));
        line.push_str("Basic ");
        line.push_str(&self.basic_credentials());
        let mut value = HeaderValue::from_maybe_shared(wiped(line))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn basic_credentials(&self) -> Zeroizing<String> {
        let mut pair = Zeroizing::new(String::with_capacity(self.encoded_room()));
        pair.push_str(&encoded(self.id.as_bytes()));
        pair.push(':');
        pair.push_str(&encoded(self.secret.expose()));
        Zeroizing::new(STANDARD.encode(pair.as_bytes()))
    }

    fn encoded_room(&self) -> usize {
        3 * (self.id.len() + self.secret.expose().len()) + 1
    }
}

/// A form body (`application/x-www-form-urlencoded`) that is wiped when it is dropped.
pub(super) struct Form(Zeroizing<String>);

impl Form {
    /// `length`: of all values together. Room for their longest encoding keeps the buffer from growing,
    /// and so from leaving unwiped copies behind.
    pub(super) fn with_room_for(length: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(256 + 3 * length)))
    }

    pub(super) fn pair(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.append(name.as_bytes());
        self.0.push('=');
        self.append(value);
    }

    fn assertion(&mut self, assertion: &str) {
        self.pair("client_assertion_type", assertion::TYPE.as_bytes());
        self.pair("client_assertion", assertion.as_bytes());
    }

    pub(super) fn into_body(self) -> Bytes {
        wiped(self.0)
    }

    fn append(&mut self, text: &[u8]) {
        self.0.extend(form_urlencoded::byte_serialize(text));
    }
}

fn encoded(text: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    out.extend(percent_encode(text, RESERVED));
    out
}

/// Bytes that the last holder of them wipes, which is a library of ours.
fn wiped(text: Zeroizing<String>) -> Bytes {
    struct Wiped(Zeroizing<String>);
    impl AsRef<[u8]> for Wiped {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }
    Bytes::from_owner(Wiped(text))
}

fn shows(text: &[u8], needle: &[u8]) -> bool {
    let piece = TELLING_PIECE.min(needle.len());
    piece > 0
        && needle
            .windows(piece)
            .any(|piece| text.windows(piece.len()).any(|window| window == piece))
}

#[cfg(test)]
mod tests;
