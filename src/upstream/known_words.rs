//! What a message may repeat of a response: the names of usual fields and of codings. Any other word may be the access
//! token, which a server could repeat anywhere.

/// Fields that servers send, in lower case.
const FIELD_NAMES: [&str; 62] = [
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "deprecation",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "nel",
    "p3p",
    "permissions-policy",
    "pragma",
    "proxy-status",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "referrer-policy",
    "report-to",
    "retry-after",
    "server",
    "server-timing",
    "set-cookie",
    "strict-transport-security",
    "sunset",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-correlation-id",
    "x-forwarded-for",
    "x-frame-options",
    "x-powered-by",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-request-id",
    "x-xss-protection",
];

/// Codings of a body, in lower case (the registry of transfer codings, and content codings in their place).
const CODINGS: [&str; 9] = [
    "br",
    "chunked",
    "compress",
    "deflate",
    "gzip",
    "identity",
    "x-compress",
    "x-gzip",
    "zstd",
];

/// The name of a usual field, in lower case.
pub(super) fn known_field(name: &[u8]) -> Option<&'static str> {
    let mut known = FIELD_NAMES.into_iter();
    known.find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The value of a field that lists codings, if each of them is known.
pub(super) fn known_codings(value: &[u8]) -> Option<String> {
    let codings = value.split(|byte| *byte == b',').map(|coding| {
        let coding = coding.trim_ascii();
        CODINGS
            .into_iter()
            .find(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    });
    Some(codings.collect::<Option<Vec<_>>>()?.join(", "))
}
