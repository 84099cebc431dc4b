//! The live page: files that are part of the binary. It loads nothing from elsewhere, and only its own scripts run.
//!
//! The page itself contains no data, so that following a link from another page to it reveals nothing: its script reads
//! the event stream, which no page of another origin may do.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::response::{AdminResponse, with_type};

/// Every value is inserted as text; should one ever not be, this policy keeps it from doing anything.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);

/// A page that opened this one must keep no handle on it.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Another origin can include none of the files.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The path, the media type and the text of each file.
const FILES: [(&str, &str, &str); 18] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/page/style.css", CSS, include_str!("page/style.css")),
    ("/page/main.js", SCRIPT, include_str!("page/main.js")),
    ("/page/state.js", SCRIPT, include_str!("page/state.js")),
    ("/page/words.js", SCRIPT, include_str!("page/words.js")),
    ("/page/element.js", SCRIPT, include_str!("page/element.js")),
    (
        "/page/overview.js",
        SCRIPT,
        include_str!("page/overview.js"),
    ),
    (
        "/page/problems.js",
        SCRIPT,
        include_str!("page/problems.js"),
    ),
    ("/page/token.js", SCRIPT, include_str!("page/token.js")),
    ("/page/plots.js", SCRIPT, include_str!("page/plots.js")),
    ("/page/table.js", SCRIPT, include_str!("page/table.js")),
    ("/page/details.js", SCRIPT, include_str!("page/details.js")),
    ("/page/doctor.js", SCRIPT, include_str!("page/doctor.js")),
    ("/page/export.js", SCRIPT, include_str!("page/export.js")),
    (
        "/page/keyboard.js",
        SCRIPT,
        include_str!("page/keyboard.js"),
    ),
    ("/page/good.svg", SVG, include_str!("page/good.svg")),
    ("/page/warning.svg", SVG, include_str!("page/warning.svg")),
    ("/page/error.svg", SVG, include_str!("page/error.svg")),
];

/// Whether one of the files has this path.
pub(super) fn has(path: &str) -> bool {
    FILES.iter().any(|(file, ..)| *file == path)
}

/// The file with this path.
pub(super) fn file(path: &str) -> Option<AdminResponse> {
    let (_, content_type, text) = FILES.iter().find(|(file, ..)| *file == path)?;
    let mut response = with_type(StatusCode::OK, content_type, *text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert(OPENER_POLICY, same_origin.clone());
    headers.insert(RESOURCE_POLICY, same_origin);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn the_whole_page_is_below_150_kb() {
        let bytes: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes < 150_000, "{bytes}");
    }
}
