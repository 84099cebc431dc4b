//! What follows from a failed token request: whether and when it is repeated, and its name in logs and metrics.

use std::time::Duration;

use http::StatusCode;

use super::discovery::MetadataError;
use super::grant_error::GrantError;
use super::presented::PresentedTokenDefect;
use super::request_secrets::UnreadableSecret;
use super::response_error::ErrorResponse;
use super::schedule::FailureClass;
use super::token_output::OutputDefect;
use crate::config::SOURCE_KEY;
use crate::credentials::SecretError;

impl GrantError {
    /// Whether repeating the request is pointless until the configuration has changed.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        self.class() == FailureClass::Configuration
    }

    /// Whether an attempt with a renewed assertion may succeed.
    pub(super) fn may_need_renewal(&self) -> bool {
        match self {
            Self::PresentedToken { .. } | Self::SecretUnreadable(_) => true,
            other => other.is_rejection(),
        }
    }

    /// The label in logs and metrics, one of a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.class() {
            FailureClass::Configuration => "refused",
            FailureClass::Throttled => "throttled",
            FailureClass::Outage | FailureClass::Program => "unavailable",
        }
    }

    /// Whether other requests that are still in progress are not worth waiting for, or must not be repeated so soon.
    pub(super) fn ends_attempt(&self) -> bool {
        match self.class() {
            FailureClass::Configuration | FailureClass::Throttled | FailureClass::Program => true,
            FailureClass::Outage => {
                self.retry_after().is_some() || matches!(self, Self::TimedOut { .. })
            }
        }
    }

    /// What two failures have in common if only one of them needs to be logged: without ids and times.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Refused {
                status, response, ..
            }
            | Self::Unavailable {
                status, response, ..
            } => match response {
                ErrorResponse::Fields {
                    code: Some(code), ..
                } => format!("{status} {code}"),
                ErrorResponse::Fields { code: None, .. } | ErrorResponse::Other { .. } => {
                    status.to_string()
                }
            },
            Self::PresentedToken {
                key,
                defect: PresentedTokenDefect::Expired { .. },
                ..
            } => format!("{key} has expired"),
            Self::SourceUnusable {
                defect: OutputDefect::Expired { .. },
                ..
            } => format!("{SOURCE_KEY} has expired"),
            other => other.causes(),
        }
    }

    pub(super) fn class(&self) -> FailureClass {
        match self {
            // Someone else renews it.
            Self::SecretUnreadable(UnreadableSecret {
                is_renewed: true, ..
            }) => FailureClass::Outage,
            Self::PresentedToken { defect, .. } if defect.may_pass() => FailureClass::Outage,
            Self::SecretUnreadable(_)
            | Self::PresentedToken { .. }
            | Self::SecretEmpty
            | Self::OnlyPerson
            | Self::SignedOut
            | Self::Superseded
            | Self::NotConfirmed
            | Self::OtherPerson
            | Self::IdToken(_)
            | Self::KeyUnusable(_)
            | Self::CertificateUnusable(_)
            | Self::Metadata(
                MetadataError::TooLong { .. }
                | MetadataError::NotJson
                | MetadataError::OtherIssuer
                | MetadataError::NoEndpoint
                | MetadataError::Plaintext,
            )
            | Self::Refused { .. } => FailureClass::Configuration,
            Self::Unavailable { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => {
                FailureClass::Throttled
            }
            Self::SourceUnreadable(error) => match error {
                // A program that is replaced is missing for a moment; the check at the start reports one that is not
                // there.
                SecretError::CommandStart { .. }
                | SecretError::CommandFailed { .. }
                | SecretError::CommandTimeout { .. }
                | SecretError::TooLong(_) => FailureClass::Program,
                SecretError::File { .. }
                | SecretError::VariableUnset(_)
                | SecretError::Empty(_)
                | SecretError::ByteOrderMark(_)
                | SecretError::Keyring { .. } => FailureClass::Outage,
            },
            Self::SourceOfAnother
            | Self::SourceUnusable {
                is_program: true, ..
            } => FailureClass::Program,
            Self::SourceStatus { status, .. } => of_source_status(*status),
            // Nothing was rejected: the issuer names no token endpoint, or does not name it yet.
            Self::Metadata(MetadataError::Absent { .. })
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. }
            | Self::SourceUnusable { .. }
            | Self::Store(_)
            | Self::Internal => FailureClass::Outage,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. }
            | Self::Unavailable { retry_after, .. }
            | Self::SourceStatus { retry_after, .. } => *retry_after,
            Self::SourceUnreadable(_)
            | Self::SourceUnusable { .. }
            | Self::SourceOfAnother
            | Self::SecretUnreadable(_)
            | Self::PresentedToken { .. }
            | Self::SecretEmpty
            | Self::OnlyPerson
            | Self::SignedOut
            | Self::Superseded
            | Self::NotConfirmed
            | Self::OtherPerson
            | Self::Store(_)
            | Self::IdToken(_)
            | Self::KeyUnusable(_)
            | Self::CertificateUnusable(_)
            | Self::Metadata(_)
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unusable { .. }
            | Self::Internal => None,
        }
    }

    /// Whether the server has ended the person's session: it no longer accepts the refresh token (RFC 6749 5.2), or
    /// wants to see the person again (OpenID Connect Core 3.1.2.6).
    pub(super) fn ends_session(&self) -> bool {
        const CODES: [&str; 5] = [
            "invalid_grant",
            "interaction_required",
            "login_required",
            "consent_required",
            "account_selection_required",
        ];
        match self {
            Self::Refused {
                response: ErrorResponse::Fields { code, .. },
                ..
            } => code.as_deref().is_some_and(|code| CODES.contains(&code)),
            _ => false,
        }
    }
}

/// A metadata server responds with 404 or 410 also while an identity is being set up.
fn of_source_status(status: StatusCode) -> FailureClass {
    match status {
        StatusCode::TOO_MANY_REQUESTS => FailureClass::Throttled,
        StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT | StatusCode::GONE => {
            FailureClass::Outage
        }
        status if status.is_client_error() => FailureClass::Configuration,
        _ => FailureClass::Outage,
    }
}
