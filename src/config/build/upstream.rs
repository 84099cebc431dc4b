//! `upstream.*`: where requests go, and which headers are put on all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue};

use crate::config::values::Values;
use crate::config::{Origin, PathPattern, UpstreamConfig, address};
use crate::credentials::{ClientCertificate, PresentedTo};
use crate::text::quoted;

/// The whole table.
pub(super) fn upstream(values: &mut Values) -> Option<UpstreamConfig> {
    let url = upstream_url(values);
    let client_certificate = client_certificate(values, url.as_ref());
    let headers = headers(values);
    let rewrite = values.switch("upstream.rewrite");
    let openapi = openapi(values);
    let cookies = values.switch("upstream.cookies");
    let via = values.switch("upstream.via");
    let connect_timeout = values.duration("upstream.connect_timeout");
    let head_timeout = values.duration("upstream.head_timeout");
    let stall_timeout = values.duration("upstream.stall_timeout");
    let pool_idle = values.duration("upstream.pool_idle");
    let retry_body = values.size("upstream.retry_body");
    Some(UpstreamConfig {
        url: url?,
        proxy: None, // decided when all targets are known
        client_certificate: client_certificate?,
        headers: headers?,
        rewrite: rewrite?,
        openapi: openapi?,
        cookies: cookies?,
        via: via?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        stall_timeout: stall_timeout?,
        pool_idle: pool_idle?,
        retry_body: retry_body?,
    })
}

fn upstream_url(values: &mut Values) -> Option<Origin> {
    let plaintext = values.switch("upstream.allow_plaintext");
    let text = values.required("upstream.url")?;
    let url = values.checked(
        "upstream.url",
        address::origin(&text, plaintext != Some(false)),
    )?;
    if url.scheme == Scheme::HTTPS || address::is_loopback_origin(&url) || plaintext? {
        return Some(url);
    }
    let remedy = format!(
        "write \"https://{}\"; or, if that network is trusted, upstream.allow_plaintext = true",
        url.authority
    );
    let problem = format!("{} would send the token unencrypted", quoted(&text));
    values.wrong("upstream.url", (problem, remedy));
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
) -> Option<Option<ClientCertificate>> {
    const TO: PresentedTo = PresentedTo::Upstream;
    const CERT: &str = TO.cert_key();
    const KEY: &str = TO.key_key();
    let alone = |other: &str| ("is no use alone".to_owned(), format!("set {other} as well"));
    match (values.is_given(CERT), values.is_given(KEY)) {
        (false, false) => return Some(None),
        (true, false) => values.wrong(CERT, alone(KEY)),
        (false, true) => values.wrong(KEY, alone(CERT)),
        (true, true) if url.is_some_and(|url| !url.is_tls()) => values.wrong(
            CERT,
            (
                "upstream.url is http, which has no certificates",
                "remove it",
            ),
        ),
        (true, true) => {
            let (cert, key) = (values.text(CERT), values.text(KEY));
            return Some(Some(ClientCertificate {
                to: TO,
                cert_file: PathBuf::from(cert?),
                key_file: PathBuf::from(key?),
            }));
        }
    }
    None
}

fn openapi(values: &mut Values) -> Option<Vec<PathPattern>> {
    const PATH: &str = "upstream.openapi";
    let texts = values.texts(PATH)?;
    let good = texts
        .iter()
        .filter_map(|text| values.checked(PATH, PathPattern::parse(text)))
        .collect();
    Some(good)
}

/// Names that are the proxy's own business: the credential, where it goes, framing, one connection.
const NOT_FIXED: [&str; 11] = [
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
];

fn headers(values: &mut Values) -> Option<Vec<(HeaderName, HeaderValue)>> {
    const PATH: &str = "upstream.headers";
    let mut headers = BTreeMap::new();
    for (name, value) in values.map(PATH)? {
        let Ok(field) = HeaderName::try_from(&name) else {
            let problem = format!("{} is no header name", quoted(&name));
            values.wrong(PATH, (problem, "write letters, digits and \"-\""));
            continue;
        };
        if NOT_FIXED.contains(&field.as_str()) || field.as_str().starts_with("proxy-") {
            let problem = format!("{name} is set by the proxy itself");
            values.wrong(PATH, (problem, "remove it"));
            continue;
        }
        let Ok(value) = HeaderValue::try_from(&value) else {
            let problem = format!("the value of {name} cannot stand in a header");
            values.wrong(PATH, (problem, "write printable ASCII"));
            continue;
        };
        if headers.insert(field.to_string(), (field, value)).is_some() {
            let problem = format!("{name} is there twice");
            values.wrong(PATH, (problem, "write it once; case does not matter"));
        }
    }
    Some(headers.into_values().collect())
}
