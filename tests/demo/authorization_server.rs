//! Grants, refusals, misbehaviour.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cupbearer::credentials::Secret;
use cupbearer::demo::{self, AuthMethod, ExpiresIn, Reply, Verdict};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::support::{Scene, error, oauth_error, part, read};

#[tokio::test]
async fn the_token_answer_has_the_fields_and_claims_of_the_facts() {
    let scene = Scene::new().await;

    scene.demo.knobs.change(|it| it.typ = "at+jwt".to_owned());
    let response = scene.grant().await;

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
    assert_eq!(claims["iss"], scene.demo.issuer);
    assert_eq!(claims["client_id"], scene.demo.client_id);
    assert_eq!(claims["env"], scene.demo.environment_id);
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((60..=61).contains(&life), "{life}");
    assert!(claims.get("sub").is_none());
}

#[tokio::test]
async fn a_stranger_verifies_a_token_with_what_discovery_names() {
    let scene = Scene::new().await;
    let token = scene.token().await;

    let discovery = format!("{}/.well-known/openid-configuration", scene.demo.issuer);
    let metadata = read(scene.http.get(discovery).send().await.unwrap()).await;
    assert_eq!(metadata["issuer"], scene.demo.issuer);
    assert_eq!(metadata["token_endpoint"], scene.demo.token_url);
    let jwks = scene
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
async fn client_authentication_is_really_checked() {
    let scene = Scene::new().await;
    let (id, secret) = (scene.demo.client_id, scene.secret());
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

    let response = scene.basic(id, "wrong", grant).await;
    assert!(
        response.headers()[header::WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .starts_with("Basic")
    );
    assert_eq!(oauth_error(response).await, wrong);
    assert_eq!(
        oauth_error(scene.basic("nobody", &secret, grant).await).await,
        wrong
    );

    let posted = format!("{grant}&client_id={id}&client_secret={secret}");
    assert_eq!(
        oauth_error(scene.token_request(&posted).send().await.unwrap()).await,
        method
    );
    let none = format!("{grant}&client_id={id}");
    assert_eq!(
        oauth_error(scene.token_request(&none).send().await.unwrap()).await,
        method
    );
    assert_eq!(
        scene.basic(id, &secret, &posted).await.status(),
        400,
        "two methods at once"
    );

    scene
        .demo
        .knobs
        .change_application(id, |it| it.auth = AuthMethod::Post);
    assert_eq!(
        oauth_error(scene.basic(id, &secret, grant).await).await,
        method
    );
    assert_eq!(
        scene.token_request(&posted).send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn a_secret_of_any_characters_works_when_it_is_percent_encoded() {
    let scene = Scene::new().await;
    let secret = "a:b c+d%e/é&=\"";
    scene
        .demo
        .knobs
        .rotate_secret(scene.demo.client_id, Secret::new(secret), Duration::ZERO);

    let grant = "grant_type=client_credentials";
    assert_eq!(
        scene
            .basic(scene.demo.client_id, secret, grant)
            .await
            .status(),
        200
    );

    let raw = STANDARD.encode(format!("{}:{secret}", scene.demo.client_id));
    let unencoded = scene
        .token_request(grant)
        .header("authorization", format!("Basic {raw}"));
    assert_eq!(unencoded.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_rotated_secret_dies_at_once_or_after_its_grace() {
    let scene = Scene::new().await;
    let (id, knobs) = (scene.demo.client_id, &scene.demo.knobs);

    knobs.rotate_secret(id, Secret::new("second"), Duration::from_hours(1));
    assert_eq!(scene.grant().await.status(), 200);
    let grant = "grant_type=client_credentials";
    assert_eq!(scene.basic(id, "second", grant).await.status(), 200);

    knobs.rotate_secret(id, Secret::new("third"), Duration::ZERO);
    assert_eq!(scene.grant().await.status(), 401);
    assert_eq!(scene.basic(id, "second", grant).await.status(), 401);
    assert_eq!(scene.basic(id, "third", grant).await.status(), 200);
}

#[tokio::test]
async fn each_wrong_set_up_of_the_application_gets_its_row_of_the_table() {
    let scene = Scene::new().await;
    let id = scene.demo.client_id;
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
    let sound = scene.demo.knobs.behaviour().applications[id].clone();
    for (spoil, expected) in rows {
        scene.demo.knobs.change_application(id, spoil);
        assert_eq!(oauth_error(scene.grant().await).await, expected);
        scene
            .demo
            .knobs
            .change_application(id, |it| *it = sound.clone());
    }
    assert_eq!(scene.grant().await.status(), 200);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_by_name() {
    let scene = Scene::new().await;
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
        let response = scene
            .basic(scene.demo.client_id, &scene.secret(), body)
            .await;
        let (status, error, _) = oauth_error(response).await;
        assert_eq!((status, error.as_str()), (400, expected), "{body}");
    }
}

#[tokio::test]
async fn an_unknown_environment_or_path_is_a_404_in_the_other_shape() {
    let scene = Scene::new().await;
    let elsewhere = scene
        .demo
        .issuer
        .replace(scene.demo.environment_id, "another");
    for url in [
        format!("{elsewhere}/.well-known/openid-configuration"),
        format!("{elsewhere}/jwks"),
        format!("{}/nothing", scene.demo.issuer),
    ] {
        let response = scene.http.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 404, "{url}");
        let body = read(response).await;
        assert_eq!(body["code"], "NOT_FOUND", "{url}");
        assert!(
            body["id"].is_string() && body["message"].is_string() && body["details"].is_array()
        );
    }
    let form = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded")];
    let post = scene
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
async fn the_token_endpoint_misbehaves_as_told_then_is_honest_again() {
    let scene = Scene::new().await;
    let knobs = &scene.demo.knobs;
    knobs.then_reply(Reply::limited(Some(HeaderValue::from_static("20"))));
    knobs.then_reply(Reply::html(StatusCode::FORBIDDEN));
    knobs.then_reply(Reply::html(StatusCode::OK));

    let limited = scene.grant().await;
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"20".parse().unwrap())
    );
    assert_eq!(read(limited).await["code"], "REQUEST_LIMITED");
    for status in [403, 200] {
        let page = scene.grant().await;
        assert_eq!(page.status(), status);
        assert!(
            page.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
    }
    assert_eq!(scene.grant().await.status(), 200);

    knobs.always_reply(Reply::trouble(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(scene.grant().await.status(), 503);
    assert_eq!(scene.grant().await.status(), 503);
    knobs.always_reply(Reply::Honest);
    knobs.change(|it| it.expires_in = ExpiresIn::Missing);
    assert!(read(scene.grant().await).await.get("expires_in").is_none());

    let statuses: Vec<_> = knobs
        .token_posts()
        .iter()
        .map(|post| post.status.unwrap().as_u16())
        .collect();
    assert_eq!(statuses, [429, 403, 200, 200, 503, 503, 200]);
    assert_eq!(knobs.token_post_count(), 7);
}

#[tokio::test]
async fn a_silent_token_endpoint_counts_the_request_and_says_nothing() {
    let scene = Scene::new().await;
    scene.demo.knobs.then_reply(Reply::Silence);
    let knobs = scene.demo.knobs.clone();
    let arrived = async {
        while knobs.token_post_count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        response = scene.grant() => panic!("{response:?}"),
        () = arrived => {}
    }
    assert_eq!(knobs.token_posts()[0].status, None);
}

#[tokio::test]
async fn latency_holds_the_answer_back_while_the_token_already_ages() {
    let scene = Scene::new().await;
    let latency = Duration::from_millis(100);
    scene.demo.knobs.change(|it| {
        it.latency = latency;
        it.lifetime = latency;
    });
    let asked = tokio::time::Instant::now();

    let token = scene.token().await;

    assert!(asked.elapsed() >= latency);
    assert_eq!(scene.list(&token).await, 401);
    assert_eq!(scene.last_verdict(), Verdict::Expired);
}

#[tokio::test]
async fn the_ledger_keeps_what_was_asked_but_no_secret() {
    let scene = Scene::new().await;
    let body = "grant_type=client_credentials&audience=x&client_id=c&client_secret=hunter2";
    scene.token_request(body).send().await.unwrap();

    let posts = scene.demo.knobs.token_posts();

    let parameters: Vec<_> = posts[0]
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
