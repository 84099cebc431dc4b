//! The identifier of one request: taken over from the caller, or generated. This runs for every request, so it does
//! no formatting.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// `X-Request-Id`: read, echoed and forwarded.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken over, in bytes.
const MAX_BYTES: usize = 64;

/// 1 to 64 bytes of `[A-Za-z0-9._-]`, whether ours or the client's: safe in a log line, a page and a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own identifier, if it sent exactly one and that is acceptable. Otherwise a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.iter().filter(|(name, _)| *name == X_REQUEST_ID);
        match (lines.next(), lines.next()) {
            (Some((_, only)), None) if is_acceptable(only.as_bytes()) => Self(only.clone()),
            _ => Self::generate(),
        }
    }

    /// A new identifier of 16 lower-case hexadecimal digits. It is distinct, not secret.
    #[must_use]
    pub fn generate() -> Self {
        Self(hexadecimal(fastrand::u64(..)))
    }

    /// The identifier as a field value, whose clones share the bytes.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default() // ASCII by construction
    }
}

fn hexadecimal(number: u64) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
    // One allocation holds the text and its reference count, however many clones there are.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .expect("hexadecimal digits are legal in a field value")
}

fn is_acceptable(value: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&value.len())
        && value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
