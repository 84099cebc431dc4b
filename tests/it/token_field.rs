//! `token.header`, `.prefix` and `.keep_authorization`: the token reaches the API in the configured field, and nothing
//! of a caller's does that must not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{
    CLIENT_ID, Connection, Proxy, ReloadingProxy, SECRET, TOKEN, Upstream, answer, ask,
    token_answer, within,
};

const FIELD: (&str, &str) = ("token.header", "X-Api-Key");
const ALONE: (&str, &str) = ("token.prefix", "");
const KEEP: (&str, &str) = ("token.keep_authorization", "true");

fn request(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

#[tokio::test]
async fn the_configured_field_carries_the_token_whatever_the_client_sends() {
    for fields in [
        "",
        "X-Api-Key: theirs\r\nx_api_key: theirs\r\nX_Api-Key: theirs\r\n",
        "Authorization: Bearer theirs\r\n",
        "Connection: x-api-key\r\n",
        "Connection: X-API-KEY, authorization\r\nX-Api-Key: theirs\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nX-Api-Key: theirs\r\n",
    ] {
        let upstream = Upstream::echoing().await;
        let proxy = Proxy::with(&upstream.url(), &[FIELD, ALONE]).await;
        assert_eq!(ask(proxy.address, request(fields)).await.status, 200);
        let seen = upstream.only_request();
        assert_eq!(seen.values("x-api-key"), [TOKEN], "{fields}");
        for gone in ["authorization", "x_api_key", "x_api-key"] {
            assert_eq!(seen.values(gone), [""; 0], "{gone} after {fields}");
        }
    }
}

#[tokio::test]
async fn a_prefix_stands_before_the_token() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("token.prefix", "Token")]).await;
    ask(proxy.address, request("Authorization: theirs\r\n")).await;
    let expected = format!("Token {TOKEN}");
    assert_eq!(upstream.only_request().values("authorization"), [expected]);
}

#[tokio::test]
async fn the_callers_authorization_is_forwarded_only_if_that_is_configured() {
    let theirs = "Digest username=\"a\", response=\"b\"";
    for (settings, expected) in [(&[FIELD][..], &[][..]), (&[FIELD, KEEP], &[theirs])] {
        let upstream = Upstream::echoing().await;
        let proxy = Proxy::with(&upstream.url(), settings).await;
        let fields = format!("Authorization: {theirs}\r\n");
        assert_eq!(ask(proxy.address, request(&fields)).await.status, 200);
        let seen = upstream.only_request();
        assert_eq!(seen.values("authorization"), expected);
        assert_eq!(seen.values("x-api-key"), [format!("Bearer {TOKEN}")]);
    }
}

/// A configuration whose secrets are in the directory, and which has these lines at its end.
fn text(
    directory: &tempfile::TempDir,
    upstream: &Upstream,
    endpoint: &Upstream,
    more: &str,
) -> String {
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    format!(
        "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n[token]\nurl = \"{}\"\nclient_id = \"{CLIENT_ID}\"\n\
         client_secret = {{ file = '{}' }}\n{more}",
        upstream.url(),
        endpoint.url(),
        secret.display()
    )
}

#[tokio::test]
async fn a_callers_key_never_reaches_the_api_in_a_forwarded_authorization() {
    const KEY: &str = "the-key-of-ci-0001";
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let more = format!(
        "header = \"X-Api-Key\"\nkeep_authorization = true\n[guard.callers.ci]\nkey = {{ file = '{}' }}\n",
        key.display()
    );
    let configuration = text(&directory, &upstream, &endpoint, &more);
    let proxy = ReloadingProxy::start(directory.path().join("cupbearer.toml"), &configuration);
    within("the first token", proxy.running.tokens().obtained()).await;
    let address = proxy.running.addresses[0];

    let own = format!("X-Cupbearer-Key: {KEY}\r\n");
    for fields in [
        format!("Authorization: Bearer {KEY}\r\n"),
        // x:the-key-of-ci-0001, and x:cbk_0
        "Authorization: Basic eDp0aGUta2V5LW9mLWNpLTAwMDE=\r\n".to_owned(),
        format!("{own}Authorization: Basic eDpjYmtfMA==\r\n"),
        format!("{own}Authorization: Bearer {KEY}\r\n"),
        // the-key-of-ci-0001:
        format!("{own}Authorization: BASIC   dGhlLWtleS1vZi1jaS0wMDAxOg==\r\n"),
        format!("{own}Authorization: Bearer %74he-key-of-ci-0001\r\n"),
        format!("{own}Authorization: Bearer theirs\r\nAuthorization: Bearer cbk_0\r\n"),
        format!("{own}Authorization: Bearer app.{KEY}.v1\r\n"),
        format!("{own}Authorization: Custom {{\"k\":\"\\u0074he-key-of-ci-0001\"}}\r\n"),
    ] {
        let answer = ask(address, request(&fields)).await;
        assert_eq!(
            answer.outcome(),
            (401, "caller_unknown".to_owned()),
            "{fields}"
        );
        assert!(
            answer.text().contains("key as X-Cupbearer-Key"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(upstream.seen_count(), 0);

    let fields = format!("{own}Authorization: Bearer theirs\r\n");
    assert_eq!(ask(address, request(&fields)).await.status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.values("authorization"), ["Bearer theirs"]);
    assert_eq!(seen.values("x-cupbearer-key"), [""; 0]);

    let long = ",".repeat(60_000);
    let fields = format!("{own}Authorization: {long}\r\n");
    assert_eq!(ask(address, request(&fields)).await.status, 200);
}

/// Issues the tokens `token-1`, `token-2` and so on.
async fn counting_endpoint() -> Upstream {
    let issued = Arc::new(AtomicUsize::new(0));
    Upstream::scripted(move |mut connection: Connection| {
        let issued = Arc::clone(&issued);
        async move {
            while connection.request().await.is_some() {
                let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
                let body = format!(
                    r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#
                );
                let bytes = answer("200 OK", "Content-Type: application/json\r\n", &body);
                connection.write(&bytes).await;
            }
        }
    })
    .await
}

/// Also for an upgrade, which is sent in a way of its own.
#[tokio::test]
async fn a_request_is_replayed_after_a_401_with_the_newer_token_in_the_same_field() {
    for fields in ["", "Connection: upgrade\r\nUpgrade: websocket\r\n"] {
        let upstream = Upstream::scripted(async |mut connection: Connection| {
            while let Some(request) = connection.request().await {
                let status = match request.values("x-api-key")[..] {
                    ["Key token-2"] => "200 OK",
                    _ => "401 Unauthorized",
                };
                connection.write(&answer(status, "", "")).await;
            }
        });
        let (upstream, endpoint) = (upstream.await, counting_endpoint().await);
        let settings = [FIELD, ("token.prefix", "Key")];
        let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &settings);
        let answer = ask(proxy.address, request(fields)).await;
        assert_eq!(answer.status, 200, "{fields}");
        let seen = upstream.seen();
        let keys: Vec<_> = seen.iter().map(|seen| seen.values("x-api-key")).collect();
        assert_eq!(keys, [["Key token-1"], ["Key token-2"]], "{fields}");
        assert!(
            seen.iter()
                .all(|seen| seen.values("authorization").is_empty())
        );
    }
}

#[tokio::test]
async fn a_changed_field_carries_the_token_after_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let with = |more: &str| text(&directory, &upstream, &endpoint, more);
    let proxy = ReloadingProxy::start(directory.path().join("cupbearer.toml"), &with(""));
    let address = proxy.running.addresses[0];
    let fields = "Authorization: Bearer theirs\r\n";
    assert_eq!(ask(address, request(fields)).await.status, 200);
    let changed = "header = \"X-Api-Key\"\nprefix = \"\"\nkeep_authorization = true\n";
    proxy.replace_and_wait(&with(changed)).await;
    assert_eq!(ask(address, request(fields)).await.status, 200);
    let key = ask(address, request("Authorization: Bearer cbk_0\r\n")).await;
    assert_eq!(key.status, 401, "a key would be forwarded now");
    proxy.replace_and_wait(&with("")).await;
    assert_eq!(ask(address, request(fields)).await.status, 200);

    let bearer = format!("Bearer {TOKEN}");
    let seen = upstream.seen();
    let fields = seen
        .iter()
        .map(|seen| (seen.values("authorization"), seen.values("x-api-key")));
    let expected = [
        (vec![&*bearer], vec![]),
        (vec!["Bearer theirs"], vec![TOKEN]),
        (vec![&*bearer], vec![]),
    ];
    assert_eq!(fields.collect::<Vec<_>>(), expected);
}

/// Answers a request that has a newer token with 200, and any other with 401 and this challenge.
async fn challenging(challenge: &'static str) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        while let Some(request) = connection.request().await {
            let is_newer = request.values("x-api-key") == ["Key token-2"];
            let bytes = if is_newer {
                answer("200 OK", "", "")
            } else {
                let field = format!("WWW-Authenticate: {challenge}\r\n");
                answer("401 Unauthorized", &field, "who are you?")
            };
            connection.write(&bytes).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_401_about_the_callers_own_authorization_is_passed_on_and_blames_no_token() {
    for (fields, challenge) in [
        ("Authorization: Basic eDp5\r\n", "Basic realm=\"x\""),
        ("Authorization: Basic eDp5\r\n", "Basic, Digest nonce=Key"),
        ("Authorization: key theirs\r\n", "Key"),
        (
            "Authorization: Basic eDp5\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
            "Basic realm=\"x\"",
        ),
    ] {
        let (upstream, endpoint) = (challenging(challenge).await, counting_endpoint().await);
        let settings = [FIELD, ("token.prefix", "Key"), KEEP];
        let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &settings);
        for _ in 0..5 {
            let answer = ask(proxy.address, request(fields)).await;
            assert_eq!(
                (answer.status, &*answer.text()),
                (401, "who are you?"),
                "{fields}"
            );
            assert_eq!(answer.fields_named("www-authenticate"), [challenge]);
            let why = "cupbearer; received-status=401; details=\"not sent again: the caller's own Authorization was sent too\"";
            assert_eq!(answer.fields_named("proxy-status"), [why]);
        }
        assert_eq!(
            (upstream.seen_count(), endpoint.seen_count()),
            (5, 1),
            "{fields}"
        );
        let snapshot = proxy.running.tokens().snapshot();
        assert!(snapshot.refused_although_fresh.is_none(), "{fields}");
    }
}

#[tokio::test]
async fn a_401_that_can_only_be_about_the_token_is_replayed_beside_the_callers_authorization_too() {
    for (fields, challenge) in [
        ("", "Basic realm=\"x\""),
        (
            "Authorization: Basic eDp5\r\n",
            "Basic realm=\"x\", KEY error=\"invalid_token\"",
        ),
        (
            "Authorization: Basic eDp5\r\nConnection: authorization\r\n",
            "Basic realm=\"x\"",
        ),
    ] {
        let (upstream, endpoint) = (challenging(challenge).await, counting_endpoint().await);
        let settings = [FIELD, ("token.prefix", "Key"), KEEP];
        let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &settings);
        assert_eq!(
            ask(proxy.address, request(fields)).await.status,
            200,
            "{fields}"
        );
        assert_eq!(
            (upstream.seen_count(), endpoint.seen_count()),
            (2, 2),
            "{fields}"
        );
    }
    // Without a word before the token, no challenge can name it.
    let (upstream, endpoint) = (challenging("Key").await, counting_endpoint().await);
    let settings = [FIELD, ALONE, KEEP];
    let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &settings);
    let fields = "Authorization: Basic eDp5\r\n";
    assert_eq!(ask(proxy.address, request(fields)).await.status, 401);
    assert_eq!((upstream.seen_count(), endpoint.seen_count()), (1, 1));
}
