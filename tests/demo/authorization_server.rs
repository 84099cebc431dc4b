//! The token endpoint: grants, errors and simulated faults.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cupbearer::credentials::Secret;
use cupbearer::demo::{self, AuthMethod, ExpiresIn, TokenReply, Verdict};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::support::{DemoFixture, error, oauth_error, part, read};

#[tokio::test]
async fn the_token_response_has_the_members_and_claims_of_the_real_server() {
    let fixture = DemoFixture::new().await;

    fixture.demo.state.change(|it| it.typ = "at+jwt".to_owned());
    let response = fixture.grant().await;

    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let answer = read(response).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 60);
    assert_eq!(answer["scope"], "self-service");
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(part(token, 0)["alg"], "RS256");
    assert_eq!(part(token, 0)["typ"], "at+jwt");
    let claims = part(token, 1);
    assert_eq!(claims["aud"], json!(["self-service-api"]));
    assert_eq!(claims["groups"], json!(["dev-tls-admin"]));
    assert_eq!(claims["iss"], fixture.demo.issuer);
    assert_eq!(claims["client_id"], fixture.demo.client_id);
    assert_eq!(claims["env"], fixture.demo.environment_id);
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((60..=61).contains(&life), "{life}");
    assert!(claims.get("sub").is_none());
}

#[tokio::test]
async fn a_token_can_be_verified_with_the_key_set_that_discovery_names() {
    let fixture = DemoFixture::new().await;
    let token = fixture.token().await;

    let discovery = format!("{}/.well-known/openid-configuration", fixture.demo.issuer);
    let metadata = read(fixture.http.get(discovery).send().await.unwrap()).await;
    assert_eq!(metadata["issuer"], fixture.demo.issuer);
    assert_eq!(metadata["token_endpoint"], fixture.demo.token_url);
    let jwks = fixture
        .http
        .get(metadata["jwks_uri"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let jwks = read(jwks).await;
    let key = &jwks["keys"][0];
    assert_eq!(key["kid"], part(&token, 0)["kid"]);

    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = aws_lc_rs::signature::RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    let rules = &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
    public.verify(rules, input.as_bytes(), &signature).unwrap();
    assert!(public.verify(rules, b"something else", &signature).is_err());
}

#[tokio::test]
async fn client_authentication_is_checked() {
    let fixture = DemoFixture::new().await;
    let (id, secret) = (fixture.demo.client_id, fixture.secret());
    let grant = "grant_type=client_credentials";
    let wrong = error(
        401,
        "invalid_client",
        "Request denied: Invalid client credentials",
    );
    let method = error(
        401,
        "invalid_client",
        "Request denied: Unsupported authentication method",
    );

    let response = fixture.basic(id, "wrong", grant).await;
    assert!(
        response.headers()[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .starts_with("Basic")
    );
    assert_eq!(oauth_error(response).await, wrong);
    assert_eq!(
        oauth_error(fixture.basic("nobody", &secret, grant).await).await,
        wrong
    );

    let posted = format!("{grant}&client_id={id}&client_secret={secret}");
    assert_eq!(
        oauth_error(fixture.token_request(&posted).send().await.unwrap()).await,
        method
    );
    let none = format!("{grant}&client_id={id}");
    assert_eq!(
        oauth_error(fixture.token_request(&none).send().await.unwrap()).await,
        method
    );
    assert_eq!(
        fixture.basic(id, &secret, &posted).await.status(),
        400,
        "two methods in one request"
    );

    fixture
        .demo
        .state
        .change_application(id, |it| it.auth = AuthMethod::Post);
    assert_eq!(
        oauth_error(fixture.basic(id, &secret, grant).await).await,
        method
    );
    assert_eq!(
        fixture
            .token_request(&posted)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_secret_of_any_characters_works_if_it_is_percent_encoded() {
    let fixture = DemoFixture::new().await;
    let secret = "a:b c+d%e/é&=\"";
    fixture
        .demo
        .state
        .rotate_secret(fixture.demo.client_id, Secret::new(secret), Duration::ZERO);

    let grant = "grant_type=client_credentials";
    assert_eq!(
        fixture
            .basic(fixture.demo.client_id, secret, grant)
            .await
            .status(),
        200
    );

    let raw = STANDARD.encode(format!("{}:{secret}", fixture.demo.client_id));
    let unencoded = fixture
        .token_request(grant)
        .header("authorization", format!("Basic {raw}"));
    assert_eq!(unencoded.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_replaced_secret_stops_working_at_once_or_after_its_grace_period() {
    let fixture = DemoFixture::new().await;
    let (id, state) = (fixture.demo.client_id, &fixture.demo.state);

    state.rotate_secret(id, Secret::new("second"), Duration::from_hours(1));
    assert_eq!(fixture.grant().await.status(), 200);
    let grant = "grant_type=client_credentials";
    assert_eq!(fixture.basic(id, "second", grant).await.status(), 200);

    state.rotate_secret(id, Secret::new("third"), Duration::ZERO);
    assert_eq!(fixture.grant().await.status(), 401);
    assert_eq!(fixture.basic(id, "second", grant).await.status(), 401);
    assert_eq!(fixture.basic(id, "third", grant).await.status(), 200);
}

#[tokio::test]
async fn each_mistake_in_the_application_gets_its_own_error() {
    let fixture = DemoFixture::new().await;
    let id = fixture.demo.client_id;
    let rows: [(fn(&mut demo::Application), _); 5] = [
        (
            |it| it.resources.clear(),
            error(400, "invalid_scope", "At least one scope must be granted"),
        ),
        (
            |it| {
                let mut other = it.resources[0].clone();
                other.audience = "other".to_owned();
                it.resources.push(other);
            },
            error(
                400,
                "invalid_scope",
                "May not request scopes for multiple resources",
            ),
        ),
        (
            |it| it.worker = true,
            error(
                400,
                "invalid_request",
                "Application does not have any role assignments",
            ),
        ),
        (
            |it| it.client_credentials = false,
            error(
                400,
                "unauthorized_client",
                "The application may not use this grant type",
            ),
        ),
        (
            |it| it.on = false,
            error(
                401,
                "invalid_client",
                "Request denied: Invalid client credentials",
            ),
        ),
    ];
    let sound = fixture.demo.state.behaviour().applications[id].clone();
    for (spoil, expected) in rows {
        fixture.demo.state.change_application(id, spoil);
        assert_eq!(oauth_error(fixture.grant().await).await, expected);
        fixture
            .demo
            .state
            .change_application(id, |it| *it = sound.clone());
    }
    assert_eq!(fixture.grant().await.status(), 200);
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_its_error_code() {
    let fixture = DemoFixture::new().await;
    for (body, expected) in [
        ("scope=self-service", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        (
            "grant_type=client_credentials&grant_type=client_credentials",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&scope=misspelt",
            "invalid_scope",
        ),
    ] {
        let response = fixture
            .basic(fixture.demo.client_id, &fixture.secret(), body)
            .await;
        let (status, error, _) = oauth_error(response).await;
        assert_eq!((status, error.as_str()), (400, expected), "{body}");
    }
}

#[tokio::test]
async fn an_unknown_environment_or_path_is_a_404_in_the_other_json_format() {
    let fixture = DemoFixture::new().await;
    let elsewhere = fixture
        .demo
        .issuer
        .replace(fixture.demo.environment_id, "another");
    for url in [
        format!("{elsewhere}/.well-known/openid-configuration"),
        format!("{elsewhere}/jwks"),
        format!("{}/nothing", fixture.demo.issuer),
    ] {
        let response = fixture.http.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 404, "{url}");
        let body = read(response).await;
        assert_eq!(body["code"], "NOT_FOUND", "{url}");
        assert!(
            body["id"].is_string() && body["message"].is_string() && body["details"].is_array()
        );
    }
    let form = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded")];
    let post = fixture
        .http
        .post(format!("{elsewhere}/token"))
        .header(&form[0].0, form[0].1);
    let body = read(
        post.body("grant_type=client_credentials")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(body["code"], "NOT_FOUND");
}

#[tokio::test]
async fn the_token_endpoint_sends_the_scripted_replies_and_then_normal_ones() {
    let fixture = DemoFixture::new().await;
    let state = &fixture.demo.state;
    state.reply_next(TokenReply::limited(Some(HeaderValue::from_static("20"))));
    state.reply_next(TokenReply::html(StatusCode::FORBIDDEN));
    state.reply_next(TokenReply::html(StatusCode::OK));

    let limited = fixture.grant().await;
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"20".parse().unwrap())
    );
    assert_eq!(read(limited).await["code"], "REQUEST_LIMITED");
    for status in [403, 200] {
        let page = fixture.grant().await;
        assert_eq!(page.status(), status);
        assert!(
            page.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
    }
    assert_eq!(fixture.grant().await.status(), 200);

    state.reply_always(TokenReply::trouble(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(fixture.grant().await.status(), 503);
    assert_eq!(fixture.grant().await.status(), 503);
    state.reply_always(TokenReply::Normal);
    state.change(|it| it.expires_in = ExpiresIn::Missing);
    assert!(
        read(fixture.grant().await)
            .await
            .get("expires_in")
            .is_none()
    );

    let statuses: Vec<_> = state
        .token_requests()
        .iter()
        .map(|request| request.status.unwrap().as_u16())
        .collect();
    assert_eq!(statuses, [429, 403, 200, 200, 503, 503, 200]);
    assert_eq!(state.token_request_count(), 7);
}

#[tokio::test]
async fn a_token_request_that_is_never_answered_is_counted() {
    let fixture = DemoFixture::new().await;
    fixture.demo.state.reply_next(TokenReply::Never);
    let state = fixture.demo.state.clone();
    let arrived = async {
        while state.token_request_count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        response = fixture.grant() => panic!("{response:?}"),
        () = arrived => {}
    }
    assert_eq!(state.token_requests()[0].status, None);
}

#[tokio::test]
async fn the_lifetime_of_a_token_includes_the_latency_of_the_response() {
    let fixture = DemoFixture::new().await;
    let latency = Duration::from_millis(100);
    fixture.demo.state.change(|it| {
        it.latency = latency;
        it.lifetime = latency;
    });
    let asked = tokio::time::Instant::now();

    let token = fixture.token().await;

    assert!(asked.elapsed() >= latency);
    assert_eq!(fixture.list(&token).await, 401);
    assert_eq!(fixture.last_verdict(), Verdict::Expired);
}

#[tokio::test]
async fn a_recorded_token_request_contains_no_secret() {
    let fixture = DemoFixture::new().await;
    let body = "grant_type=client_credentials&audience=x&client_id=c&client_secret=hunter2";
    fixture.token_request(body).send().await.unwrap();

    let requests = fixture.demo.state.token_requests();

    let parameters: Vec<_> = requests[0]
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        parameters,
        [
            ("grant_type", "client_credentials"),
            ("audience", "x"),
            ("client_id", "c"),
            ("client_secret", "")
        ]
    );
}
