//! The page at `/`: what `/status` says, for a person. It has no script, loads nothing, cannot be framed, and refreshes
//! itself.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use super::response::{AdminResponse, with_type};
use super::status_api::{ProcessStatus, ProxyStatus, RecentRequest};
use crate::problem::escape_html;

/// All values are escaped; should one ever not be, this policy keeps it from doing anything.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;\
color-scheme:light dark}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.15rem .6rem \
.15rem 0;vertical-align:top}th{font-weight:600;white-space:nowrap}.recent td{border-top:1px solid #8884;\
font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}";

pub(super) fn page(status: &ProcessStatus) -> AdminResponse {
    let mut response = with_type(StatusCode::OK, "text/html; charset=utf-8", html(status));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn html(status: &ProcessStatus) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>cupbearer</title><style>{STYLE}</style>\
         <main><h1>cupbearer {}</h1><p><strong>{}</strong>",
        escape_html(&status.version),
        escape_html(&status.summary)
    );
    for proxy in &status.proxies {
        write_proxy(&mut html, proxy);
    }
    html.push_str(
        "<p><a href=\"/status\">JSON</a> · <a href=\"/metrics\">Metrics</a></main></html>\n",
    );
    html
}

fn seconds(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}

fn write_proxy(html: &mut String, proxy: &ProxyStatus) {
    let token = &proxy.token;
    let _ = write!(html, "<h2>{}</h2><table>", escape_html(&proxy.name));
    let rows = [
        ("Listens on", proxy.listens_on.join(", ")),
        ("Forwards to", proxy.upstream.clone()),
        ("Token from", token.from.clone()),
        (
            "Token",
            format!(
                "{}, valid for {}, next token request in {}",
                token.state,
                seconds(token.usable_for_s),
                seconds(token.next_attempt_in_s)
            ),
        ),
        (
            "Last error",
            token
                .last_error
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
        (
            "Now",
            format!(
                "requests in flight: {}, client connections: {}, connections to the API: {}",
                proxy.requests_in_flight, proxy.client_connections, proxy.upstream_connections
            ),
        ),
        ("Uptime", seconds(proxy.uptime_s).to_string()),
    ];
    let notes = proxy.notes.iter().map(|note| ("Note", note.clone()));
    for (name, value) in rows.into_iter().chain(notes) {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{name}<td>{}",
            escape_html(&value)
        );
    }
    html.push_str("</table><h3>Recent requests</h3>");
    if proxy.recent.is_empty() {
        html.push_str("<p>None yet.");
        return;
    }
    html.push_str(
        "<table class=\"recent\"><tr><th>Seconds ago<th>Method<th>Path<th>Status<th>Reason<th>Caller\
         <th>Milliseconds",
    );
    for request in &proxy.recent {
        write_request(html, request);
    }
    html.push_str("</table>");
}

fn write_request(html: &mut String, request: &RecentRequest) {
    let status = request
        .status
        .map_or_else(|| "client left".to_owned(), |status| status.to_string());
    let _ = write!(
        html,
        "<tr><td>{}<td>{}<td><code>{}</code><td>{status}<td>{}<td>{}<td>{}",
        request.ago_s,
        escape_html(&request.method),
        escape_html(&request.path),
        escape_html(request.reason.as_deref().unwrap_or_default()),
        escape_html(request.caller.as_deref().unwrap_or_default()),
        request.ms
    );
}
