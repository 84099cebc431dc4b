//! What each response means, as tables.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use super::scene::s;
use crate::config::{Assertion, ClientAuth, GrantConfig, GrantType, TokenField};
use crate::credentials::Secret;
use crate::token::client_auth::ClientCredentials;
use crate::token::grant_error::GrantError;
use crate::token::response::{AccessToken, access_token, error};
use crate::token::response_error::ResponseDefect;
use crate::token::schedule::FailureClass;

const SECRET: &str = "correct horse battery staple";
const DEFAULT: Duration = Duration::from_mins(5);

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
        .collect()
}

fn read(body: &str) -> Result<Duration, ResponseDefect> {
    read_success(&HeaderMap::new(), body.as_bytes(), &plain()).map(|token| token.lifetime)
}

fn plain() -> GrantConfig {
    let url = "https://as.example.com/token".parse().unwrap();
    super::endpoint::config(url, ClientAuth::Basic)
}

/// A client whose secret must not be shown.
fn client<'a>(secret: &'a Secret, assertion: &'a Assertion) -> ClientCredentials<'a> {
    ClientCredentials {
        method: ClientAuth::Basic,
        id: "app",
        secret: Some(secret),
        assertion,
        assertion_type: "",
        presented: Vec::new(),
    }
}

fn read_success(
    headers: &HeaderMap,
    body: &[u8],
    config: &GrantConfig,
) -> Result<AccessToken, ResponseDefect> {
    let secret = Secret::new(SECRET);
    access_token(headers, body, config, &client(&secret, &config.assertion))
}

fn grant_error(status: u16, headers: &HeaderMap, body: &str) -> GrantError {
    let secret = Secret::new(SECRET);
    let assertion = super::endpoint::assertion();
    let credential = client(&secret, &assertion);
    let status = StatusCode::from_u16(status).unwrap();
    error(
        status,
        headers,
        Some(body.as_bytes()),
        &credential,
        UNIX_EPOCH + s(1_700_000_000),
    )
}

#[test]
fn every_form_of_lifetime_is_read_or_is_an_error() {
    for (expires_in, expected) in [
        ("3600", Ok(s(3600))),
        ("\"3600\"", Ok(s(3600))),
        ("\" 3600 \"", Ok(s(3600))),
        ("3600.5", Ok(Duration::from_millis(3_600_500))),
        ("null", Ok(DEFAULT)),
        ("1e99", Ok(s(315_360_000))),
        ("99999999999999999999999", Ok(s(315_360_000))),
        ("0", Err(ResponseDefect::Lifetime)),
        ("-1", Err(ResponseDefect::Lifetime)),
        ("\"soon\"", Err(ResponseDefect::Lifetime)),
        ("\"inf\"", Err(ResponseDefect::Lifetime)),
        ("\"NaN\"", Err(ResponseDefect::Lifetime)),
        ("true", Err(ResponseDefect::Lifetime)),
        ("[3600]", Err(ResponseDefect::Lifetime)),
    ] {
        let body =
            format!(r#"{{"access_token":"t","token_type":"bearer","expires_in":{expires_in}}}"#);
        assert_eq!(read(&body), expected, "{expires_in}");
    }
    assert_eq!(
        read(r#"{"access_token":"t","token_type":"BEARER"}"#),
        Ok(DEFAULT),
        "missing: the configured lifetime"
    );
}

#[test]
fn the_token_stands_behind_its_prefix_and_can_be_read_without_it() {
    for (prefix, expected) in [("Bearer", "Bearer t.u"), ("", "t.u"), ("a b", "a b t.u")] {
        let field = TokenField {
            prefix: prefix.to_owned(),
            ..TokenField::default()
        };
        let config = GrantConfig { field, ..plain() };
        let token = read_success(&HeaderMap::new(), br#"{"access_token":"t.u"}"#, &config).unwrap();
        assert_eq!(token.header, expected);
        assert!(token.header.is_sensitive());
        assert_eq!(token.as_str(), "t.u");
    }
}

fn of_type(said: &str) -> ResponseDefect {
    ResponseDefect::TokenType {
        said: said.to_owned(),
    }
}

#[test]
fn a_missing_token_type_means_bearer_and_another_one_only_if_it_is_configured() {
    let read = |body: &str, accept_type: Option<&str>| {
        let config = GrantConfig {
            accept_type: accept_type.map(str::to_owned),
            ..plain()
        };
        read_success(&HeaderMap::new(), body.as_bytes(), &config).map(|token| token.is_untyped)
    };
    assert_eq!(read(r#"{"access_token":"t"}"#, None), Ok(true));
    assert_eq!(
        read(r#"{"access_token":"t","token_type":null}"#, None),
        Ok(true)
    );
    let apigee = r#"{"access_token":"t","token_type":"BearerToken"}"#;
    assert_eq!(read(apigee, Some("BearerToken")), Ok(false));
    assert_eq!(read(apigee, Some("bearertoken")), Ok(false));
    let text = read(apigee, None).unwrap_err().to_string();
    assert_eq!(
        text,
        "its token_type is \"BearerToken\", not Bearer; if that server means Bearer by it, set \
         token.accept_type = \"BearerToken\""
    );
    let text = of_type("\"DPoP\"").to_string();
    assert_eq!(text, "its token_type is \"DPoP\", not Bearer");
}

#[test]
fn every_success_without_a_token_that_can_be_sent_is_an_error_of_its_own() {
    let long = format!(
        r#"{{"access_token":"{}","token_type":"Bearer"}}"#,
        "a".repeat(100_000)
    );
    for (body, defect) in [
        ("", ResponseDefect::Empty),
        (" \r\n", ResponseDefect::Empty),
        ("<html>Sign in</html>", ResponseDefect::NotJson),
        (r#"["t","Bearer",60]"#, ResponseDefect::NotJson),
        ("\"t\"", ResponseDefect::NotJson),
        (
            r#"{"access_token":"t","token_type":"Bearer""#,
            ResponseDefect::NotJson,
        ),
        ("{}", ResponseDefect::NoToken),
        (
            r#"{"access_token":"","token_type":"Bearer"}"#,
            ResponseDefect::NoToken,
        ),
        (
            r#"{"access_token":null,"token_type":"Bearer"}"#,
            ResponseDefect::NoToken,
        ),
        (
            r#"{"access_token":17,"token_type":"Bearer"}"#,
            ResponseDefect::NoToken,
        ),
        (
            r#"{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}"#,
            ResponseDefect::TokenCharacters,
        ),
        (
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            ResponseDefect::TokenCharacters,
        ),
        (
            r#"{"access_token":"ä","token_type":"Bearer"}"#,
            ResponseDefect::TokenCharacters,
        ),
        (
            long.as_str(),
            ResponseDefect::TokenTooLong { limit: 65_536 },
        ),
        (
            r#"{"access_token":"t","token_type":"DPoP"}"#,
            of_type("\"DPoP\""),
        ),
        (
            r#"{"access_token":"t","token_type":"BearerToken"}"#,
            of_type("\"BearerToken\""),
        ),
        (
            r#"{"access_token":"t","token_type":"Bearer "}"#,
            of_type("not a word"),
        ),
        (
            r#"{"access_token":"t","token_type":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}"#,
            of_type("not a word"),
        ),
        (
            r#"{"access_token":"t","token_type":7}"#,
            of_type("not a string"),
        ),
    ] {
        assert_eq!(read(body), Err(defect), "{}", &body[..body.len().min(60)]);
    }
}

#[test]
fn a_token_type_that_repeats_the_secret_is_not_shown() {
    for said in ["horse-battery", "horse%20battery", "aG9yc2UgYmF0dGVyeQ=="] {
        let body = format!(r#"{{"access_token":"t","token_type":"{said}"}}"#);
        let (config, secret) = (plain(), Secret::new("horse battery, horse-battery"));
        let credential = client(&secret, &config.assertion);
        let defect = access_token(&HeaderMap::new(), body.as_bytes(), &config, &credential);
        let shown = defect.unwrap_err().to_string();
        assert!(!shown.contains(said), "{shown}");
    }
}

#[test]
fn an_exchange_must_issue_an_access_token() {
    let exchange = GrantConfig {
        grant: GrantType::TokenExchange {
            subject_token_type: "urn:ietf:params:oauth:token-type:jwt".to_owned(),
            actor_token_type: None,
        },
        ..plain()
    };
    for (kind, expected) in [
        ("\"urn:ietf:params:oauth:token-type:access_token\"", None),
        ("\"urn:ietf:params:oauth:token-type:jwt\"", None),
        ("null", None),
        (
            "\"urn:ietf:params:oauth:token-type:refresh_token\"",
            Some(ResponseDefect::IssuedTokenType),
        ),
        ("7", Some(ResponseDefect::IssuedTokenType)),
    ] {
        let body =
            format!(r#"{{"access_token":"t","token_type":"Bearer","issued_token_type":{kind}}}"#);
        let read = |config| read_success(&HeaderMap::new(), body.as_bytes(), config).err();
        assert_eq!(read(&exchange), expected, "{kind}");
        assert_eq!(read(&plain()), None, "{kind}");
    }
    let body = br#"{"access_token":"t","token_type":"N_A"}"#;
    let defect = read_success(&HeaderMap::new(), body, &exchange).unwrap_err();
    assert_eq!(defect.to_string(), "its token_type is \"N_A\", not Bearer");
}

#[test]
fn a_compressed_success_is_called_that() {
    let gzip = headers(&[(CONTENT_ENCODING, "gzip")]);
    assert_eq!(
        read_success(&gzip, b"\x1f\x8b\x08", &plain()).unwrap_err(),
        ResponseDefect::Compressed
    );
}

#[test]
fn the_bearer_is_sensitive_and_exactly_the_token() {
    let body = br#"{"access_token":"abc.def-_~+/==","token_type":"bearer","expires_in":60}"#;
    let header = read_success(&HeaderMap::new(), body, &plain())
        .unwrap()
        .header;
    assert_eq!(header.as_bytes(), b"Bearer abc.def-_~+/==");
    assert!(header.is_sensitive());
}

#[test]
fn both_forms_of_errors_are_reported_with_their_correlation_id() {
    let prose = "word ".repeat(200);
    let long = format!(
        r#"{{"error":"invalid_scope","error_description":"{prose}(Correlation ID: 0d6e5f2a-0000-4000-8000-000000000001)"}}"#
    );
    let message = grant_error(400, &HeaderMap::new(), &long).to_string();
    assert!(
        message.len() < 450
            && message.ends_with("(correlation id 0d6e5f2a-0000-4000-8000-000000000001)"),
        "{message}"
    );

    let ping = r#"{"id":"0d6e5f2a-0000-4000-8000-000000000002","code":"NOT_FOUND","message":"No such environment","details":[]}"#;
    assert_eq!(
        grant_error(404, &HeaderMap::new(), ping).to_string(),
        "the token endpoint rejected the request with 404 Not Found: NOT_FOUND: No such environment \
         (correlation id 0d6e5f2a-0000-4000-8000-000000000002)"
    );
}

#[test]
fn any_other_error_is_reported_by_status_and_media_type_alone() {
    let html = headers(&[(CONTENT_TYPE, "text/html")]);
    for body in [
        "<html>secret</html>",
        "",
        "{",
        r#"{"error":{"a":1}}"#,
        "[1]",
    ] {
        let message = grant_error(403, &html, body).to_string();
        assert_eq!(
            message,
            "the token endpoint rejected the request with 403 Forbidden: the response is text/html, not an OAuth error"
        );
    }
}

#[test]
fn an_error_that_contains_the_secret_a_token_or_terminal_controls_is_not_shown_unchanged() {
    for echo in [
        "client_secret=correct horse battery staple",
        "client_secret=correct%20horse%20battery%20staple",
        "bad pair YXBwOmNvcnJlY3QlMjBob3JzZSUyMGJhdHRlcnklMjBzdGFwbGU=",
        "in pieces: orse battery sta",
        "corr\\u0007ect horse battery staple",
        "bad: Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==",
        "bad: 636f727265637420686f72736520626174746572792073",
        "bad: CORRECT HORSE BATTERY STAPLE",
        "old token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2F1dGgifQ.c2lnbmF0dXJl",
    ] {
        let message = grant_error(
            400,
            &HeaderMap::new(),
            &format!(r#"{{"error":"{echo}","message":"{echo}"}}"#),
        );
        for shown in [message.to_string(), format!("{message:?}")] {
            assert!(shown.contains("withheld"), "{shown}");
            for piece in ["horse", "HORSE", "YXBwOm", "Y29y", "636f", "eyJ"] {
                assert!(!shown.contains(piece), "{shown}");
            }
        }
    }
    let steered = grant_error(
        400,
        &HeaderMap::new(),
        r#"{"error":"a\u001b[2Jb\nc\u202ed"}"#,
    )
    .to_string();
    assert!(steered.ends_with(": a[2Jb cd"), "{steered}");
}

#[test]
fn the_status_decides_how_soon_the_request_is_repeated() {
    use FailureClass::{Configuration, Outage, Throttled};
    for (status, class) in [
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
            grant_error(status, &HeaderMap::new(), "{}").class(),
            class,
            "{status}"
        );
    }
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date_by_the_servers_clock() {
    // this machine's clock: Tue, 14 Nov 2023 22:13:20 GMT
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
            grant_error(429, &headers(pairs), "{}").retry_after(),
            expected,
            "{pairs:?}"
        );
    }
}
