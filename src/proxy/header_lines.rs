//! Looking for a field in a header map. A request has few fields, so comparing all of their names costs less than
//! hashing one name to look it up.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// All lines of a field, in order.
pub(super) fn lines<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a HeaderValue> {
    headers
        .iter()
        .filter(move |(field, _)| *field == name)
        .map(|(_, line)| line)
}

/// Whether `headers` has the field.
pub(super) fn contains(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.keys().any(|field| field == name)
}
