//! The handle on the access token: a usable bearer, or the reason why there is none.

use http::HeaderValue;

/// A token that may be sent, as the header value it is sent in.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// `Bearer …`, marked sensitive.
    pub header: HeaderValue,
    /// Which token this is: grows by one with each that replaces another.
    pub generation: u64,
}
