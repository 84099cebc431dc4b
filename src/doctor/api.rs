//! One harmless GET with the token, and what the response means.

use http::StatusCode;
use serde_json::Value;

use super::context::DoctorContext;
use super::finding::{FailureKind, Finding};
use super::own_response::CupbearerResponse;
use super::probe::{ProbeResponse, get};
use super::token_filter::TokenFilter;
use crate::admin::ASK_API_OPERATORS;
use crate::config::{TokenField, UpstreamConfig};
use crate::credentials::without_credentials;
use crate::text::{error_chain, excerpt};
use crate::token::AccessToken;
use crate::vendor::advanced_services;
use crate::vendor::pingone::{self, ManagedApi};

/// The most characters of the API's message to show.
const LONGEST: usize = 160;

const OTHER_FIELD: &str = "the API expects the token in another field or form";
const COMPARE_FIELD: &str =
    "compare token.header and token.prefix with the documentation of the API";

/// What earlier checks found that may be the cause of a response.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EarlierFindings {
    /// A corporate proxy or TLS interception is between this machine and the API.
    pub(super) is_intercepted: bool,
    /// The token has no roles.
    pub(super) has_no_roles: bool,
}

/// Whether the API's public path is rejected too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PublicPath {
    Rejected(&'static str),
    Accepted(&'static str),
    Unknown,
}

/// Sends the GET and explains the response.
pub(super) async fn examine(
    context: &DoctorContext<'_>,
    tls: &rustls::ClientConfig,
    token: &AccessToken,
    earlier: EarlierFindings,
) -> Finding {
    let upstream = &context.config.upstream;
    let filter = TokenFilter::new(token);
    let sent = (&context.config.token.field().name, &token.header);
    let response = match get(upstream, tls, &context.path, Some(sent)).await {
        Ok(response) => filter.clean(response),
        Err(error) => {
            let cause = filter.clean_text(error_chain(&error));
            let message = format!("GET {}: {cause}", context.path);
            return Finding::failed(FailureKind::Unreachable, message)
                .remedy("try again; if it persists, ask the operators of the API");
        }
    };
    let is_rejected_by_page =
        response.status == StatusCode::FORBIDDEN && detail(&response).is_none();
    let public_path = match context.api.and_then(advanced_services::public_path) {
        Some(path) if is_rejected_by_page => probe_public_path(upstream, tls, path).await,
        Some(_) | None => PublicPath::Unknown,
    };
    explain(context, &response, public_path, earlier)
}

async fn probe_public_path(
    upstream: &UpstreamConfig,
    tls: &rustls::ClientConfig,
    path: &'static str,
) -> PublicPath {
    match get(upstream, tls, path, None).await {
        Ok(response) if response.status == StatusCode::FORBIDDEN => PublicPath::Rejected(path),
        Ok(_) => PublicPath::Accepted(path),
        Err(_) => PublicPath::Unknown,
    }
}

fn explain(
    context: &DoctorContext<'_>,
    response: &ProbeResponse,
    public_path: PublicPath,
    earlier: EarlierFindings,
) -> Finding {
    if let Some(ours) = CupbearerResponse::in_response(response) {
        let message = format!("GET {} answered {}", context.path, response.status);
        return ours.explain(&message, "upstream.url");
    }
    let detail = detail(response);
    let quoted = detail
        .as_ref()
        .map_or_else(String::new, |detail| format!(": {detail}"));
    let message = format!("GET {} answered {}{quoted}", context.path, response.status);
    match (response.status, detail) {
        (status, _) if status.is_success() => accepted(context, response, message),
        (StatusCode::UNAUTHORIZED, _) => rejected_token(context, response, &message, earlier),
        (StatusCode::FORBIDDEN, Some(detail)) => forbidden(context, &detail, message),
        (StatusCode::FORBIDDEN, None) => blocked(response, &message, public_path, earlier),
        (StatusCode::NOT_FOUND, _) if context.path == "/" => Finding::ok(message),
        (StatusCode::NOT_FOUND, _) => Finding::note(message).remedy(
            "check whether upstream.url is the address of the API; --path selects another path to request",
        ),
        (status, _) if status.is_redirection() => {
            let target = response.header("location").unwrap_or("nowhere");
            let target = target.split('?').next().unwrap_or_default();
            Finding::note(format!("{message}, to {}", excerpt(target, LONGEST)))
                .remedy("if that is a login page, the API does not accept tokens at this address")
        }
        (StatusCode::TOO_MANY_REQUESTS, _) if context.is_api_of_pingone() => {
            Finding::note(message).with_all(pingone::rate_limited("wait a minute"))
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => Finding::note(message).remedy("wait a minute"),
        (status, _) if status.is_server_error() => {
            Finding::failed(FailureKind::Unreachable, message).remedy(ASK_API_OPERATORS)
        }
        (status, _) if status.is_client_error() => Finding::note(message).remedy(
            "the token is not the reason; --path selects another path to request",
        ),
        _ => Finding::note(message),
    }
}

fn accepted(context: &DoctorContext<'_>, response: &ProbeResponse, message: String) -> Finding {
    if context.api == Some(ManagedApi::SelfService) && response.is_html() {
        return Finding::note(format!("{message} with a web page instead of JSON")).remedy(
            "a login page or a proxy may answer in place of the API: open the address in a browser",
        );
    }
    let missing_header = context.api.and_then(ManagedApi::xsrf_header).filter(|_| {
        let mut headers = context.config.upstream.headers.iter();
        !headers.any(|(name, _)| name == "x-xsrf-header")
    });
    match missing_header {
        Some(value) => Finding::note(format!(
            "{message}, but this API requires a fixed header X-XSRF-Header"
        ))
        .remedy(format!(
            "write upstream.headers = {{ X-XSRF-Header = \"{value}\" }}"
        )),
        None => Finding::ok(message),
    }
}

/// 401 to a token that was issued a moment ago.
fn rejected_token(
    context: &DoctorContext<'_>,
    response: &ProbeResponse,
    message: &str,
    earlier: EarlierFindings,
) -> Finding {
    let message = format!("{message}: the API rejects a valid token");
    let finding = Finding::failed(FailureKind::Other, message);
    if context.managed_api().is_some() {
        let finding = finding.with_all(advanced_services::rejected_token(earlier.has_no_roles));
        return if *context.config.token.field() == TokenField::default() {
            finding
        } else {
            finding.either(OTHER_FIELD, COMPARE_FIELD)
        };
    }
    if challenge_error(response) == Some("insufficient_scope") {
        return finding.remedy("set token.scope to the scope that the API requires");
    }
    finding
        .either(
            "the API trusts another authorization server",
            "compare token.url or token.issuer with the documentation of the API",
        )
        .either(
            "the token is for another audience",
            "set audience or resource in token.params, whichever the authorization server expects",
        )
        .either(OTHER_FIELD, COMPARE_FIELD)
}

/// The `error` in a `Bearer` challenge (RFC 6750 3).
fn challenge_error(response: &ProbeResponse) -> Option<&str> {
    let challenge = response.header("www-authenticate")?;
    let (_, rest) = challenge.split_once("error=")?;
    let value = rest.strip_prefix('"').unwrap_or(rest);
    value.split(['"', ',', ' ']).next()
}

/// 403 with a message of the API: it knows who the caller is, and the caller may not do this.
fn forbidden(context: &DoctorContext<'_>, detail: &str, message: String) -> Finding {
    // FastAPI answers 403 with this message if a request has no Authorization.
    const NO_TOKEN: &str = "not authenticated";
    let finding = Finding::failed(FailureKind::Other, message);
    if detail.to_ascii_lowercase().contains(NO_TOKEN) {
        let field = &context.config.token.field().shown_name;
        let removed = format!(
            "the API received no token, so something on the way removes {field}: ask the operators of the network"
        );
        return if *context.config.token.field() == TokenField::default() {
            finding.remedy(removed)
        } else {
            finding
                .either(OTHER_FIELD, COMPARE_FIELD)
                .either("something on the way removes the field", removed)
        };
    }
    if context.managed_api().is_some() {
        return finding.with(advanced_services::insufficient_role());
    }
    finding.remedy("give this client the permission, or request the scope (token.scope)")
}

/// 403 with a web page or an empty body: something in front of the API rejected the request.
fn blocked(
    response: &ProbeResponse,
    message: &str,
    public_path: PublicPath,
    earlier: EarlierFindings,
) -> Finding {
    const ALLOW_LIST: &str = "an IP allow list that lacks this machine's public address";
    const ALLOW: &str = "have the address allowed; if there is a VPN, connect it";
    const FIREWALL: &str = "a firewall (WAF) that rejects this request";
    const TELL: &str = "tell the operators of the API its time and path";
    let server = response.header("server").map(|server| excerpt(server, 60));
    let by = server.map_or_else(String::new, |server| format!(" by {server}"));
    let finding = Finding::failed(
        FailureKind::Other,
        format!(
            "{message}{by}, without a message of the API: it was sent by something in front of the API"
        ),
    );
    let finding = match public_path {
        PublicPath::Rejected(path) => finding.either(
            format!("{ALLOW_LIST} (the public {path} is rejected too)"),
            ALLOW,
        ),
        PublicPath::Accepted(path) => finding.either(
            format!("{FIREWALL} (the public {path} is not rejected)"),
            TELL,
        ),
        PublicPath::Unknown => finding.either(ALLOW_LIST, ALLOW).either(FIREWALL, TELL),
    };
    if earlier.is_intercepted {
        return finding.either(
            "the corporate proxy or TLS interception on the way, see above",
            "have the API's host exempted from it",
        );
    }
    merge_single_cause(finding)
}

/// Moves the cause into the remedy if there is only one.
fn merge_single_cause(mut finding: Finding) -> Finding {
    if let [remedy] = &mut finding.remedies[..]
        && let Some(cause) = remedy.cause.take()
    {
        remedy.action = format!("the cause is {cause}: {}", remedy.action);
    }
    finding
}

/// The API's own message, in one of the usual members of its JSON, without what looks like a credential.
fn detail(response: &ProbeResponse) -> Option<String> {
    let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
        return None;
    };
    let message = ["detail", "error_description", "message", "title", "error"]
        .into_iter()
        .find_map(|name| body.get(name).and_then(Value::as_str));
    let message = without_credentials(message.unwrap_or("(no message)"));
    Some(excerpt(&message, LONGEST))
}

#[cfg(test)]
mod tests;
