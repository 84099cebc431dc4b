//! `upstream.*`: where requests go, and which headers are put on all of them.

use std::collections::BTreeMap;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue};

use super::certificate_pair::certificate_pair;
use crate::config::address::{self, Origin};
use crate::config::certificate_name::CertificateName;
use crate::config::keys;
use crate::config::path_pattern::PathPattern;
use crate::config::types::UpstreamConfig;
use crate::config::values::Values;
use crate::credentials::{CertificateFiles, PresentedTo};
use crate::text::quoted;

/// The whole table.
pub(super) fn upstream(values: &mut Values) -> Option<UpstreamConfig> {
    let url = upstream_url(values);
    values.upstream.clone_from(&url);
    let client_certificate = client_certificate(values, url.as_ref());
    let san = san(values, url.as_ref());
    let headers = headers(values);
    let rewrite = values.read(&keys::UPSTREAM_REWRITE);
    let openapi = openapi(values);
    let openapi_removes_security = values.read(&keys::UPSTREAM_OPENAPI_SECURITY);
    let docs_note = values.read(&keys::UPSTREAM_DOCS_NOTE);
    let openapi_memory = values.read(&keys::UPSTREAM_OPENAPI_MEMORY);
    let cookies = values.read(&keys::UPSTREAM_COOKIES);
    let via = values.read(&keys::UPSTREAM_VIA);
    let http2 = values.read(&keys::UPSTREAM_HTTP2);
    let connect_timeout = values.read(&keys::UPSTREAM_CONNECT_TIMEOUT);
    let head_timeout = values.read(&keys::UPSTREAM_HEAD_TIMEOUT);
    let stall_timeout = values.read(&keys::UPSTREAM_STALL_TIMEOUT);
    let pool_idle = values.read(&keys::UPSTREAM_POOL_IDLE);
    let retry_body = values.read(&keys::UPSTREAM_RETRY_BODY);
    Some(UpstreamConfig {
        url: url?,
        proxy: None, // decided when all targets are known
        client_certificate: client_certificate?,
        san: san?,
        headers: headers?,
        rewrite: rewrite?,
        openapi: openapi?,
        openapi_removes_security: openapi_removes_security?,
        docs_note: docs_note?,
        openapi_memory: openapi_memory?,
        cookies: cookies?,
        via: via?,
        http2: http2?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        stall_timeout: stall_timeout?,
        pool_idle: pool_idle?,
        retry_body: retry_body?,
    })
}

fn upstream_url(values: &mut Values) -> Option<Origin> {
    let plaintext = values.read(&keys::UPSTREAM_ALLOW_PLAINTEXT);
    let text = values.required(&keys::UPSTREAM_URL)?;
    let url = values.checked(
        keys::UPSTREAM_URL.path(),
        address::origin(&text, plaintext != Some(false)),
    )?;
    if url.scheme == Scheme::HTTPS || address::is_loopback_origin(&url) || plaintext? {
        return Some(url);
    }
    let remedy = format!(
        "write \"https://{}\"; or, if everyone on the way there may read it, set upstream.allow_plaintext = true",
        url.authority
    );
    let problem = format!("{} would send the token unencrypted", quoted(&text));
    values.reject(keys::UPSTREAM_URL.path(), (problem, remedy));
    None
}

/// Both files or neither, and only where there is TLS.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there was a problem"
)]
fn client_certificate(
    values: &mut Values,
    url: Option<&Origin>,
) -> Option<Option<CertificateFiles>> {
    let files = (
        &keys::UPSTREAM_CLIENT_CERT_FILE,
        &keys::UPSTREAM_CLIENT_KEY_FILE,
    );
    let (cert, key) = (files.0.path(), files.1.path());
    if values.is_set(cert) && values.is_set(key) && url.is_some_and(|url| !url.is_tls()) {
        let problem = ("has no effect, because upstream.url is http", "remove it");
        values.reject(cert, problem);
        return None;
    }
    certificate_pair(values, files, PresentedTo::Upstream)
}

/// The name that the API's certificate must have: one that only a server can have.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether there was a problem"
)]
fn san(values: &mut Values, url: Option<&Origin>) -> Option<Option<CertificateName>> {
    const SAN: &str = keys::UPSTREAM_SAN.path();
    if !values.is_set(SAN) {
        return Some(None);
    }
    let text = values.read(&keys::UPSTREAM_SAN)?;
    let san = values.checked(SAN, CertificateName::parse(&text))?;
    let problem = if url.is_some_and(|url| !url.is_tls()) {
        ("has no effect, because upstream.url is http", "remove it")
    } else if matches!(san, CertificateName::Dns(_)) || san.is_spiffe() {
        return Some(Some(san));
    } else {
        (
            "is neither a DNS name nor a SPIFFE ID",
            "write \"api.internal\", or a SPIFFE ID",
        )
    };
    values.reject(SAN, problem);
    None
}

fn openapi(values: &mut Values) -> Option<Vec<PathPattern>> {
    const PATH: &str = keys::UPSTREAM_OPENAPI.path();
    let texts = values.read(&keys::UPSTREAM_OPENAPI)?;
    let good = texts
        .iter()
        .filter_map(|text| values.checked(PATH, PathPattern::parse(text)))
        .collect();
    Some(good)
}

/// Fields that the proxy sets itself: the credential, its target, framing, those of one connection, and those by which
/// a request is recognized. The others replace those of the client.
const NOT_FIXED: [&str; 13] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
];

fn headers(values: &mut Values) -> Option<Vec<(HeaderName, HeaderValue)>> {
    const PATH: &str = keys::UPSTREAM_HEADERS.path();
    let mut headers = BTreeMap::new();
    for (name, value) in values.read(&keys::UPSTREAM_HEADERS)? {
        let Ok(field) = HeaderName::try_from(&name) else {
            let problem = format!("{} is not a valid header name", quoted(&name));
            values.reject(PATH, (problem, "write letters, digits and \"-\""));
            continue;
        };
        if NOT_FIXED.contains(&field.as_str()) || field.as_str().starts_with("proxy-") {
            let problem = format!("{name} is set by the proxy itself");
            values.reject(PATH, (problem, "remove it"));
            continue;
        }
        let Ok(value) = HeaderValue::try_from(&value) else {
            let problem = format!("the value of {name} is not a valid header value");
            values.reject(PATH, (problem, "write printable ASCII"));
            continue;
        };
        if headers.insert(field.to_string(), (field, value)).is_some() {
            let problem = format!("{name} is set twice");
            values.reject(PATH, (problem, "write it once; case does not matter"));
        }
    }
    Some(headers.into_values().collect())
}
