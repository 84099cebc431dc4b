//! Access to the API, and its routes.

use std::time::Duration;

use cupbearer::demo::{Groups, Verdict};
use http::header;
use serde_json::{Value, json};

use crate::support::{DemoFixture, read};

#[tokio::test]
async fn a_request_with_a_token_is_accepted_and_one_without_is_rejected() {
    let fixture = DemoFixture::new().await;

    let refused = fixture
        .api("GET", "/api/v1/certificates")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(
        read(refused).await,
        json!({ "detail": "Not authenticated" })
    );

    let token = fixture.token().await;
    let listed = fixture
        .api("GET", "/api/v1/certificates")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.status(), 200);
    assert_eq!(read(listed).await.as_array().unwrap().len(), 2);

    let verdicts: Vec<_> = fixture
        .demo
        .state
        .api_requests()
        .iter()
        .map(|request| request.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Missing, Verdict::Allowed]);
    assert_eq!(
        fixture.demo.state.api_requests()[1].authorization_lines(),
        1
    );
    assert!(!format!("{:?}", fixture.demo.state.api_requests()).contains(&token));
}

#[tokio::test]
async fn revoked_foreign_forged_and_expired_tokens_are_rejected() {
    let (fixture, other) = (DemoFixture::new().await, DemoFixture::new().await);
    let token = fixture.token().await;
    assert_eq!(fixture.list(&token).await, 200);

    assert_eq!(fixture.list(&other.token().await).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::Unverified);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{}.{signature}", input.replacen('e', "f", 1));
    assert_eq!(fixture.list(&forged).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::Unverified);

    fixture.demo.state.change(|it| it.connected = false);
    assert_eq!(fixture.list(&token).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::WrongIssuer);
    fixture.demo.state.change(|it| it.connected = true);

    fixture.demo.state.revoke_all_tokens();
    assert_eq!(fixture.list(&token).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::Revoked);
    assert_eq!(fixture.list(&fixture.token().await).await, 200);

    fixture.demo.state.change(|it| it.lifetime = Duration::ZERO);
    assert_eq!(fixture.list(&fixture.token().await).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::Expired);
}

#[tokio::test]
async fn a_missing_role_is_a_403_with_the_message_of_the_real_api() {
    let fixture = DemoFixture::new().await;
    let delete = async || {
        let token = fixture.token().await;
        let path = "/api/v1/certificates/wildcard";
        fixture
            .api("DELETE", path)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
    };
    for groups in [
        Groups::Array(vec!["dev-tls-audit".to_owned()]),
        Groups::Text("{“dev-tls-admin”}".to_owned()),
        Groups::Missing,
    ] {
        fixture.demo.state.change(|it| it.groups = groups);
        let refused = delete().await;
        assert_eq!(refused.status(), 403);
        let detail = json!({ "detail": "Access token is missing required scopes." });
        assert_eq!(read(refused).await, detail);
    }
    fixture
        .demo
        .state
        .change(|it| it.groups = Groups::Array(vec!["all-tls-admin".to_owned()]));
    assert_eq!(delete().await.status(), 204);
}

#[tokio::test]
async fn certificates_and_hostnames_are_created_and_deleted_and_no_private_key_is_returned() {
    let fixture = DemoFixture::new().await;
    let token = fixture.token().await;
    let send = async |method: &str, path: &str, body: Option<Value>| {
        let request = fixture.api(method, path).bearer_auth(&token);
        let request = body.map_or(request.try_clone().unwrap(), |body| {
            request.body(body.to_string())
        });
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap(),
        )
    };
    let pem = |label: &str| format!("-----BEGIN {label}-----\nTUVPVw==\n-----END {label}-----\n");
    let new =
        json!({ "name": "n1", "fullchain": pem("CERTIFICATE"), "privkey": pem("PRIVATE KEY") });

    let (status, body) = send("POST", "/api/v1/certificates", Some(new.clone())).await;
    assert_eq!(status, 201);
    assert!(!body.contains("PRIVATE"), "{body}");
    assert_eq!(send("POST", "/api/v1/certificates", Some(new)).await.0, 409);
    assert!(
        !send("GET", "/api/v1/certificates", None)
            .await
            .1
            .contains("PRIVATE")
    );

    let (status, body) = send(
        "POST",
        "/api/v1/certificates",
        Some(json!({ "name": "n2" })),
    )
    .await;
    assert_eq!(status, 422);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["detail"][0]["loc"], json!(["body", "fullchain"]));
    assert_eq!(body["detail"][0]["type"], "missing");

    let host = json!({ "hostname": "a.example.test", "product": "pingaccess", "certname": "n1" });
    assert_eq!(send("POST", "/api/v1/hostnames", Some(host)).await.0, 201);
    assert_eq!(send("DELETE", "/api/v1/certificates/n1", None).await.0, 409);
    assert_eq!(
        send("DELETE", "/api/v1/hostnames/a.example.test", None)
            .await
            .0,
        204
    );
    assert_eq!(
        send("DELETE", "/api/v1/certificates/n1", None).await,
        (204, String::new())
    );
    assert_eq!(
        send(
            "DELETE",
            "/api/v1/certificates/login?force_delete=true",
            None
        )
        .await
        .0,
        204
    );
    assert_eq!(
        send("GET", "/api/v1/hostnames", None).await,
        (200, "[]".to_owned())
    );
    assert_eq!(send("DELETE", "/api/v1/certificates/n1", None).await.0, 404);
    assert_eq!(
        send("GET", "/api/v1/nothing", None).await,
        (404, r#"{"detail":"Not Found"}"#.to_owned())
    );
    assert_eq!(send("PUT", "/api/v1/hostnames", None).await.0, 405);
}

#[tokio::test]
async fn swagger_ui_and_the_openapi_document_need_no_token() {
    let fixture = DemoFixture::new().await;
    let text = async |path: &str| {
        let response = fixture.api("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };

    let page = text("/docs?x=\"><script>").await;
    assert!(!page.contains("x=\""));
    let assets: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/docs/") || part.ends_with("openapi.json"))
        .collect();
    assert_eq!(
        assets,
        [
            "/docs/swagger-ui.css",
            "/docs/swagger-ui-bundle.js",
            "/api/v1/openapi.json"
        ]
    );
    for path in assets {
        assert!(text(path).await.len() > 1000, "{path}");
    }
    assert!(
        text("/docs/swagger-ui-bundle.js")
            .await
            .contains("SwaggerUIBundle")
    );
    assert_eq!(
        fixture
            .api("GET", "/docs/index.html")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );

    let servers = async || -> Value {
        let document: Value = serde_json::from_str(&text("/api/v1/openapi.json").await).unwrap();
        document["servers"].clone()
    };
    assert_eq!(servers().await, json!([{ "url": "/" }]));
    fixture
        .demo
        .state
        .change(|it| it.openapi_server = "https://api.example.com".to_owned());
    assert_eq!(
        servers().await,
        json!([{ "url": "https://api.example.com" }])
    );
}

#[tokio::test]
async fn two_authorization_lines_are_rejected_and_counted() {
    let fixture = DemoFixture::new().await;
    let token = fixture.token().await;
    let twice = fixture
        .api("GET", "/api/v1/hostnames?a=%2F")
        .bearer_auth(&token)
        .bearer_auth(&token);

    assert_eq!(twice.send().await.unwrap().status(), 401);

    let request = &fixture.demo.state.api_requests()[0];
    assert_eq!(request.verdict, Verdict::Repeated);
    assert_eq!(request.authorization_lines(), 2);
    assert_eq!(request.target, "/api/v1/hostnames?a=%2F");
    assert_eq!(fixture.demo.state.api_request_count(), 1);
}
