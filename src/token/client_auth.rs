//! Client authentication at the token endpoint (RFC 6749 2.3, RFC 7523, RFC 8705): exactly one method per request,
//! never another one on trial.
//!
//! Uses the bytes of the secret, as `assertion` and `key` do; it neither sends nor logs them.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::assertion;
use super::key::PrivateKeyError;
use crate::config::{self, ClientAuth};
use crate::credentials::{Secret, SecretEcho};

/// RFC 6749 2.3.1 requires both parts of Basic to be encoded. Everything but the unreserved characters of RFC 3986 is,
/// so that servers that decode `+` as a space and servers that do not get the same result.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A client's id and secret, and the method by which they are sent.
#[derive(Debug)]
pub(super) struct ClientCredentials<'a> {
    pub(super) method: ClientAuth,
    pub(super) id: &'a str,
    /// `None` if the method needs none.
    pub(super) secret: Option<&'a Secret>,
    pub(super) assertion: &'a config::Assertion,
    /// `token.client_assertion_type`.
    pub(super) assertion_type: &'a str,
    /// What the grant presents.
    pub(super) presented: Vec<&'a Secret>,
}

/// Why the client's authentication cannot be added to a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientAuthError {
    #[error(transparent)]
    Header(#[from] InvalidHeaderValue),
    #[error(transparent)]
    Key(#[from] PrivateKeyError),
}

impl ClientCredentials<'_> {
    /// Adds the client's authentication to the request. `now` is the authorization server's time as far as it is known.
    pub(super) fn authenticate(
        &self,
        form: &mut FormBody,
        headers: &mut HeaderMap,
        now: SystemTime,
    ) -> Result<(), ClientAuthError> {
        match self.method {
            ClientAuth::Basic => {
                headers.insert(AUTHORIZATION, self.basic()?);
            }
            ClientAuth::Post => {
                form.append_pair("client_id", self.id.as_bytes());
                form.append_pair("client_secret", self.secret());
            }
            ClientAuth::SecretJwt => {
                let assertion =
                    assertion::with_secret(self.id, self.assertion, self.secret(), now)?;
                form.append_assertion(assertion::TYPE, assertion.as_bytes());
            }
            ClientAuth::PrivateKeyJwt => {
                let assertion = assertion::with_key(self.id, self.assertion, self.secret(), now)?;
                form.append_assertion(assertion::TYPE, assertion.as_bytes());
            }
            ClientAuth::ClientAssertion => {
                form.append_pair("client_id", self.id.as_bytes());
                form.append_assertion(self.assertion_type, self.secret());
            }
            ClientAuth::None if self.id.is_empty() => {}
            // RFC 8705 2: the certificate of the connection authenticates the client, `client_id` identifies it.
            ClientAuth::None | ClientAuth::Tls => form.append_pair("client_id", self.id.as_bytes()),
        }
        Ok(())
    }

    /// The secret's bytes.
    pub(super) fn secret(&self) -> &[u8] {
        self.secret.map_or(&[], Secret::expose)
    }

    /// Whether `text` repeats enough of a secret of the request to disclose it, in whichever encoding.
    pub(super) fn appears_in(&self, text: &str) -> bool {
        let is_in = |sent: &[u8]| SecretEcho::of(sent).is_in(text.as_bytes());
        if self.presented.iter().any(|token| is_in(token.expose())) {
            return true;
        }
        let secret = match self.method {
            ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt => self.secret(),
            ClientAuth::ClientAssertion => return is_in(self.secret()),
            // A private key is never sent, and an assertion is withheld like any long opaque word.
            ClientAuth::PrivateKeyJwt | ClientAuth::Tls | ClientAuth::None => return false,
        };
        let mut form = FormBody::with_capacity_for(secret.len());
        form.append(secret);
        // A few bytes of a form in which it is sent decode to fewer bytes of the secret than count as the secret.
        let (encoded, basic) = (encoded(secret), self.basic_credentials());
        let sent = [
            secret,
            encoded.as_bytes(),
            form.0.as_bytes(),
            basic.as_bytes(),
        ];
        sent.into_iter().any(is_in)
    }

    fn basic(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut line = Zeroizing::new(String::with_capacity(8 + self.encoded_capacity() * 2));
        line.push_str("Basic ");
        line.push_str(&self.basic_credentials());
        debug_assert!(
            line.len() <= 8 + self.encoded_capacity() * 2,
            "it has grown"
        );
        let mut value = HeaderValue::from_maybe_shared(wiped(line))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn basic_credentials(&self) -> Zeroizing<String> {
        let mut pair = Zeroizing::new(String::with_capacity(self.encoded_capacity()));
        pair.push_str(&encoded(self.id.as_bytes()));
        pair.push(':');
        pair.push_str(&encoded(self.secret()));
        debug_assert!(pair.len() <= self.encoded_capacity(), "it has grown");
        Zeroizing::new(STANDARD.encode(pair.as_bytes()))
    }

    /// Enough for id and secret if every byte is encoded: a buffer that grows leaves a copy behind that is not wiped.
    fn encoded_capacity(&self) -> usize {
        3 * (self.id.len() + self.secret().len()) + 1
    }
}

/// A form body (`application/x-www-form-urlencoded`) that is wiped when it is dropped.
pub(super) struct FormBody(Zeroizing<String>);

impl FormBody {
    /// `length` is that of all values together. The capacity for their longest encoding keeps the buffer from growing,
    /// which would leave copies behind that are not wiped.
    pub(super) fn with_capacity_for(length: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(256 + 3 * length)))
    }

    pub(super) fn append_pair(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.append(name.as_bytes());
        self.0.push('=');
        self.append(value);
    }

    fn append_assertion(&mut self, kind: &str, assertion: &[u8]) {
        self.append_pair("client_assertion_type", kind.as_bytes());
        self.append_pair("client_assertion", assertion);
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

/// Bytes that are wiped when the last owner, which is a library, drops them.
fn wiped(text: Zeroizing<String>) -> Bytes {
    struct WipedText(Zeroizing<String>);
    impl AsRef<[u8]> for WipedText {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }
    Bytes::from_owner(WipedText(text))
}

#[cfg(test)]
mod tests;
