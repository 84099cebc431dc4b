//! A demo on free ports, a client for it, and functions that read its responses.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cupbearer::demo::{self, Demo, Options, Verdict};
use http::{StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A demo on free ports, and a client that uses no proxy.
pub(crate) struct DemoFixture {
    pub(crate) demo: Demo,
    pub(crate) http: Client,
}

impl DemoFixture {
    pub(crate) async fn new() -> Self {
        Self::with(Options::on_free_ports()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        // The process has one crypto provider, which the first test installs.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        Self {
            demo: demo::start(options).await.unwrap(),
            http,
        }
    }

    pub(crate) fn secret(&self) -> String {
        String::from_utf8(self.demo.client_secret.expose().to_vec()).unwrap()
    }

    pub(crate) fn token_request(&self, body: &str) -> RequestBuilder {
        self.http
            .post(&self.demo.token_url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.to_owned())
    }

    pub(crate) async fn basic(&self, id: &str, secret: &str, body: &str) -> Response {
        let encoded = |text| utf8_percent_encode(text, &RESERVED).to_string();
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        self.token_request(body)
            .header("authorization", format!("Basic {pair}"))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn grant(&self) -> Response {
        self.basic(
            self.demo.client_id,
            &self.secret(),
            "grant_type=client_credentials",
        )
        .await
    }

    pub(crate) async fn token(&self) -> String {
        let response: Value = read(self.grant().await).await;
        response["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn api(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(
            method.parse().unwrap(),
            format!("{}{path}", self.demo.api_url),
        )
    }

    pub(crate) async fn list(&self, token: &str) -> StatusCode {
        self.api("GET", "/api/v1/certificates")
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
    }

    pub(crate) fn last_verdict(&self) -> Verdict {
        self.demo.state.api_requests().last().unwrap().verdict
    }
}

pub(crate) async fn read(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Status, `error` and `error_description`. Checks that the description ends with a correlation id and removes it.
pub(crate) async fn oauth_error(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body = read(response).await;
    let description = body["error_description"].as_str().unwrap();
    let (description, id) = description.split_once(" (Correlation ID: ").unwrap();
    assert_eq!(id.len(), 37, "{id}");
    (
        status,
        body["error"].as_str().unwrap().to_owned(),
        description.to_owned(),
    )
}

pub(crate) fn error(status: u16, error: &str, description: &str) -> (u16, String, String) {
    (status, error.to_owned(), description.to_owned())
}

pub(crate) fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(index).unwrap())
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
