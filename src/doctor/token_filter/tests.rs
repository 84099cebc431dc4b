use std::time::Duration;

use super::*;

const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9/+==.c2lnbmF0dXJlLW9mLXRoaXM";

fn filter(token: &str) -> TokenFilter {
    let prefix = "Bearer ";
    TokenFilter::new(&AccessToken {
        header: HeaderValue::try_from(format!("{prefix}{token}")).unwrap(),
        token_start: prefix.len(),
        lifetime: Duration::ZERO,
        is_untyped: false,
    })
}

fn percent(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |all, byte| all + &format!("%{byte:02x}"))
}

#[test]
fn everything_that_a_response_can_be_quoted_from_is_withheld() {
    let mut headers = http::HeaderMap::new();
    let location = format!("https://login.example.com/{}#{TOKEN}", percent(TOKEN));
    headers.insert("location", location.parse().unwrap());
    headers.insert("server", TOKEN.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let body = format!("{{\"detail\":\"{}\"}}", TOKEN.replace('/', "\\/"));
    let response = filter(TOKEN).clean(ProbeResponse {
        status: http::StatusCode::FORBIDDEN,
        headers,
        body: body.into_bytes(),
    });
    assert_eq!(response.header("location"), Some(WITHHELD));
    assert_eq!(response.header("server"), Some(WITHHELD));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let body = String::from_utf8(response.body).unwrap();
    assert_eq!(body, format!("{{\"detail\":\"{WITHHELD}\"}}"));
}

#[test]
fn a_page_that_repeats_the_token_remains_a_page() {
    let page = filter(TOKEN).clean(ProbeResponse {
        status: http::StatusCode::FORBIDDEN,
        headers: http::HeaderMap::new(),
        body: format!(" <h1>{TOKEN}</h1>").into_bytes(),
    });
    assert!(page.is_html() && page.body == b"<");
}
