//! Claims about documents: what is changed, and that everything around it stays byte for byte.

use http::uri::{Authority, Scheme};

use super::*;
use crate::config;
use crate::guard::OwnScheme;

fn client(scheme: OwnScheme) -> ClientAddress {
    ClientAddress {
        scheme,
        authority: "localhost:6749".to_owned(),
    }
}

fn at(scheme: Scheme, document: &str) -> Option<String> {
    let api = config::Origin {
        scheme,
        authority: Authority::from_static("api.example.com"),
    };
    let client = client(OwnScheme::Http);
    rewritten(
        document.as_bytes(),
        OriginRef::of_upstream(&api),
        &client,
        &DocumentChanges::NONE,
    )
    .map(|new| String::from_utf8(new).unwrap())
}

fn over_tls(document: &str) -> Option<String> {
    at(Scheme::HTTPS, document)
}

#[test]
fn every_server_that_names_the_upstream_is_rewritten_and_no_other_byte() {
    let document = r#" {"openapi" : "3.1.0", "x": 1.0e2, "big": 123456789012345678901234567890,
  "servers":[ {"url":"https:\/\/api.example.com/v1", "description":"\u00e4"},{"url": "https://{region}.example.com"} ,
    {"url":"/v1"}, {"url":"https://other.example.com"}, {"description": "no url"}, {"url": 7}],
  "paths":{"/servers":{"servers":[{"url":"//API.example.com:443"}],"get":{"servers":[{"url":"https://api.example.com"}],
    "description":"https://api.example.com"},"x-servers":[{"url":"https://api.example.com"}]}}}
"#;
    let expected = document
        .replace(
            r#""https:\/\/api.example.com/v1""#,
            r#""http://localhost:6749/v1""#,
        )
        .replace(
            r#"[{"url":"//API.example.com:443"}]"#,
            r#"[{"url":"http://localhost:6749"}]"#,
        )
        .replace(
            r#""get":{"servers":[{"url":"https://api.example.com"}]"#,
            r#""get":{"servers":[{"url":"http://localhost:6749"}]"#,
        );
    assert_eq!(over_tls(document).as_deref(), Some(&*expected));
}

#[test]
fn servers_are_rewritten_wherever_a_document_may_have_them() {
    const SERVERS: &str = r#""servers":[{"url":"https://api.example.com/v1"}]"#;
    for (place, is_rewritten) in [
        (r#""components":{"pathItems":{"one":{@}}}"#, true),
        (r#""components":{"pathItems":{"one":{"get":{@}}}}"#, true),
        (r#""webhooks":{"changed":{@}}"#, true),
        (r#""webhooks":{"changed":{"post":{@}}}"#, true),
        (
            r#""components":{"callbacks":{"c":{"{$request.body#/u}":{"post":{@}}}}}"#,
            true,
        ),
        (
            r#""paths":{"/a":{"post":{"callbacks":{"c":{"{$url}":{@}}}}}}"#,
            true,
        ),
        (
            r#""paths":{"/a":{"post":{"callbacks":{"c":{"{$url}":{"put":{@}}}}}}}"#,
            true,
        ),
        (
            r#""paths":{"/a":{"additionalOperations":{"COPY":{@}}}}"#,
            true,
        ),
        (r#""components":{"schemas":{"one":{@}}}"#, false),
        (r#""components":{"examples":{"one":{"value":{@}}}}"#, false),
        (r#""x-webhooks":{"changed":{@}}"#, false),
    ] {
        let document = format!(r#"{{"openapi":"3.1.0",{}}}"#, place.replace('@', SERVERS));
        let expected = document.replace("https://api.example.com/v1", "http://localhost:6749/v1");
        let expected = is_rewritten.then_some(expected);
        assert_eq!(over_tls(&document), expected, "{place}");
    }
    let server = r#""server":{"url":"https://api.example.com/v1"}"#;
    for place in [
        r#""components":{"links":{"l":{@}}}"#,
        r#""components":{"responses":{"r":{"links":{"l":{@}}}}}"#,
        r#""paths":{"/a":{"get":{"responses":{"200":{"links":{"l":{@}}}}}}}"#,
    ] {
        let document = format!(r#"{{"openapi":"3.1.0",{}}}"#, place.replace('@', server));
        let expected = document.replace("https://api.example.com/v1", "http://localhost:6749/v1");
        assert_eq!(over_tls(&document), Some(expected), "{place}");
    }
}

#[test]
fn a_swagger_2_document_names_the_proxy_by_host_and_schemes() {
    for (document, expected) in [
        (
            r#"{"swagger":"2.0","host":"api.example.com","schemes":["https","wss"],"basePath":"/v1"}"#,
            Some(
                r#"{"swagger":"2.0","host":"localhost:6749","schemes":["http"],"basePath":"/v1"}"#,
            ),
        ),
        (
            r#"{"schemes": ["https"], "host":"API.example.com:443", "swagger":"2.0"}"#,
            Some(r#"{"schemes": ["http"], "host":"localhost:6749", "swagger":"2.0"}"#),
        ),
        (
            r#"{"swagger":"2.0","host":"api.example.com"}"#,
            Some(r#"{"swagger":"2.0","host":"localhost:6749"}"#),
        ),
        (
            r#"{"swagger":"2.0","schemes":["https"],"paths":{"/a":{"get":{"schemes":["https"]}}}}"#,
            Some(
                r#"{"swagger":"2.0","schemes":["http"],"paths":{"/a":{"get":{"schemes":["http"]}}}}"#,
            ),
        ),
        (
            r#"{"swagger":"2.0","host":"other.example.com","schemes":["https"]}"#,
            None,
        ),
        (r#"{"swagger":"2.0","host":7,"schemes":["https"]}"#, None),
        (r#"{"swagger":"2.0","schemes":["wss"]}"#, None),
        (r#"{"swagger":"2.0"}"#, None),
    ] {
        assert_eq!(over_tls(document).as_deref(), expected, "{document}");
    }
}

#[test]
fn a_plain_http_upstream_is_named_only_by_http() {
    let document = r#"{"swagger":"2.0","host":"api.example.com","schemes":[ "http" ]}"#;
    let expected = r#"{"swagger":"2.0","host":"localhost:6749","schemes":[ "http" ]}"#;
    assert_eq!(at(Scheme::HTTP, document).as_deref(), Some(expected));
    let secure = r#"{"openapi":"3.0.0","servers":[{"url":"https://api.example.com/"}]}"#;
    assert_eq!(at(Scheme::HTTP, secure), None);
}

#[test]
fn anything_else_is_kept_as_it_is() {
    let servers = r#""servers":[{"url":"https://api.example.com"}]"#;
    for document in [
        format!("{{{servers}}}"),
        format!("{{\"info\":{{\"openapi\":\"3.0.0\"}},{servers}}}"),
        format!("[{{\"openapi\":\"3.0.0\",{servers}}}]"),
        format!("{{\"openapi\":\"3.0.0\",{servers}"),
        format!("{{\"openapi\":\"3.0.0\",{servers}}} more"),
        format!("\u{feff}{{\"openapi\":\"3.0.0\",{servers}}}"),
        r#"{"openapi":"3.0.0","servers":[{"url":"/"}]}"#.to_owned(),
        r#"{"openapi":"3.0.0","servers":"https://api.example.com"}"#.to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        assert_eq!(over_tls(&document), None, "{document}");
    }
    let not_text = b"{\"openapi\":\"\xff\",\"servers\":[{\"url\":\"https://api.example.com\"}]}";
    let api = config::Origin {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("api.example.com"),
    };
    assert_eq!(
        rewritten(
            not_text,
            OriginRef::of_upstream(&api),
            &client(OwnScheme::Http),
            &DocumentChanges::NONE
        ),
        None
    );
}

#[test]
fn values_of_unexpected_types_are_skipped() {
    let document = r#"{"openapi":null,"paths":{"x-a":[1,{"servers":[]}],"x-b":"s","x-c":-1,"x-d":2,"x-e":1.5,"x-f":true,"/a":{"get":null}},"servers":["s",{"url":"https://api.example.com"}]}"#;
    let expected = document.replace("https://api.example.com", "http://localhost:6749");
    assert_eq!(over_tls(document).as_deref(), Some(&*expected));
}

#[test]
fn for_a_client_with_tls_the_servers_have_https() {
    let api = config::Origin {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("api.example.com"),
    };
    for (document, expected) in [
        (
            r#"{"openapi":"3.1.0","servers":[{"url":"https://api.example.com/v1"}]}"#,
            r#"{"openapi":"3.1.0","servers":[{"url":"https://localhost:6749/v1"}]}"#,
        ),
        (
            r#"{"swagger":"2.0","host":"api.example.com","schemes":["https","wss"]}"#,
            r#"{"swagger":"2.0","host":"localhost:6749","schemes":["https"]}"#,
        ),
    ] {
        let upstream = OriginRef::of_upstream(&api);
        let new = rewritten(
            document.as_bytes(),
            upstream,
            &client(OwnScheme::Https),
            &DocumentChanges::NONE,
        )
        .unwrap();
        assert_eq!(String::from_utf8(new).unwrap(), expected);
    }
}
