//! `token.grant = "paste"`: a person hands a token over, and requests use it until it ends.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::reload_guard::admin_of;
use crate::support::{
    Answer, Binary, Client, Connection, ReloadingProxy, TOKEN, Upstream, answer, ask, get,
    token_answer, until,
};

/// A token that says when it ends and whose it is.
fn jwt(left: Duration) -> String {
    let end = (SystemTime::now() + left)
        .duration_since(UNIX_EPOCH)
        .unwrap();
    let claims = json!({ "exp": end.as_secs(), "sub": "42", "name": "Ada Lovelace" });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "ES256" });
    format!("{}.{}.{}", part(&header), part(&claims), "s".repeat(86))
}

const HOUR: Duration = Duration::from_hours(1);

fn configuration(upstream: &str, more: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nupstream.url = \"{upstream}\"\n\
         token.grant = \"paste\"\ntoken.login_url = \"https://login.example.com/copy\"\n{more}"
    )
}

async fn start(upstream: &Upstream, more: &str) -> Binary {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, configuration(&upstream.url(), more)).unwrap();
    Binary::start_with_files(&[file], directory).await
}

/// An order as the page gives it, with other fields at its end.
fn order(path: &str, body: &str, fields: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Cupbearer: 1\r\n\
         Content-Length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
}

async fn paste(admin: SocketAddr, token: &str) -> Answer {
    let body = json!({ "token": token }).to_string();
    ask(admin, order("/token/paste", &body, "")).await
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()))
}

#[tokio::test]
async fn requests_are_told_where_to_sign_in_and_then_carry_the_token_until_the_person_signs_out() {
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, "").await;
    let admin = binary.admin();
    let page = format!("http://{admin}/sign-in");
    let rejected = ask(binary.address, get("/certificates")).await;
    assert_eq!(rejected.outcome(), (503, "login_required".to_owned()));
    assert_eq!(
        rejected.field("content-type"),
        Some("application/problem+json")
    );
    let problem = json_of(&rejected);
    assert_eq!(problem["login_url"], "https://login.example.com/copy");
    assert!(
        problem["detail"].as_str().unwrap().contains(&page),
        "{problem}"
    );
    let navigation = "GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n\r\n";
    let html = ask(binary.address, navigation).await.text();
    for link in ["https://login.example.com/copy", &page] {
        assert!(html.contains(&format!("<a href=\"{link}\"")), "{html}");
    }
    let ready = ask(admin, get("/ready")).await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.text().contains("token starting: login_required"),
        "{}",
        ready.text()
    );
    assert_eq!(upstream.seen_count(), 0);

    let token = jwt(HOUR);
    let pasted = paste(
        admin,
        &format!("\"Bearer {}\n{}\"", &token[..50], &token[50..]),
    )
    .await;
    assert_eq!(pasted.status, 200, "{}", pasted.text());
    assert_eq!(json_of(&pasted)["who"], "Ada Lovelace");
    assert_eq!(ask(binary.address, get("/certificates")).await.status, 200);
    let bearer = format!("Bearer {token}");
    assert_eq!(upstream.only_request().values("authorization"), [&*bearer]);
    let status = json_of(&ask(admin, get("/status")).await);
    let shown = &status["proxies"][0]["token"];
    assert_eq!(shown["state"], "fresh");
    assert_eq!(shown["sign_in"]["who"], "Ada Lovelace");
    assert!(shown["usable_for_s"].as_u64().unwrap() > 3500, "{shown}");
    let ready = ask(admin, get("/ready")).await.text();
    assert!(ready.contains("signed in as Ada Lovelace"), "{ready}");

    assert_eq!(ask(admin, order("/logout", "{}", "")).await.status, 200);
    let rejected = ask(binary.address, get("/certificates")).await;
    assert_eq!(rejected.outcome(), (503, "login_required".to_owned()));
    let status = json_of(&ask(admin, get("/status")).await);
    assert_eq!(status["proxies"][0]["token"]["state"], "expired");
    assert_eq!(status["proxies"][0]["token"]["sign_in"]["who"], Value::Null);
    assert_eq!(upstream.seen_count(), 1);
    assert!(!binary.output().contains(&token[token.len() - 100..]));
}

#[tokio::test]
async fn no_web_page_can_sign_in_out_or_replace_a_person() {
    let upstream = Upstream::echoing().await;
    let binary = start(
        &upstream,
        "guard.origins = [\"https://tool.example.com\"]\n",
    )
    .await;
    let admin = binary.admin();
    let token = jwt(HOUR);
    assert_eq!(paste(admin, &token).await.status, 200);
    let body = json!({ "token": "an-attackers-token" }).to_string();
    let simple = |fields: &str| {
        let length = body.len();
        format!(
            "POST /token/paste HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
        )
    };
    let attempts = [
        (
            order(
                "/token/paste",
                &body,
                "Origin: https://tool.example.com\r\n",
            ),
            403,
        ),
        (
            order("/token/paste", &body, "Origin: https://evil.example\r\n"),
            403,
        ),
        (order("/token/paste", &body, "Origin: null\r\n"), 403),
        (
            order("/token/paste", &body, "Sec-Fetch-Site: cross-site\r\n"),
            403,
        ),
        (
            order("/token/paste", &body, "Sec-Fetch-Site: same-site\r\n"),
            403,
        ),
        (
            order("/logout", "{}", "Origin: https://tool.example.com\r\n"),
            403,
        ),
        (
            order("/login", "{}", "Origin: https://evil.example\r\n"),
            403,
        ),
        (simple("Content-Type: application/json\r\n"), 403),
        (
            simple("X-Cupbearer: 1\r\nContent-Type: text/plain\r\n"),
            415,
        ),
        (simple("X-Cupbearer: 1\r\n"), 415),
        (
            simple("").replace("Host: localhost", "Host: evil.example"),
            403,
        ),
        (get("/token/paste"), 405),
        (get("/logout"), 405),
    ];
    for (request, status) in attempts {
        let got = ask(admin, &request).await;
        assert_eq!(got.status, status, "{request} {}", got.text());
        assert_eq!(got.field("access-control-allow-origin"), None, "{request}");
    }
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let bearer = format!("Bearer {token}");
    assert_eq!(upstream.only_request().values("authorization"), [&*bearer]);
}

#[tokio::test]
async fn an_order_that_is_none_changes_nothing() {
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, "").await;
    let admin = binary.admin();
    assert_eq!(paste(admin, &jwt(HOUR)).await.status, 200);
    let long = json!({ "token": "t".repeat(80 << 10) }).to_string();
    for (body, status) in [
        ("", 400),
        ("not json", 400),
        ("{}", 400),
        (r#"{"token":7}"#, 400),
        (r#"{"token":"a","unknown":"b"}"#, 400),
        (r#"{"token":"a","proxy":"other"}"#, 404),
        (&long, 400),
        (r#"{"token":""}"#, 422),
        (r#"{"token":"two hunter2"}"#, 422),
        (r#"{"token":"caf\u00e9hunter2"}"#, 422),
    ] {
        let got = ask(admin, order("/token/paste", body, "")).await;
        assert_eq!(got.status, status, "{}", got.text());
        assert!(!got.text().contains("hunter2"), "{}", got.text());
    }
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    assert!(!binary.output().contains("hunter2"));
}

/// An API that responds with this challenge to every request.
async fn rejecting(challenge: &'static str) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        while connection.request().await.is_some() {
            let field = format!("WWW-Authenticate: {challenge}\r\n");
            let rejected = answer("401 Unauthorized", &field, "no");
            connection.write(&rejected).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_401_that_asks_for_something_else_ends_no_token() {
    for challenge in [
        "Basic realm=\"x\"",
        "Negotiate",
        "Bearer error=\"insufficient_scope\"",
    ] {
        let upstream = rejecting(challenge).await;
        let binary = start(&upstream, "").await;
        assert_eq!(paste(binary.admin(), TOKEN).await.status, 200);
        for _ in 0..2 {
            let got = ask(binary.address, get("/")).await;
            assert_eq!(
                (got.status, got.text()),
                (401, "no".to_owned()),
                "{challenge}"
            );
        }
        assert_eq!(upstream.seen_count(), 2, "{challenge}");
    }
}

#[tokio::test]
async fn an_order_to_refresh_says_that_there_is_no_token_while_nobody_is_signed_in() {
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, "").await;
    let refresh = async || {
        let order = "POST /token/refresh HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer: 1\r\nContent-Length: 0\r\n\r\n";
        ask(binary.admin(), order).await.text()
    };
    let text = refresh().await;
    assert!(text.contains("there is no valid token"), "{text}");
    assert_eq!(paste(binary.admin(), &jwt(HOUR)).await.status, 200);
    let text = refresh().await;
    assert!(text.contains("the current token stays in use"), "{text}");
}

#[tokio::test]
async fn a_401_goes_back_unchanged_and_ends_a_token_that_does_not_say_when_it_ends() {
    let upstream = rejecting("Bearer error=\"invalid_token\"").await;
    let binary = start(&upstream, "").await;
    let admin = binary.admin();
    for (token, after) in [(jwt(HOUR), "fresh"), (TOKEN.to_owned(), "expired")] {
        assert_eq!(paste(admin, &token).await.status, 200);
        let got = ask(binary.address, get("/")).await;
        assert_eq!((got.status, got.text()), (401, "no".to_owned()));
        let note = got.field("proxy-status").unwrap_or_default();
        assert!(note.contains("only a person can sign in again"), "{note}");
        let status = json_of(&ask(admin, get("/status")).await);
        assert_eq!(status["proxies"][0]["token"]["state"], after);
    }
    assert_eq!(upstream.seen_count(), 2);
    let rejected = ask(binary.address, get("/")).await;
    assert_eq!(rejected.outcome(), (503, "login_required".to_owned()));
    assert_eq!(upstream.seen_count(), 2);
}

#[tokio::test]
async fn a_token_that_has_expired_or_is_cut_short_is_said_and_not_refused() {
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, "").await;
    let admin = binary.admin();
    let token = jwt(HOUR);
    let cut = paste(admin, &token[..token.len() - 10]).await;
    assert_eq!(cut.status, 200);
    assert!(cut.text().contains("cut short"), "{}", cut.text());
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let end = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let long_ago = jwt(Duration::ZERO);
    let claims = json!({ "exp": end.duration_since(UNIX_EPOCH).unwrap().as_secs() });
    let mut parts: Vec<&str> = long_ago.split('.').collect();
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    parts[1] = &claims;
    let expired = paste(admin, &parts.join(".")).await;
    assert_eq!(expired.status, 200);
    assert!(
        expired.text().contains("it expired at 2001-09-09"),
        "{}",
        expired.text()
    );
    let rejected = ask(binary.address, get("/")).await;
    assert_eq!(rejected.outcome(), (503, "login_required".to_owned()));
    until("the log", || {
        binary.output().contains("the token is doubtful")
    })
    .await;
}

#[tokio::test]
async fn a_tunnel_ends_when_its_person_signs_out_or_another_one_signs_in() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        let switched =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        connection.write(switched.as_bytes()).await;
        while connection.fill().await.is_some() {}
    })
    .await;
    let binary = start(&upstream, "").await;
    let admin = binary.admin();
    let upgrade =
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let same = paste(admin, &jwt(HOUR)).await;
    assert_eq!(same.status, 200);
    for ended_by in ["another", "/logout"] {
        let mut client = Client::connect(binary.address).await;
        client.send(upgrade).await;
        client.read_until(b"\r\n\r\n").await;
        // The same person again changes nothing.
        if ended_by == "another" {
            assert_eq!(paste(admin, &jwt(HOUR + HOUR)).await.status, 200);
            client.send("still open").await;
            assert_eq!(upstream.open(), 1);
            assert_eq!(paste(admin, "somebody-elses-token").await.status, 200);
        } else {
            assert_eq!(ask(admin, order(ended_by, "{}", "")).await.status, 200);
        }
        assert!(client.rest().await.is_empty());
        until("the end of the tunnel", || upstream.open() == 0).await;
    }
}

/// Runs a command with this input; returns its exit code and output.
async fn command(arguments: &[&str], file: &Path, admin: &str, input: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .args(arguments)
        .arg("--config")
        .arg(file);
    if !admin.is_empty() {
        command.args(["--admin", admin]);
    }
    let input = input.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input.as_bytes()); // a command may end without reading it
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let output = run.await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn the_commands_sign_in_and_out_and_their_exit_codes_say_why_not() {
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, "").await;
    let (file, admin) = (binary.file("cupbearer.toml"), binary.admin().to_string());
    let advice = format!("or with `cupbearer login --config {}`", file.display());
    until("the end of the banner", || {
        binary.output().contains(&advice)
    })
    .await;
    let token = jwt(HOUR);
    let (code, text) = command(&["login"], &file, &admin, &format!("{token}\n")).await;
    if cfg!(not(target_os = "linux")) {
        // The system does not tell whose listener it is.
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("/sign-in"), "{text}");
        return;
    }
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("cupbearer: signed in as Ada Lovelace, until "),
        "{text}"
    );
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let (code, text) = command(&["status"], &file, &admin, "").await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("signed in    Ada Lovelace"), "{text}");
    let health =
        async |flags: &[&str]| command(&[&["health"], flags].concat(), &file, &admin, "").await;
    let live = "live; signed in as Ada Lovelace\n".to_owned();
    assert_eq!(health(&[]).await, (0, live));
    let (code, text) = health(&["--ready"]).await;
    assert_eq!((code, text.matches("signed in").count()), (0, 1), "{text}");
    let (code, text) = command(&["logout"], &file, &admin, "").await;
    assert_eq!((code, &*text), (0, "cupbearer: signed out\n"));
    assert_eq!(ask(binary.address, get("/")).await.status, 503);
    assert_eq!(
        health(&[]).await,
        (0, "live; nobody is signed in\n".to_owned())
    );
    // It is handed over, but requests do not use it.
    let expired = jwt(Duration::ZERO);
    let (code, text) = command(&["login"], &file, &admin, &expired).await;
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("the token is not used: it expired at"),
        "{text}"
    );
    for input in ["", "\n", "two words"] {
        let (code, text) = command(&["login"], &file, &admin, input).await;
        assert_eq!(code, 4, "{text}");
    }
    for name in ["login", "logout"] {
        let (code, text) = command(&[name], &file, "off", "t").await;
        assert_eq!(code, 3, "{text}");
        let (code, text) = command(&[name], &file, "127.0.0.1:1", "t").await;
        assert_eq!(code, 3, "{text}");
    }
    assert!(!binary.output().contains("two words"));
}

#[tokio::test]
async fn a_proxy_that_obtains_its_tokens_itself_takes_none() {
    let (binary, _upstream, _endpoint) =
        crate::admin::with_token(&["admin.listen=127.0.0.1:0"]).await;
    let admin = binary.admin();
    for (path, body) in [
        ("/token/paste", r#"{"token":"t"}"#),
        ("/login", "{}"),
        ("/logout", "{}"),
    ] {
        let got = ask(admin, order(path, body, "")).await;
        assert_eq!(got.status, 409, "{}", got.text());
    }
    let file = binary.file("cupbearer.toml");
    let (code, text) = command(&["login"], &file, &admin.to_string(), "t").await;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("No one can sign in to this proxy"), "{text}");
}

#[tokio::test]
async fn a_reload_keeps_the_token_unless_the_api_changes() {
    let upstream = Upstream::echoing().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let text = |more: &str| configuration(&upstream.url(), more);
    let proxy = ReloadingProxy::start(file.clone(), &text(""));
    proxy.running.tokens().paste(TOKEN.as_bytes()).unwrap();
    let address = proxy.running.addresses[0];
    for more in [
        "guard.read_only = true\n",
        "token.wait = \"3s\"\n",
        "network.proxy = \"none\"\n",
    ] {
        proxy.replace_and_wait(&text(more)).await;
        assert_eq!(ask(address, get("/")).await.status, 200, "{more}");
    }
    let other = Upstream::echoing().await;
    proxy
        .replace_and_wait(&configuration(&other.url(), "network.proxy = \"none\"\n"))
        .await;
    until("the other API", || {
        proxy.running.tokens().usable().is_none()
    })
    .await;
    let rejected = ask(address, get("/")).await;
    assert_eq!(rejected.outcome(), (503, "login_required".to_owned()));
    assert_eq!((upstream.seen_count(), other.seen_count()), (3, 0));
}

/// An API that switches to another protocol and then only reads.
async fn switching() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        let switched =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        connection.write(switched.as_bytes()).await;
        while connection.fill().await.is_some() {}
    })
    .await
}

async fn open_tunnel(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).await;
    let upgrade =
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.send(upgrade).await;
    client.read_until(b"\r\n\r\n").await;
    client
}

#[tokio::test]
async fn a_tunnel_ends_with_a_reload_that_its_person_is_not_taken_over_by() {
    let (upstream, other) = (switching().await, switching().await);
    let granting = Upstream::answering(token_answer()).await;
    let own = configuration(&upstream.url(), "");
    let grant = format!("[token]\nurl = {:?}\nclient_id = \"id\"\n", granting.url());
    let changes = [
        ("another API", configuration(&other.url(), "")),
        (
            "another field",
            format!("{own}token.header = \"X-Api-Key\"\n"),
        ),
        ("another prefix", format!("{own}token.prefix = \"Token\"\n")),
        (
            "another grant",
            format!(
                "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n{grant}\
                 client_secret = {{ file = 'SECRET' }}\n",
                upstream.url()
            ),
        ),
    ];
    for (what, change) in changes {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "s").unwrap();
        let file = change.replace("SECRET", secret.to_str().unwrap());
        let proxy = ReloadingProxy::start(directory.path().join("cupbearer.toml"), &own);
        proxy.running.tokens().paste(jwt(HOUR).as_bytes()).unwrap();
        let admin = admin_of(&proxy);
        let mut client = open_tunnel(proxy.running.addresses[0]).await;
        let before = proxy.applied();
        proxy.replace(&file);
        if what.contains("field") || what.contains("prefix") {
            // It waits for a person, and until then the previous one is served.
            until("the configuration is pending", || {
                let notes = proxy.notes();
                notes.iter().any(|note| note.contains("first token"))
            })
            .await;
            client.send("still open").await;
            assert_eq!(paste(admin.addresses[0], &jwt(HOUR)).await.status, 200);
        }
        proxy.wait_for_reload_since(before).await;
        assert!(client.rest().await.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_tunnel_and_its_person_outlast_a_reload_that_does_not_change_where_the_token_is_sent() {
    let upstream = switching().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let text = |more: &str| {
        configuration(
            &upstream.url(),
            &format!("token.header = \"X-Api-Key\"\n{more}"),
        )
    };
    let proxy = ReloadingProxy::start(file, &text(""));
    proxy.running.tokens().paste(jwt(HOUR).as_bytes()).unwrap();
    let mut client = open_tunnel(proxy.running.addresses[0]).await;
    for more in ["token.keep_authorization = true\n", "token.wait = \"3s\"\n"] {
        proxy.replace_and_wait(&text(more)).await;
        assert!(proxy.running.tokens().signed_in().is_some(), "{more}");
        client.send("still open").await;
        assert_eq!(upstream.open(), 1, "{more}");
    }
    drop(proxy.running.tokens().sign_out().unwrap());
    assert!(client.rest().await.is_empty());
}

/// The file of a proxy is changed to name another API, but cannot be used yet.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_person_orders_for_the_api_in_the_file_never_reaches_another_one() {
    let (upstream, other) = (Upstream::echoing().await, Upstream::echoing().await);
    let binary = start(&upstream, "").await;
    let (file, admin) = (binary.file("cupbearer.toml"), binary.admin());
    let write = async |text: String, note: &str| {
        let address = format!("admin.listen = \"{admin}\"");
        std::fs::write(
            &file,
            text.replace("admin.listen = \"127.0.0.1:0\"", &address),
        )
        .unwrap();
        let wait = async {
            while !ask(admin, get("/status")).await.text().contains(note) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        crate::support::within("the note about the change", wait).await;
    };
    write(configuration(&other.url(), "drian = \"1s\"\n"), "drian").await;
    let (code, text) = command(&["login"], &file, "", "for-the-other-api").await;
    assert_eq!(code, 3, "{text}");
    let whose = format!(
        "signs in to {} here, not to {}",
        upstream.url(),
        other.url()
    );
    assert!(text.contains(&whose), "{text}");
    assert_eq!(ask(binary.address, get("/")).await.status, 503);

    write(configuration(&upstream.url(), "drian = \"1s\"\n"), "drian").await;
    let (code, text) = command(&["login"], &file, "", "for-this-api").await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(&format!("; requests go to {}", upstream.url())),
        "{text}"
    );

    let broken = format!("drain = \n{}", configuration(&other.url(), ""));
    write(broken, "is not TOML").await;
    for order in ["login", "logout"] {
        let (code, text) = command(&[order], &file, "", "for-the-other-api").await;
        assert_eq!(code, 3, "{text}");
        assert!(text.contains("it is unclear which API is meant"), "{text}");
    }
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let sent = upstream.only_request();
    assert_eq!(sent.values("authorization"), ["Bearer for-this-api"]);
    assert_eq!(other.seen_count(), 0);
    assert!(!binary.output().contains("for-the-other-api"));
}
