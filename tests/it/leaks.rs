//! No output, even at the most verbose level, contains the secret, the token or a part of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cupbearer::config::{self, Overrides, Surroundings};

use crate::support::{
    Answer, Binary, CALLER_KEY, CLIENT_ID, Client, Config, Connection, SECRET, TOKEN, Upstream,
    answer, ask, get, leaked, post, token_answer, until,
};

/// An upstream that fails differently for each target.
async fn failing_upstream() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let echo = answer("200 OK", "", &request.target);
            let with_token = request.target.strip_prefix("/token/").map(malformed_echo);
            let bytes: &[u8] = match request.target.as_str() {
                "/garbage" => b"\0\0garbage\r\n\r\n",
                "/half" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
                "/mid-head" => b"HTTP/1.1 200 OK\r\nCont",
                "/ambiguous" => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "/401" => b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n",
                "/reset" => return connection.reset(),
                _ => with_token.as_deref().map_or(&echo, str::as_bytes),
            };
            connection.write(bytes).await;
            if bytes != echo && request.target != "/401" {
                return;
            }
        }
    })
    .await
}

/// A malformed response with the token where a message about it might quote it.
fn malformed_echo(place: &str) -> String {
    let head = match place {
        "folded" => format!("200 OK\r\n{TOKEN}: a\r\n b\r\n"),
        "control" => format!("200 OK\r\n{TOKEN}: a\0\r\n"),
        "name" => format!("200 OK\r\n{TOKEN} {TOKEN}: a\r\n"),
        "line" => format!("200 OK\r\n{TOKEN}\r\n"),
        "status" => format!("{TOKEN} {TOKEN}\r\n"),
        "coding" => format!("200 OK\r\nTransfer-Encoding: {TOKEN}\r\n"),
        "codings" => format!("200 OK\r\nTransfer-Encoding: {TOKEN}, chunked\r\n"),
        "length" => format!("200 OK\r\nContent-Length: {TOKEN}\r\n"),
        "lengths" => format!("200 OK\r\nContent-Length: 2, {TOKEN}\r\n"),
        "chunk" => format!("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n"),
        _ => format!("101 {TOKEN}\r\nUpgrade: {TOKEN}\r\nConnection: upgrade\r\n"),
    };
    format!("HTTP/1.1 {head}\r\n")
}

/// A token endpoint whose first two responses contain the token where an error message might quote it.
async fn verbose_endpoint() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        let json = "Content-Type: application/json\r\n";
        let weird = format!(r#"{{"access_token":"{TOKEN}","token_type":"Weird"}}"#);
        let failed = format!(r#"{{"error":"server_error","access_token":"{TOKEN}"}}"#);
        let bytes = match connection.number {
            0 => answer("200 OK", json, &weird),
            1 => answer("500 Internal Server Error", json, &failed),
            _ => token_answer(),
        };
        connection.request().await;
        connection.write(&bytes).await;
    })
    .await
}

/// All of a response: its fields, and its body as text.
fn shown(answer: &Answer) -> String {
    format!("{:?} {}", answer.fields, answer.text())
}

/// Triggers each failure once; returns everything sent to clients.
async fn trigger_failures(binary: &Binary) -> String {
    let targets = [
        "/",
        "/garbage",
        "/half",
        "/mid-head",
        "/ambiguous",
        "/401",
        "/reset",
        "/?token=x",
        "/token/folded",
        "/token/control",
        "/token/name",
        "/token/line",
        "/token/status",
        "/token/coding",
        "/token/codings",
        "/token/length",
        "/token/lengths",
        "/token/chunk",
        "/token/switch",
    ];
    let mut requests: Vec<String> = targets.map(get).to_vec();
    requests.extend(targets.map(|target| post(target, "x")));
    requests.extend([
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: authorization\r\nAuthorization: Bearer x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: evil\r\n\r\n".to_owned(),
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
    ]);
    let mut responses = Vec::new();
    for request in requests {
        responses.push(shown(&ask(binary.address, request).await));
    }
    let mut leaving = Client::connect(binary.address).await;
    leaving
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx")
        .await;
    responses.concat()
}

#[tokio::test]
async fn no_output_at_trace_level_contains_a_credential() {
    let upstream = failing_upstream().await;
    let endpoint = verbose_endpoint().await;
    let mut binary = Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: CLIENT_ID,
        secret: SECRET,
        settings: &[
            "log.level=trace",
            "log.access=all",
            "log.format=json",
            "upstream.stall_timeout=300ms",
            "token.wait=5s",
            "admin.listen=127.0.0.1:0",
        ],
    })
    .await;
    until("a token is obtained", || endpoint.seen_count() >= 3).await;
    let mut responses = trigger_failures(&binary).await;
    for path in ["/metrics", "/status", "/", "/ready", "/startup", "/live"] {
        let answer = ask(binary.admin(), get(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        responses += &answer.text();
    }
    assert!(responses.contains("cupbearer_token_state") && responses.contains("\"generation\":"));
    binary.terminate();
    let (status, output) = binary.wait().await;
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.lines().count() > 30, "the log is missing: {output}");
    let bearer = format!("Bearer {TOKEN}");
    for seen in upstream.seen() {
        assert_eq!(seen.values("authorization"), [bearer.as_str()]);
    }
    assert_eq!(leaked(&output), None, "{output}");
    assert_eq!(leaked(&responses), None, "{responses}");
}

/// Requests for `/p` with a caller's key in every place where a program may put it.
fn with_misplaced_keys() -> Vec<String> {
    const TARGETS: [&str; 4] = [
        "/p",
        "http://USER@localhost/p",
        "http://USER@evil.example/p",
        "https://USER@localhost/",
    ];
    const HOSTS: [&str; 4] = [
        "localhost",
        "USER@localhost",
        "USER@evil.example:80",
        "http://USER@localhost",
    ];
    const FIELDS: [&str; 11] = [
        "",
        "Origin: http://USER@localhost\r\n",
        "Origin: http://USER@evil.example:9800\r\n",
        "Origin: USER@localhost\r\n",
        "Referer: http://USER@localhost/a\r\n",
        "Sec-Fetch-Site: http://USER@localhost\r\n",
        "Authorization: Basic BASIC\r\n",
        "Authorization: Bearer KEY\r\nAuthorization: Bearer KEY\r\n",
        "Proxy-Authorization: Basic BASIC\r\nForwarded: host=\"USER@localhost\"\r\n",
        "Trailer: USER@localhost\r\nTransfer-Encoding: KEY, chunked\r\n",
        "Upgrade: KEY\r\nConnection: upgrade\r\nVia: 1.1 KEY\r\n",
    ];
    let mut requests = Vec::new();
    for (target, host) in TARGETS.iter().flat_map(|one| HOSTS.map(|host| (one, host))) {
        for (field, key) in FIELDS
            .iter()
            .flat_map(|one| ["", "X-Cupbearer-Key: KEY\r\n"].map(|key| (one, key)))
        {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\n{field}{key}Connection: close\r\n\r\n"
            );
            let request = request
                .replace("USER", "x:KEY")
                .replace("BASIC", &basic_key());
            requests.push(request.replace("KEY", CALLER_KEY));
        }
    }
    for target in ["/http://KEY@localhost/p", "//x:KEY@localhost/p<"] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer-Key: KEY\r\n\r\n");
        requests.push(request.replace("KEY", CALLER_KEY));
    }
    requests
}

fn basic_key() -> String {
    STANDARD.encode(format!("x:{CALLER_KEY}"))
}

/// The key is valid, but not sent as it should be in most requests.
#[tokio::test]
async fn no_output_contains_a_callers_key_wherever_it_was_sent() {
    let (upstream, endpoint) = (
        failing_upstream().await,
        Upstream::answering(token_answer()).await,
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    std::fs::write(&file, CALLER_KEY).unwrap();
    let config = Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: CLIENT_ID,
        secret: SECRET,
        settings: &[
            "log.level=trace",
            "log.access=all",
            "admin.listen=127.0.0.1:0",
            "guard.deny=[\"DELETE /**\"]",
        ],
    };
    let key_file = (
        "CUPBEARER_GUARD__CALLERS__CI__KEY__FILE",
        file.to_str().unwrap(),
    );
    let mut binary = Binary::start_with(&config, &[key_file]).await;
    until("a token is obtained", || endpoint.completed() > 0).await;
    let mut responses = String::new();
    for request in with_misplaced_keys() {
        responses += &shown(&ask(binary.address, &*request).await);
        responses += &shown(&ask(binary.admin(), request.replace("/p", "/status")).await);
    }
    let tunnel =
        format!("CONNECT x:{CALLER_KEY}@evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    responses += &shown(&ask(binary.address, tunnel).await);
    for path in ["/metrics", "/status", "/"] {
        responses += &ask(binary.admin(), get(path)).await.text();
    }
    binary.terminate();
    let (_, output) = binary.wait().await;
    assert!(
        output.contains("bad_request") && output.contains("origin_refused"),
        "{output}"
    );
    assert!(responses.contains("...@evil.example"), "{responses}");
    assert_eq!(leaked(&output), None, "{output}");
    assert_eq!(leaked(&responses), None, "{responses}");
    for seen in upstream.seen() {
        let text = format!("{:?} {}", seen.fields, seen.target);
        let sent = [format!("Bearer {CALLER_KEY}"), basic_key()];
        assert!(!sent.iter().any(|key| text.contains(key)), "{text}");
    }
}

/// Fails if a derived `Debug` of one of these types prints a credential.
#[test]
fn no_type_that_contains_a_credential_prints_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let url = format!("http://corp:{SECRET_IN_URL}@127.0.0.1:3128");
    std::fs::write(
        &file,
        format!(
            "upstream.url = \"https://api.example\"\nnetwork.proxy = \"{url}\"\n\
             [token]\nurl = \"https://auth.example/token\"\nclient_id = \"id\"\n"
        ),
    )
    .unwrap();
    let surroundings = Surroundings {
        variables: vec![("CUPBEARER_TOKEN__CLIENT_SECRET".into(), SECRET.into())],
        ..Surroundings::default()
    };
    let overrides = Overrides {
        file: Some(file),
        settings: Vec::new(),
        ..Overrides::default()
    };
    let loaded =
        config::load(&overrides, &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
    let config = loaded.config;
    let printed = format!(
        "{config:?} {config:#?} {:?} {:?}",
        config.token, config.network
    );
    assert!(printed.contains("127.0.0.1"), "{printed}");
    assert_eq!(leaked(&printed), None);
    for word in [SECRET_IN_URL, "corp:", "Y29ycDpi"] {
        assert!(!printed.contains(word), "{printed}");
    }
}

const SECRET_IN_URL: &str = "b3twixt-us";
