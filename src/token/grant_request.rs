//! What the token endpoint is asked for: the configured grant, or one step of a person's sign-in.

use crate::credentials::Secret;

/// What the token endpoint is asked for.
pub(super) enum GrantRequest<'a> {
    /// `token.grant`, which no person takes part in.
    Configured,
    /// The first tokens of a person, for an authorization code (RFC 6749 4.1.3, RFC 7636 4.5).
    Code {
        code: &'a Secret,
        verifier: &'a Secret,
        redirect_url: &'a str,
    },
    /// The first tokens of a person who signs in on another device (RFC 8628 3.4).
    Device(&'a Secret),
    /// The next tokens of a person (RFC 6749 6).
    Refresh(&'a Secret),
}

impl<'a> GrantRequest<'a> {
    /// What it presents, which no error message may repeat.
    pub(super) fn presented(&self) -> Vec<&'a Secret> {
        match self {
            Self::Configured => Vec::new(),
            Self::Code { code, verifier, .. } => vec![code, verifier],
            Self::Device(token) | Self::Refresh(token) => vec![token],
        }
    }
}
