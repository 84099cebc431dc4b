//! What an answer means, as a table.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use super::scene::s;
use crate::config::ClientAuth;
use crate::credentials::Secret;
use crate::token::client_auth::Credential;
use crate::token::failure::{Defect, Failure};
use crate::token::response::{granted, refused};
use crate::token::schedule::Setback;

const DEFAULT: Duration = Duration::from_mins(5);

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
        .collect()
}

fn read(body: &str) -> Result<Duration, Defect> {
    granted(&HeaderMap::new(), body.as_bytes(), DEFAULT).map(|granted| granted.lifetime)
}

fn said(status: u16, headers: &HeaderMap, body: &str) -> Failure {
    let secret = Secret::new("correct horse battery staple");
    let credential = Credential {
        method: ClientAuth::Basic,
        id: "app",
        secret: &secret,
        assertion: &super::endpoint::assertion(),
    };
    let status = StatusCode::from_u16(status).unwrap();
    refused(
        status,
        headers,
        Some(body.as_bytes()),
        &credential,
        UNIX_EPOCH + s(1_700_000_000),
    )
}

#[test]
fn every_kind_of_lifetime_is_read_or_refused_by_name() {
    for (expires_in, expected) in [
        ("3600", Ok(s(3600))),
        ("\"3600\"", Ok(s(3600))),
        ("\" 3600 \"", Ok(s(3600))),
        ("3600.5", Ok(Duration::from_millis(3_600_500))),
        ("null", Ok(DEFAULT)),
        ("1e99", Ok(s(315_360_000))),
        ("99999999999999999999999", Ok(s(315_360_000))),
        ("0", Err(Defect::Lifetime)),
        ("-1", Err(Defect::Lifetime)),
        ("\"soon\"", Err(Defect::Lifetime)),
        ("\"inf\"", Err(Defect::Lifetime)),
        ("\"NaN\"", Err(Defect::Lifetime)),
        ("true", Err(Defect::Lifetime)),
        ("[3600]", Err(Defect::Lifetime)),
    ] {
        let body =
            format!(r#"{{"access_token":"t","token_type":"bearer","expires_in":{expires_in}}}"#);
        assert_eq!(read(&body), expected, "{expires_in}");
    }
    assert_eq!(
        read(r#"{"access_token":"t","token_type":"BEARER"}"#),
        Ok(DEFAULT),
        "missing: the configured one"
    );
}

#[test]
fn every_success_without_a_token_that_can_be_sent_has_a_name() {
    let long = format!(
        r#"{{"access_token":"{}","token_type":"Bearer"}}"#,
        "a".repeat(100_000)
    );
    for (body, defect) in [
        ("", Defect::Empty),
        (" \r\n", Defect::Empty),
        ("<html>Sign in</html>", Defect::NotJson),
        (r#"["t","Bearer",60]"#, Defect::NotJson),
        ("\"t\"", Defect::NotJson),
        (
            r#"{"access_token":"t","token_type":"Bearer""#,
            Defect::NotJson,
        ),
        ("{}", Defect::NoToken),
        (
            r#"{"access_token":"","token_type":"Bearer"}"#,
            Defect::NoToken,
        ),
        (
            r#"{"access_token":null,"token_type":"Bearer"}"#,
            Defect::NoToken,
        ),
        (
            r#"{"access_token":17,"token_type":"Bearer"}"#,
            Defect::NoToken,
        ),
        (
            r#"{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}"#,
            Defect::TokenCharacters,
        ),
        (
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            Defect::TokenCharacters,
        ),
        (
            r#"{"access_token":"ä","token_type":"Bearer"}"#,
            Defect::TokenCharacters,
        ),
        (long.as_str(), Defect::TokenTooLong { limit: 65_536 }),
        (r#"{"access_token":"t"}"#, Defect::TokenType),
        (
            r#"{"access_token":"t","token_type":"DPoP"}"#,
            Defect::TokenType,
        ),
        (
            r#"{"access_token":"t","token_type":"Bearer "}"#,
            Defect::TokenType,
        ),
    ] {
        assert_eq!(read(body), Err(defect), "{}", &body[..body.len().min(60)]);
    }
    let gzip = headers(&[(CONTENT_ENCODING, "gzip")]);
    assert_eq!(
        granted(&gzip, b"\x1f\x8b\x08", DEFAULT).unwrap_err(),
        Defect::Compressed
    );
}

#[test]
fn the_bearer_is_sensitive_and_exactly_the_token() {
    let body = br#"{"access_token":"abc.def-_~+/==","token_type":"bearer","expires_in":60}"#;
    let header = granted(&HeaderMap::new(), body, DEFAULT).unwrap().header;
    assert_eq!(header.as_bytes(), b"Bearer abc.def-_~+/==");
    assert!(header.is_sensitive());
}

#[test]
fn both_error_shapes_are_told_with_their_correlation_id() {
    let prose = "word ".repeat(200);
    let long = format!(
        r#"{{"error":"invalid_scope","error_description":"{prose}(Correlation ID: 0d6e5f2a-0000-4000-8000-000000000001)"}}"#
    );
    let told = said(400, &HeaderMap::new(), &long).to_string();
    assert!(
        told.len() < 450 && told.ends_with("(correlation id 0d6e5f2a-0000-4000-8000-000000000001)"),
        "{told}"
    );

    let ping = r#"{"id":"0d6e5f2a-0000-4000-8000-000000000002","code":"NOT_FOUND","message":"No such environment","details":[]}"#;
    assert_eq!(
        said(404, &HeaderMap::new(), ping).to_string(),
        "the token endpoint refused us with 404 Not Found: NOT_FOUND: No such environment \
         (correlation id 0d6e5f2a-0000-4000-8000-000000000002)"
    );
}

#[test]
fn anything_else_is_told_by_status_and_type_alone() {
    let html = headers(&[(CONTENT_TYPE, "text/html")]);
    for body in [
        "<html>secret</html>",
        "",
        "{",
        r#"{"error":{"a":1}}"#,
        "[1]",
    ] {
        let told = said(403, &html, body).to_string();
        assert_eq!(
            told,
            "the token endpoint refused us with 403 Forbidden: no OAuth error, but text/html"
        );
    }
}

#[test]
fn an_error_that_repeats_the_secret_or_a_token_or_steers_the_terminal_is_not_shown_so() {
    for echo in [
        "client_secret=correct horse battery staple",
        "client_secret=correct%20horse%20battery%20staple",
        "bad pair YXBwOmNvcnJlY3QlMjBob3JzZSUyMGJhdHRlcnklMjBzdGFwbGU=",
        "in pieces: orse battery sta",
        "corr\\u0007ect horse battery staple",
        "old token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2F1dGgifQ.c2lnbmF0dXJl",
    ] {
        let told = said(
            400,
            &HeaderMap::new(),
            &format!(r#"{{"error":"{echo}","message":"{echo}"}}"#),
        );
        for shown in [told.to_string(), format!("{told:?}")] {
            assert!(shown.contains("withheld"), "{shown}");
            for piece in ["horse", "YXBwOm", "eyJ"] {
                assert!(!shown.contains(piece), "{shown}");
            }
        }
    }
    let steered = said(
        400,
        &HeaderMap::new(),
        r#"{"error":"a\u001b[2Jb\nc\u202ed"}"#,
    )
    .to_string();
    assert!(steered.ends_with(": a[2Jb cd"), "{steered}");
}

#[test]
fn the_status_decides_how_soon_to_ask_again() {
    use Setback::{Configuration, Outage, Throttled};
    for (status, setback) in [
        (400, Configuration),
        (401, Configuration),
        (403, Configuration),
        (404, Configuration),
        (408, Outage),
        (429, Throttled),
        (500, Outage),
        (502, Outage),
        (503, Outage),
        (504, Outage),
    ] {
        assert_eq!(
            said(status, &HeaderMap::new(), "{}").setback(),
            setback,
            "{status}"
        );
    }
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date_against_the_servers_own_clock() {
    // our clock: Tue, 14 Nov 2023 22:13:20 GMT
    for (pairs, expected) in [
        (&[(RETRY_AFTER, "20")][..], Some(s(20))),
        (&[(RETRY_AFTER, "0")], Some(s(0))),
        (
            &[(RETRY_AFTER, "99999999999999999999999")],
            Some(Duration::MAX),
        ),
        (
            &[(RETRY_AFTER, "Tue, 14 Nov 2023 22:13:50 GMT")],
            Some(s(30)),
        ),
        (
            &[(RETRY_AFTER, "Tue, 14 Nov 2023 22:00:00 GMT")],
            Some(s(0)),
        ),
        (
            &[
                (RETRY_AFTER, "Tue, 14 Nov 2023 22:23:40 GMT"),
                (DATE, "Tue, 14 Nov 2023 22:23:20 GMT"),
            ],
            Some(s(20)),
        ),
        (&[(RETRY_AFTER, "soon")], None),
        (&[(RETRY_AFTER, "-5")], None),
        (&[(RETRY_AFTER, "")], None),
        (&[], None),
    ] {
        assert_eq!(
            said(429, &headers(pairs), "{}").retry_after(),
            expected,
            "{pairs:?}"
        );
    }
}
