//! What changes in an `OpenAPI` document besides its servers.

use http::HeaderName;

/// What changes in a document besides its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration"
)]
pub(super) struct DocumentChanges {
    /// `upstream.openapi_security = "remove"`.
    pub(super) removes_security: bool,
    /// `token.header`.
    pub(super) token_field: HeaderName,
    /// `token.keep_authorization`.
    pub(super) keeps_authorization: bool,
    /// Clients need the key of a caller.
    pub(super) asks_for_key: bool,
    /// `upstream.docs_note`.
    pub(super) has_note: bool,
}

#[cfg(test)]
impl DocumentChanges {
    pub(super) const NONE: Self = Self {
        removes_security: false,
        token_field: http::header::AUTHORIZATION,
        keeps_authorization: false,
        asks_for_key: false,
        has_note: false,
    };
}
