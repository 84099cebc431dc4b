//! Why the token endpoint gives no token: its errors told apart as far as they can be, and no further.
//!
//! What one answer may mean of several things is said as "A or B". Statuses are matched by class first
//! and words second, since `PingOne` reserves to change both.

use std::error::Error as _;
use std::time::Duration;

use http::StatusCode;

use super::finding::{Blame, Finding};
use super::scene::Scene;
use super::step::Step;
use crate::config::{ClientAuth, Endpoint};
use crate::token::{Defect, Failure, Said};

/// The finding about an exchange that brought nothing.
pub(super) fn judge(failure: &Failure, scene: &Scene<'_>) -> Finding {
    let said = failure.causes();
    let key = scene.config.token.credential_key();
    match failure {
        Failure::Refused {
            status,
            said: words,
            ..
        } => refused(*status, words, said, scene),
        Failure::Unavailable {
            status,
            retry_after,
            ..
        } => unavailable(*status, *retry_after, said),
        Failure::SecretUnreadable(_) | Failure::SecretEmpty => {
            Finding::failed(Blame::Configuration, said)
                .remedy(format!("put the secret where {key} points"))
        }
        Failure::KeyUnusable(error) => {
            Finding::failed(Blame::Configuration, said).remedy(error.remedy())
        }
        Failure::CertificateUnusable(_) => Finding::failed(Blame::Configuration, said).remedy(
            joined(failure, "name the PEM files of one certificate and its key"),
        ),
        Failure::Metadata(_) => {
            let blame = if failure.is_refusal() {
                Blame::Refused
            } else {
                Blame::Unreachable
            };
            Finding::failed(blame, said)
                .remedy("write token.issuer as the server writes it, or set token.url instead")
        }
        Failure::Redirected { .. } => Finding::failed(Blame::Unreachable, said)
            .either("the address is old", "write the final address as token.url")
            .either(
                "a login page of the network answers",
                "log in to the network first",
            ),
        Failure::Unusable { defect, .. } => unusable(*defect, said, scene),
        Failure::Unreachable(_) => {
            Finding::failed(Blame::Unreachable, said).remedy(joined(failure, unreachable(failure)))
        }
        Failure::TimedOut { .. } => Finding::failed(Blame::Unreachable, said).remedy(joined(
            failure,
            "try again; if it stays so, something on the way swallows the answer",
        )),
        Failure::Internal => {
            Finding::failed(Blame::Other, said).remedy("report this: it is a defect")
        }
    }
}

/// What the failure itself proposes, then what the doctor can add.
fn joined(failure: &Failure, more: &str) -> String {
    match failure.remedy() {
        Some(remedy) => format!("{remedy}; {more}"),
        None => more.to_owned(),
    }
}

fn unreachable(failure: &Failure) -> &'static str {
    let through_proxy = failure
        .source()
        .is_some_and(|source| source.to_string().contains("corporate proxy"));
    if through_proxy {
        "see the corporate proxy's check above"
    } else {
        "see the token endpoint's checks above; if it wants a client certificate, set token.client_cert_file"
    }
}

/// 4xx: what we send is not accepted (RFC 6749 5.2).
fn refused(status: StatusCode, words: &Said, said: String, scene: &Scene<'_>) -> Finding {
    let finding = Finding::failed(Blame::Refused, said);
    let (code, description) = match words {
        Said::Other { .. } => return not_the_server(status, finding, scene),
        Said::Fields {
            code, description, ..
        } => (
            code.as_deref().unwrap_or_default(),
            description
                .as_deref()
                .unwrap_or_default()
                .to_ascii_lowercase(),
        ),
    };
    if !scene.is_pingone {
        return by_the_standard(code, status, finding, scene);
    }
    if description.contains("unsupported authentication method") {
        wrong_method(finding, scene)
    } else if description.contains("role assignments") {
        finding.at(
            Step::Application,
            "the application is a Worker: add one of the type OIDC Web App and use its client id and secret",
        )
    } else if description.contains("multiple resources") {
        several_resources(finding, scene)
    } else if description.contains("at least one scope") {
        no_scope(finding, scene)
    } else {
        by_code(code, status, finding, scene)
    }
}

/// Words that are not known: what the code says by itself.
fn by_code(code: &str, status: StatusCode, finding: Finding, scene: &Scene<'_>) -> Finding {
    match code {
        "invalid_client" => bad_credentials(finding, scene),
        "invalid_scope" => no_scope(finding, scene),
        "unauthorized_client" | "unsupported_grant_type" => finding.at(
            Step::Configuration,
            "the application may not use this grant: choose Grant Type Client Credentials and Response Type none there",
        ),
        "NOT_FOUND" => unknown_environment(finding, scene),
        _ if status == StatusCode::NOT_FOUND => unknown_environment(finding, scene),
        _ if status == StatusCode::UNAUTHORIZED => bad_credentials(finding, scene),
        _ => finding.remedy(
            "compare the application with the steps of docs/setup-pingone.md; the vendor's support \
             may know more by the correlation id",
        ),
    }
}

/// One answer for all of them, so that nobody learns which ids exist.
fn bad_credentials(finding: Finding, scene: &Scene<'_>) -> Finding {
    let key = scene.config.token.credential_key();
    finding
        .either_at(
            Step::Configuration,
            "the client id is not one of this environment's",
            "copy the Client ID from there to token.client_id; compare the environment id in its Token Endpoint too",
        )
        .either_at(
            Step::Configuration,
            "the secret is wrong, or has been replaced there",
            format!("copy it from there to where {key} points"),
        )
        .either_at(Step::Toggle, "the application is switched off", "switch it on")
}

fn wrong_method(finding: Finding, scene: &Scene<'_>) -> Finding {
    let ours = match scene.config.token.auth {
        ClientAuth::Basic => "client_secret_basic",
        ClientAuth::Post => "client_secret_post",
        ClientAuth::SecretJwt => "client_secret_jwt",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
        ClientAuth::Tls => "tls_client_auth",
    };
    finding.at(
        Step::Configuration,
        format!(
            "its Token Endpoint Auth Method is not {ours}: choose that one there, or set token.auth to the one that is \
             chosen there"
        ),
    )
}

fn no_scope(finding: Finding, scene: &Scene<'_>) -> Finding {
    let add = "add the scope of step 3 to the application";
    match &scene.config.token.scope {
        None => finding.at(Step::Resources, add),
        Some(scope) => finding
            .either_at(Step::Resources, "the application was not given the scope", add)
            .either_at(
                Step::Scopes,
                format!("token.scope ({scope}) is misspelt"),
                "write it as it stands there, or leave token.scope out: then all scopes of the one resource are granted",
            ),
    }
}

fn several_resources(finding: Finding, scene: &Scene<'_>) -> Finding {
    let remedy = match &scene.config.token.scope {
        None => {
            "the application has scopes of two resources: set token.scope to those of one, or remove the other's there"
        }
        Some(_) => "token.scope names scopes of two resources: keep those of one",
    };
    finding.at(Step::Resources, remedy)
}

fn unknown_environment(finding: Finding, scene: &Scene<'_>) -> Finding {
    match (&scene.config.token.endpoint, scene.environment_id()) {
        (Endpoint::Url(_), Some(id)) => finding
            .either(
                format!("there is no environment {id}"),
                "copy it from the application's Token Endpoint (Configuration tab) in the console",
            )
            .either(
                "the environment is in another region",
                "compare with the application's Token Endpoint in the console (Configuration tab)",
            ),
        (Endpoint::Url(_) | Endpoint::Issuer { .. }, _) => finding.remedy(
            "compare with the application's Token Endpoint in the console (Configuration tab)",
        ),
    }
}

/// RFC 6749 5.2, for servers whose words are not known.
fn by_the_standard(code: &str, status: StatusCode, finding: Finding, scene: &Scene<'_>) -> Finding {
    let key = scene.config.token.credential_key();
    match code {
        "invalid_client" => finding
            .either("the client id or the secret is wrong", format!("copy both again: token.client_id and {key}"))
            .either(
                "the server wants another authentication method",
                "set token.auth to the one that the client is registered with",
            ),
        "invalid_scope" => finding.remedy("set token.scope to what the client may ask for"),
        "unauthorized_client" | "unsupported_grant_type" => {
            finding.remedy("allow the client the grant client_credentials")
        }
        "invalid_target" => finding.remedy("correct resource or audience in token.params"),
        _ if status == StatusCode::NOT_FOUND => finding.remedy("correct token.url"),
        _ => finding.remedy(
            "the server's own log knows more; some servers want audience or resource in token.params",
        ),
    }
}

/// No error of OAuth's: somebody else answered.
fn not_the_server(status: StatusCode, finding: Finding, scene: &Scene<'_>) -> Finding {
    if status == StatusCode::NOT_FOUND {
        return finding.remedy("correct the token endpoint's address");
    }
    let between = finding
        .either(
            "a corporate proxy or its TLS interception answers in the server's place",
            "have the token endpoint's host excepted from it",
        )
        .either(
            "a firewall (WAF) before the server refuses this address or this request",
            "ask whoever runs the server, with time and this machine's public address",
        );
    if scene.is_pingone {
        between
    } else {
        between.either("the address is wrong", "correct token.url")
    }
}

/// 408, 429, 5xx: not our configuration.
fn unavailable(status: StatusCode, retry_after: Option<Duration>, said: String) -> Finding {
    let finding = Finding::failed(Blame::Unreachable, said);
    if status != StatusCode::TOO_MANY_REQUESTS {
        return finding.remedy(
            "the server is in trouble, and nothing here is at fault: try again in a minute",
        );
    }
    let when = retry_after.map_or_else(
        || "wait a minute".to_owned(),
        |wait| format!("wait {} s", wait.as_secs()),
    );
    finding.remedy(format!(
        "{when}; look for a program that asks for tokens in a loop: the limit is shared by all applications of the \
         licence"
    ))
}

fn unusable(defect: Defect, said: String, scene: &Scene<'_>) -> Finding {
    let finding = Finding::failed(Blame::Refused, said);
    match defect {
        Defect::NotJson | Defect::Empty | Defect::TooLong { .. } => {
            not_the_server(StatusCode::OK, finding, scene)
        }
        Defect::TokenType => {
            finding.remedy("have the server issue plain Bearer tokens to this client, without DPoP")
        }
        Defect::Compressed
        | Defect::NoToken
        | Defect::TokenCharacters
        | Defect::TokenTooLong { .. }
        | Defect::Lifetime => {
            finding.remedy("is that address a token endpoint? if so, its server is at fault")
        }
    }
}

#[cfg(test)]
mod tests;
