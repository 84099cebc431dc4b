//! Why the token endpoint issues no token: which settings each failure points to.
//!
//! If one response may have several causes, the finding names all of them.

use std::time::Duration;

use http::StatusCode;

use super::context::DoctorContext;
use super::finding::{FailureKind, Finding};
use crate::config::{ClientAuth, Endpoint, GrantConfig, GrantType, SOURCE_KEY};
use crate::token::{
    ErrorResponse, GrantError, ResponseDefect, StoreError, StoredLogin, Unreachable,
};
use crate::vendor::{ClientSettings, TokenEndpointRejection, pingone};

/// The finding about a token request that brought no token.
pub(super) fn explain(failure: &GrantError, context: &DoctorContext<'_>) -> Finding {
    let failed = |kind| Finding::failed(kind, with_last_words(failure.causes(), failure.said()));
    match failure {
        GrantError::Refused { status, response, .. } => rejected(
            *status,
            response,
            failed(FailureKind::RejectedByTokenEndpoint),
            context,
        ),
        GrantError::Unavailable {
            status,
            retry_after,
            ..
        } => {
            let finding = failed(FailureKind::Unreachable);
            unavailable(*status, *retry_after, finding, context)
        }
        GrantError::SecretUnreadable(_) | GrantError::SecretEmpty => {
            let key = context.config.token.grant().map_or(SOURCE_KEY, GrantConfig::credential_key);
            failed(FailureKind::Configuration).remedy(format!("put the secret where {key} points"))
        }
        GrantError::SourceUnreadable(error) => {
            failed(FailureKind::Configuration).remedy(error.remedy())
        }
        GrantError::SourceUnusable { defect, .. } => {
            failed(FailureKind::of(failure.origin())).remedy(defect.remedy())
        }
        GrantError::SourceStatus { status, .. } => {
            source_status(*status, failed(FailureKind::of(failure.origin())))
        }
        GrantError::PresentedToken { defect, .. } => {
            failed(FailureKind::Configuration).remedy(defect.remedy())
        }
        GrantError::KeyUnusable(error) => failed(FailureKind::Configuration).remedy(error.remedy()),
        GrantError::CertificateUnusable(_) => failed(FailureKind::Configuration).remedy(joined(
            failure,
            "name the PEM files of one certificate and its key",
        )),
        // The token endpoint has not been asked.
        GrantError::Metadata(_) => failed(FailureKind::Unreachable)
            .remedy("write token.issuer exactly as the server does, or set token.url instead"),
        GrantError::Redirected { .. } => failed(FailureKind::Unreachable)
            .either(
                "the address is outdated",
                "write the final address as token.url",
            )
            .either(
                "a login page of the network answers",
                "log in to the network first",
            ),
        GrantError::Unusable { defect, .. } => {
            unusable(defect, failed(FailureKind::Unreachable), context)
        }
        GrantError::Unreachable(unreachable) => failed(FailureKind::Unreachable)
            .remedy(joined(failure, related_checks(unreachable))),
        GrantError::TimedOut { .. } => failed(FailureKind::Unreachable).remedy(joined(
            failure,
            "try again; if it persists, something between this machine and the server drops the response",
        )),
        // Only a running proxy finds that out.
        GrantError::SourceOfAnother => failed(FailureKind::Other).remedy(failure.chain()),
        GrantError::OnlyPerson
        | GrantError::SignedOut
        | GrantError::Superseded
        | GrantError::NotConfirmed
        | GrantError::OtherPerson => {
            Finding::skipped("a person signs in to the running proxy")
        }
        GrantError::Store(error) => failed(FailureKind::Configuration).remedy(error.remedy()),
        GrantError::IdToken(_) => failed(FailureKind::Unreachable)
            .remedy("correct token.issuer and token.client_id"),
        GrantError::Internal => failed(FailureKind::Other).remedy("report this: it is a defect of cupbearer"),
    }
}

/// The session of the person who signs in. Its refresh token is not used.
pub(super) fn stored(stored: &Result<StoredLogin, StoreError>) -> Finding {
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            let cause = crate::text::error_chain(error);
            return Finding::failed(FailureKind::Configuration, cause).remedy(error.remedy());
        }
    };
    match (&stored.place, stored.has_session) {
        (None, _) => Finding::skipped(
            "a person signs in to the running proxy, which keeps the refresh token in memory",
        ),
        (Some(place), false) => {
            Finding::skipped(format!("nobody is signed in: {place} has no refresh token"))
        }
        (Some(place), true) => {
            let who = stored.who.as_deref().unwrap_or("a person");
            Finding::skipped(format!(
                "{who} is signed in; the refresh token is in {place}, and only the proxy uses it"
            ))
        }
    }
}

/// The cause, and the last line that a command wrote to its standard error.
fn with_last_words(cause: String, said: Option<&str>) -> String {
    match said {
        Some(said) => format!("{cause}; it said: {said}"),
        None => cause,
    }
}

/// The server of `token.source` has responded with another status than 200.
fn source_status(status: StatusCode, finding: Finding) -> Finding {
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return finding.remedy("the server has a problem: try again in a minute");
    }
    finding
        .either(
            "a header field is missing that the server requires",
            "add it to headers in token.source: Metadata = \"true\" for Azure, Metadata-Flavor = \"Google\" for Google",
        )
        .either(
            "this machine has no identity there, or not this one",
            "assign one to it, or correct the path and the query in token.source",
        )
}

/// The remedy of the failure itself, and what the doctor can add.
fn joined(failure: &GrantError, more: &str) -> String {
    match failure.remedy() {
        Some(remedy) => format!("{remedy}; {more}"),
        None => more.to_owned(),
    }
}

fn related_checks(unreachable: &Unreachable) -> &'static str {
    if unreachable.server.proxy.is_some() {
        "see the corporate proxy's check above"
    } else {
        "see the token endpoint's checks above; if it requires a client certificate, set token.client_cert_file"
    }
}

/// 4xx: the server does not accept what it was sent (RFC 6749 5.2).
fn rejected(
    status: StatusCode,
    response: &ErrorResponse,
    finding: Finding,
    context: &DoctorContext<'_>,
) -> Finding {
    let (code, description) = match response {
        ErrorResponse::Other { .. } => return not_from_the_server(status, finding, context),
        ErrorResponse::Fields {
            code, description, ..
        } => (
            code.as_deref().unwrap_or_default(),
            description.as_deref().unwrap_or_default(),
        ),
    };
    let Some(token) = context.config.token.grant() else {
        return finding;
    };
    let Some(server) = &context.pingone else {
        return by_error_code(code, status, finding, token);
    };
    let is_url = matches!(token.endpoint, Endpoint::Url(_));
    let client = ClientSettings {
        credential_key: token.credential_key(),
        auth_method: method_name(token.auth),
        scope: token.scope.as_deref(),
        environment_id: server.environment_id.as_deref().filter(|_| is_url),
    };
    let rejection = TokenEndpointRejection::classify(status, code, description);
    finding.with_all(rejection.remedies(&client))
}

const fn method_name(auth: ClientAuth) -> &'static str {
    match auth {
        ClientAuth::Basic => "client_secret_basic",
        ClientAuth::Post => "client_secret_post",
        ClientAuth::SecretJwt => "client_secret_jwt",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::Tls => "tls_client_auth",
        ClientAuth::ClientAssertion => "client_assertion",
        ClientAuth::None => "none",
    }
}

/// What the error code of RFC 6749 5.2 means by itself, for servers whose descriptions are not known.
fn by_error_code(code: &str, status: StatusCode, finding: Finding, token: &GrantConfig) -> Finding {
    let key = token.credential_key();
    match code {
        "invalid_client" if token.auth == ClientAuth::ClientAssertion => {
            untrusted(finding, token.credential_key())
        }
        "invalid_client" if token.auth == ClientAuth::None => finding.remedy(
            "the server requires that the client authenticates: set token.client_id, and token.auth to the method with \
             which it is registered",
        ),
        "invalid_grant" => invalid_grant(finding, token),
        "invalid_client" => finding
            .either(
                "the client id or the secret is wrong",
                format!("copy both again: token.client_id and {key}"),
            )
            .either(
                "the server expects another authentication method",
                "set token.auth to the method with which the client is registered",
            ),
        "invalid_scope" => finding.remedy("set token.scope to scopes that the client may request"),
        "unauthorized_client" | "unsupported_grant_type" => {
            let grant = token.grant.as_str();
            finding.remedy(format!("allow the grant {grant} for the client"))
        }
        "invalid_target" => finding.remedy("correct resource or audience in token.params"),
        _ if status == StatusCode::NOT_FOUND => finding.remedy("correct token.url"),
        _ => finding.remedy(
            "look at the server's own log; some servers need audience or resource in token.params",
        ),
    }
}

/// What is exchanged for a token is not accepted (RFC 6749 5.2, RFC 7523 3.1).
fn invalid_grant(finding: Finding, token: &GrantConfig) -> Finding {
    match &token.grant {
        GrantType::JwtBearer => untrusted(finding, "token.assertion"),
        GrantType::TokenExchange { .. } => untrusted(finding, "token.subject_token"),
        GrantType::SignedJwtBearer { .. } => finding
            .either(
                "the server does not know the key, or not for this issuer",
                "register its public key there for the iss in token.claims, or for token.client_id",
            )
            .either(
                "the subject has not allowed this client to act for it, or the scope is not allowed",
                "compare sub and scope in token.claims with what the server allows this client",
            )
            .either(
                "the audience is not the server's own name",
                "set token.audience to what the server's documentation says",
            ),
        GrantType::AuthorizationCode(_) => {
            finding.remedy("sign in again with `cupbearer login`")
        }
        GrantType::DeviceCode(_) => {
            finding.remedy("sign in again with `cupbearer login --device`")
        }
        GrantType::ClientCredentials => finding.remedy(
            "the server does not grant client_credentials to this client: look at the server's own log",
        ),
    }
}

/// The server does not accept a token of another issuer, which the key names.
fn untrusted(finding: Finding, key: &str) -> Finding {
    finding
        .either(
            "the server does not trust its issuer, or not for this subject",
            format!("compare iss and sub of {key} (see the check of the secret) with the trust that is configured there"),
        )
        .either(
            "its audience is not the server's own name",
            format!("have {key} issued for the audience that the server expects"),
        )
        .either(
            "it has been used already, and the server accepts each one only once",
            "wait until it is renewed, or have it renewed more often",
        )
}

/// A response that is not an OAuth error: something else has answered.
fn not_from_the_server(
    status: StatusCode,
    finding: Finding,
    context: &DoctorContext<'_>,
) -> Finding {
    if status == StatusCode::NOT_FOUND {
        return finding.remedy("correct the address of the token endpoint");
    }
    let finding = finding
        .either(
            "a corporate proxy or its TLS interception answers in place of the server",
            "have the host of the token endpoint exempted from it",
        )
        .either(
            "a firewall (WAF) in front of the server rejects this address or this request",
            "ask the server's operators; tell them the time and this machine's public address",
        );
    if context.pingone.is_some() {
        finding
    } else {
        finding.either("the address is wrong", "correct token.url")
    }
}

/// 408, 429 and 5xx: the configuration is not the cause.
fn unavailable(
    status: StatusCode,
    retry_after: Option<Duration>,
    finding: Finding,
    context: &DoctorContext<'_>,
) -> Finding {
    if status != StatusCode::TOO_MANY_REQUESTS {
        return finding.remedy(
            "the server has a problem, and the configuration is not at fault: try again in a minute",
        );
    }
    let wait = retry_after.map_or_else(
        || "wait a minute".to_owned(),
        |wait| format!("wait {} s", wait.as_secs()),
    );
    if context.pingone.is_some() {
        return finding.with_all(pingone::rate_limited(&wait));
    }
    finding.remedy(format!(
        "{wait}; look for a program that requests tokens in a loop"
    ))
}

/// A success without a token that can be used.
fn unusable(defect: &ResponseDefect, finding: Finding, context: &DoctorContext<'_>) -> Finding {
    match defect {
        ResponseDefect::NotJson | ResponseDefect::Empty | ResponseDefect::TooLong { .. } => {
            not_from_the_server(StatusCode::OK, finding, context)
        }
        ResponseDefect::TokenType { .. } => finding
            .remedy("have the server issue plain Bearer tokens to this client, without DPoP"),
        ResponseDefect::IssuedTokenType => finding.remedy(
            "ask the server for an access token: set requested_token_type in token.params, or remove it",
        ),
        ResponseDefect::Compressed
        | ResponseDefect::NoToken
        | ResponseDefect::TokenCharacters
        | ResponseDefect::TokenTooLong { .. }
        | ResponseDefect::Lifetime => finding.remedy(
            "check whether the address is that of a token endpoint; if it is, the server is at fault",
        ),
    }
}

#[cfg(test)]
mod tests;
