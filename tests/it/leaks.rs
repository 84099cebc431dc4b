//! Nothing that is printed, at the most talkative level, holds the secret, the token or a piece of them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::support::{
    Binary, Client, Config, Connection, SECRET, TOKEN, Upstream, answer, ask, get, post,
    token_answer, until,
};

const CLIENT_ID: &str = "cupbearer tests";

/// How long a piece of a token must be to count.
const PIECE_BYTES: usize = 12;

/// Every spelling in which a credential could get out.
fn forbidden() -> Vec<String> {
    let form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let percent = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let mut words = vec![
        SECRET.to_owned(),
        form(SECRET),
        percent(SECRET),
        TOKEN.to_owned(),
    ];
    for pair in [
        format!("{CLIENT_ID}:{SECRET}"),
        format!("{}:{}", form(CLIENT_ID), form(SECRET)),
        format!("{}:{}", percent(CLIENT_ID), percent(SECRET)),
        SECRET.to_owned(),
        form(SECRET),
    ] {
        words.extend([
            STANDARD.encode(&pair),
            STANDARD_NO_PAD.encode(&pair),
            URL_SAFE.encode(&pair),
            URL_SAFE_NO_PAD.encode(&pair),
        ]);
    }
    for part in TOKEN.split('.').skip(1) {
        words.extend(
            (0..=part.len() - PIECE_BYTES).map(|start| part[start..start + PIECE_BYTES].to_owned()),
        );
    }
    words
}

/// The upstream of a bad day: each target does something else.
async fn of_a_bad_day() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let echo = answer("200 OK", "", &request.target);
            let bytes: &[u8] = match request.target.as_str() {
                "/garbage" => b"\0\0garbage\r\n\r\n",
                "/half" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
                "/mid-head" => b"HTTP/1.1 200 OK\r\nCont",
                "/ambiguous" => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "/401" => b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n",
                "/reset" => return connection.reset(),
                _ => &echo,
            };
            connection.write(bytes).await;
            if bytes != echo && request.target != "/401" {
                return;
            }
        }
    })
    .await
}

/// The first two attempts are answered with what an error's text could be made of.
async fn talkative_endpoint() -> Upstream {
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

/// One of everything that goes wrong; returns all that a caller is told.
async fn a_bad_day(binary: &Binary) -> String {
    let targets = [
        "/",
        "/garbage",
        "/half",
        "/mid-head",
        "/ambiguous",
        "/401",
        "/reset",
        "/?token=x",
    ];
    let mut requests: Vec<String> = targets.map(get).to_vec();
    requests.extend(targets.map(|target| post(target, "x")));
    requests.extend([
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: authorization\r\nAuthorization: Bearer x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: evil\r\n\r\n".to_owned(),
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
    ]);
    let mut told = Vec::new();
    for request in requests {
        told.push(format!("{:?}", ask(binary.address, request).await));
    }
    let mut leaving = Client::connect(binary.address).await;
    leaving
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx")
        .await;
    told.concat()
}

#[tokio::test]
async fn nothing_printed_at_trace_holds_a_credential() {
    let upstream = of_a_bad_day().await;
    let endpoint = talkative_endpoint().await;
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
        ],
    })
    .await;
    until("the token is there", || endpoint.seen_count() >= 3).await;
    let told = a_bad_day(&binary).await;
    binary.terminate();
    let (status, output) = binary.wait().await;
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.lines().count() > 30, "the log is there: {output}");
    let bearer = format!("Bearer {TOKEN}");
    for seen in upstream.seen() {
        assert_eq!(seen.values("authorization"), [bearer.as_str()]);
    }
    for word in forbidden() {
        assert!(!output.contains(&word), "{word:?} is printed");
        assert!(!told.contains(&word), "{word:?} is in an answer");
    }
}
