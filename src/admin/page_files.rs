//! The files of a page, which are part of the binary. They load nothing from elsewhere, only their own scripts run, and
//! nothing of another origin gets at them.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::response::{AdminResponse, with_type};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml";

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

/// The path, the media type and the text of each file.
pub(super) struct PageFiles(pub(super) &'static [(&'static str, &'static str, &'static str)]);

impl PageFiles {
    /// Whether one of the files has this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.iter().any(|(file, ..)| *file == path)
    }

    /// The file with this path.
    pub(super) fn get(&self, path: &str) -> Option<AdminResponse> {
        let (_, content_type, text) = self.0.iter().find(|(file, ..)| *file == path)?;
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
}
