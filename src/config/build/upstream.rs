//! `upstream.*`: where requests go, and which headers are put on all of them.

use std::collections::BTreeMap;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue};

use crate::config::problems::quoted;
use crate::config::values::Values;
use crate::config::{Origin, PathPattern, Upstream, address};

/// The whole table.
pub(super) fn upstream(values: &mut Values) -> Option<Upstream> {
    let url = upstream_url(values);
    let headers = headers(values);
    let rewrite = values.switch("upstream.rewrite");
    let openapi = openapi(values);
    let cookies = values.switch("upstream.cookies");
    let via = values.switch("upstream.via");
    let connect_timeout = values.duration("upstream.connect_timeout");
    let head_timeout = values.duration("upstream.head_timeout");
    let stall_timeout = values.duration("upstream.stall_timeout");
    let pool_idle = values.duration("upstream.pool_idle");
    Some(Upstream {
        url: url?,
        headers: headers?,
        rewrite: rewrite?,
        openapi: openapi?,
        cookies: cookies?,
        via: via?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        stall_timeout: stall_timeout?,
        pool_idle: pool_idle?,
    })
}

fn upstream_url(values: &mut Values) -> Option<Origin> {
    let plaintext = values.switch("upstream.allow_plaintext");
    let text = values.required("upstream.url")?;
    let url = values.checked("upstream.url", address::origin(&text))?;
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
