//! What the authorization server publishes without authentication: its metadata, and the time.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::Value;

use super::context::DoctorContext;
use super::finding::{FailureKind, Finding};
use super::own_response::CupbearerResponse;
use super::person_grant;
use super::probe::{ProbeError, ProbeResponse, get};
use crate::config::{self, Endpoint};
use crate::text::{error_chain, excerpt};
use crate::vendor::{PingOneServer, Remedy};

/// `Date` has whole seconds, and a response takes a while.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// A response, with the time when it was requested.
pub(super) struct TimedResponse {
    response: ProbeResponse,
    requested_at: SystemTime,
}

/// Requests the metadata of the issuer, which shows whether the environment exists in its region.
pub(super) async fn metadata(
    context: &DoctorContext<'_>,
    server: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
) -> (Finding, Option<TimedResponse>) {
    let Some([openid, oauth]) = context.metadata() else {
        let reason = "token.url names no issuer; set token.issuer to have its metadata checked";
        // Any response has the time for the next check.
        let response = request(server, tls, "/").await;
        return (Finding::skipped(reason), response.ok());
    };
    let first = match request(server, tls, openid.path()).await {
        Ok(first) => first,
        Err(error) => {
            let message = format!("{openid}: {}", error_chain(&error));
            let finding = Finding::failed(FailureKind::Unreachable, message)
                .remedy("try again; if it persists, ask the operators of the network");
            return (finding, None);
        }
    };
    let second = if names_no_document(first.response.status) {
        request(server, tls, oauth.path()).await.ok()
    } else {
        None
    };
    match second.map(|second| second.response) {
        Some(response) if response.status == StatusCode::OK => {
            (judge(context, oauth.as_str(), &response), Some(first))
        }
        Some(response) if response.status == first.response.status => {
            let both = format!("{openid} and {}", oauth.path());
            (judge(context, &both, &first.response), Some(first))
        }
        Some(_) | None => (
            judge(context, openid.as_str(), &first.response),
            Some(first),
        ),
    }
}

/// Whether a token request would go on to the other address.
fn names_no_document(status: StatusCode) -> bool {
    status != StatusCode::OK && !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

async fn request(
    server: &config::UpstreamConfig,
    tls: &rustls::ClientConfig,
    path: &str,
) -> Result<TimedResponse, ProbeError> {
    let requested_at = SystemTime::now();
    let response = get(server, tls, path, None).await?;
    Ok(TimedResponse {
        response,
        requested_at,
    })
}

fn judge(context: &DoctorContext<'_>, url: &str, response: &ProbeResponse) -> Finding {
    let status = response.status;
    // Without a token.url, the metadata alone names the token endpoint, which is therefore unreachable.
    let is_only_source = is_issuer(context);
    let failed = |otherwise: FailureKind, message: String| {
        let kind = if is_only_source {
            FailureKind::Unreachable
        } else {
            otherwise
        };
        Finding::failed(kind, message)
    };
    if let Some(ours) = CupbearerResponse::in_response(response) {
        return ours.explain(
            &format!("{url} answered {status}"),
            "token.url or token.issuer",
        );
    }
    if status == StatusCode::NOT_FOUND && is_only_source && context.pingone.is_none() {
        return failed(FailureKind::Other, format!("{url} answered {status}")).remedy(
            "this is not an issuer that publishes metadata: correct token.issuer, or write the token endpoint as token.url",
        );
    }
    if response.is_html() {
        return failed(
            FailureKind::Other,
            format!("{url} answered {status} with a web page"),
        )
        .either(
            "a corporate proxy or a firewall answers in place of the server",
            "open the address in a browser to read the page, and have the host exempted",
        )
        .with(correct_address(context).for_cause("the address is wrong"));
    }
    match (status, &context.pingone) {
        (StatusCode::OK, _) => compare_metadata(context, url, &response.body),
        (StatusCode::NOT_FOUND, Some(server)) => failed(
            FailureKind::RejectedByTokenEndpoint,
            format!("{url} answered 404"),
        )
        .with_all(server.unknown_environment()),
        (StatusCode::NOT_FOUND, None) => Finding::note(format!("{url} answered {status}"))
            .remedy("write token.issuer exactly as the server does"),
        (status, _) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Finding::failed(FailureKind::Unreachable, format!("{url} answered {status}"))
                .remedy("the server has a problem: try again in a minute")
        }
        (status, _) => failed(FailureKind::Other, format!("{url} answered {status}"))
            .with(correct_address(context)),
    }
}

fn compare_metadata(context: &DoctorContext<'_>, url: &str, body: &[u8]) -> Finding {
    let is_only_source = is_issuer(context);
    let Ok(Value::Object(document)) = serde_json::from_slice(body) else {
        let kind = if is_only_source {
            FailureKind::Unreachable
        } else {
            FailureKind::Other
        };
        return Finding::failed(kind, format!("{url} is not a JSON object"))
            .with(correct_address(context));
    };
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let issuer = excerpt(text("issuer").unwrap_or("(missing)"), 200);
    let endpoint = text("token_endpoint").unwrap_or("(missing)");
    let expected = context.issuer.as_deref().unwrap_or_default();
    if is_only_source && issuer == expected && text("token_endpoint").is_none() {
        let message = format!("{url} names no token_endpoint");
        return Finding::failed(FailureKind::Unreachable, message)
            .remedy("write the token endpoint as token.url");
    }
    if is_only_source && issuer != expected {
        // RFC 8414 3.3: it must not be used.
        let message = format!("{url} is the metadata of the issuer {issuer}, not of {expected}");
        let remedy = match text("issuer") {
            Some(_) => {
                "write token.issuer exactly as that, if it is the same server; otherwise correct token.issuer"
            }
            None => "this is no issuer's metadata: write the token endpoint as token.url",
        };
        return Finding::failed(FailureKind::Unreachable, message).remedy(remedy);
    }
    if issuer != expected {
        return Finding::note(format!("the issuer is {issuer}, not {expected}")).remedy(
            "tokens may contain that name, so the API must know it as its issuer; if the environment has a custom domain, \
             use that domain here too",
        );
    }
    let configured = context.config.token.to_string();
    let is_url = context.config.token.server().is_some() && configured != expected;
    if is_url && endpoint != configured {
        return Finding::note(format!(
            "the metadata names the token endpoint {}, but {configured} is configured",
            excerpt(endpoint, 200)
        ))
        .remedy("use the endpoint in the metadata, unless the other one is intended");
    }
    let login = context.config.token.login();
    if let Some(finding) = login.and_then(|login| person_grant::judge(login, &document)) {
        return finding;
    }
    match context.pingone.as_ref().and_then(PingOneServer::describe) {
        Some(environment) => Finding::ok(format!("{environment} exists")),
        None => Finding::ok(format!("issuer {issuer}")),
    }
}

/// Whether only the metadata names the token endpoint.
fn is_issuer(context: &DoctorContext<'_>) -> bool {
    let grant = context.config.token.grant();
    grant.is_some_and(|grant| matches!(grant.endpoint, Endpoint::Issuer { .. }))
}

fn correct_address(context: &DoctorContext<'_>) -> Remedy {
    if context.pingone.is_some() {
        PingOneServer::wrong_address()
    } else {
        Remedy::new("correct token.url or token.issuer")
    }
}

/// Compares this machine's clock with the server's.
pub(super) fn clock(timed: Option<&TimedResponse>) -> Finding {
    let Some(timed) = timed else {
        return Finding::skipped("there is no response to compare with");
    };
    let date = timed.response.header("date");
    let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()) else {
        return Finding::skipped("the response has no Date");
    };
    compare_clocks(timed.requested_at, theirs)
}

fn compare_clocks(ours: SystemTime, theirs: SystemTime) -> Finding {
    let (difference, direction) = match theirs.duration_since(ours) {
        Ok(difference) => (difference, "behind"),
        Err(error) => (error.duration(), "ahead of"),
    };
    let whole = Duration::from_secs(difference.as_secs());
    if difference <= CLOCK_TOLERANCE {
        return Finding::ok(format!(
            "within {} s of the token endpoint's clock",
            whole.as_secs()
        ));
    }
    Finding::note(format!(
        "this machine's clock is {} {direction} the token endpoint's",
        humantime::format_duration(whole)
    ))
    .remedy(
        "synchronize it (NTP): tokens still work, but certificates may seem expired, signed assertions are rejected at \
         first, and times in logs are wrong",
    )
}

#[cfg(test)]
mod tests;
