//! The page at `/sign-in`: who is signed in, and a field for a token. It contains no data: its script reads `/status`,
//! which no page of another origin may do.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::response::{AdminResponse, with_type};

/// The path of the page.
pub(crate) const SIGN_IN_PAGE: &str = "/sign-in";

/// Values are inserted only as text; should one ever not be, this policy keeps it from doing anything.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// A page that opened this one must keep no handle on it, and none may include its files.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The path, the media type and the text of each file.
const FILES: [(&str, &str, &str); 3] = [
    (
        SIGN_IN_PAGE,
        "text/html; charset=utf-8",
        include_str!("sign_in_page/index.html"),
    ),
    (
        "/sign-in/style.css",
        "text/css; charset=utf-8",
        include_str!("sign_in_page/style.css"),
    ),
    (
        "/sign-in/main.js",
        "text/javascript; charset=utf-8",
        include_str!("sign_in_page/main.js"),
    ),
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
