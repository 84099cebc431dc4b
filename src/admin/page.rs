//! The page: the same facts as `/status` for eyes. No script, nothing loaded, never framed; it renews itself.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use super::status::{Proxy, Recent};
use super::view::{Readiness, View};
use super::{Reply, typed};
use crate::problem::escape_html;

/// The policy is the second lock: nothing in the page would need more.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Shown at a glance, in both of a screen's moods.
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;\
color-scheme:light dark}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.15rem .6rem \
.15rem 0;vertical-align:top}th{font-weight:600;white-space:nowrap}.recent td{border-top:1px solid #8884;\
font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}";

pub(super) fn page(views: &[View]) -> Reply {
    let mut reply = typed(StatusCode::OK, "text/html; charset=utf-8", html(views));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    reply
}

fn html(views: &[View]) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>cupbearer</title><style>{STYLE}</style>\
         <main><h1>cupbearer {}</h1><p><strong>{}</strong>",
        env!("CARGO_PKG_VERSION"),
        escape_html(&Readiness::of_all(views).line)
    );
    for view in views {
        proxy(&mut html, &Proxy::of(view));
    }
    html.push_str(
        "<p><a href=\"/status\">JSON</a> · <a href=\"/metrics\">metrics</a></main></html>\n",
    );
    html
}

fn seconds(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}

fn proxy(html: &mut String, proxy: &Proxy) {
    let token = &proxy.token;
    let _ = write!(html, "<h2>{}</h2><table>", escape_html(&proxy.name));
    let rows = [
        ("listens on", proxy.listens_on.join(", ")),
        ("forwards to", proxy.upstream.clone()),
        ("token from", token.from.clone()),
        (
            "token",
            format!(
                "{}, good for {}, next request for one in {}",
                token.state,
                seconds(token.usable_for_s),
                seconds(token.next_attempt_in_s)
            ),
        ),
        (
            "last error",
            token
                .last_error
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
        (
            "now",
            format!(
                "{} requests, {} clients, {} connections to the API",
                proxy.requests_in_flight, proxy.client_connections, proxy.upstream_connections
            ),
        ),
        ("running", format!("for {} s", proxy.uptime_s)),
    ];
    let notes = proxy.notes.iter().map(|note| ("note", note.clone()));
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
        "<table class=\"recent\"><tr><th>ago<th>method<th>path<th>status<th>reason<th>caller<th>ms",
    );
    for entry in &proxy.recent {
        recent(html, entry);
    }
    html.push_str("</table>");
}

fn recent(html: &mut String, entry: &Recent) {
    let status = entry
        .status
        .map_or_else(|| "left".to_owned(), |status| status.to_string());
    let _ = write!(
        html,
        "<tr><td>{} s<td>{}<td><code>{}</code><td>{status}<td>{}<td>{}<td>{}",
        entry.ago_s,
        escape_html(&entry.method),
        escape_html(&entry.path),
        entry.reason.unwrap_or_default(),
        escape_html(entry.caller.as_deref().unwrap_or_default()),
        entry.ms
    );
}
