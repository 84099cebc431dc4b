//! What the log records about a request, in JSON and as text, and that each failure produces one line.

mod outputs;

use serde_json::{Value, json};

use crate::support::{
    Binary, Client, Config, Connection, Upstream, answer, ask, get, token_answer, until,
};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An upstream that responds with "hello", and closes the connection mid-response for `/cut`.
async fn upstream() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            if request.target == "/cut" {
                let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
                return connection.write(half).await;
            }
            connection.write(&answer("200 OK", "", "hello")).await;
        }
    })
    .await
}

async fn start(upstream: &Upstream, endpoint: &Upstream, settings: &[&str]) -> Binary {
    Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "x",
        secret: "y",
        settings,
    })
    .await
}

/// Sends each request on its own connection, then stops the proxy and returns its output.
async fn printed_after(mut binary: Binary, requests: &[&str]) -> String {
    for request in requests {
        let mut client = Client::connect(binary.address).await;
        client.send(request).await;
        client.answer().await;
    }
    binary.terminate();
    binary.wait().await.1
}

fn write(path_and_query: &str, id: &str, fields: &str) -> String {
    format!(
        "POST {path_and_query} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\n{fields}Content-Length: 4\r\n\r\nbody"
    )
}

fn read(path: &str, id: &str) -> String {
    get(path).replace("\r\n\r\n", &format!("\r\nX-Request-Id: {id}\r\n\r\n"))
}

/// The JSON log lines with this request ID.
fn lines_of(printed: &str, id: &str) -> Vec<Value> {
    printed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["request_id"] == id)
        .collect()
}

#[tokio::test]
async fn an_access_line_in_json_has_caller_request_times_and_sizes() {
    let (upstream, endpoint) = (upstream().await, Upstream::answering(token_answer()).await);
    let binary = start(&upstream, &endpoint, &["log.format=json", "log.access=all"]).await;
    let traced = write(
        "/items?q=1",
        "w-1",
        &format!("traceparent: {TRACEPARENT}\r\n"),
    );
    let printed = printed_after(binary, &[&traced, &read("/plain", "r-1")]).await;

    let [line] = lines_of(&printed, "w-1").try_into().unwrap();
    let fields = line.as_object().unwrap();
    for measured in ["timestamp", "head_ms", "total_ms"] {
        assert!(fields.contains_key(measured), "{line}");
    }
    let mut rest = fields.clone();
    rest.retain(|name, _| !["timestamp", "head_ms", "total_ms"].contains(&name.as_str()));
    assert_eq!(
        Value::Object(rest),
        json!({
            "level": "INFO", "target": "cupbearer::access", "message": "request",
            "caller": format!("uid:{}", rustix::process::getuid().as_raw()), "method": "POST", "path": "/items",
            "protocol": "HTTP/1.1", "api_protocol": "HTTP/1.1", "status": 200,
            "request_id": "w-1", "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "token_generation": 1, "bytes_in": 4, "bytes_out": 5,
        })
    );
    let [line] = lines_of(&printed, "r-1").try_into().unwrap();
    assert_eq!(
        (&line["trace_id"], &line["bytes_in"]),
        (&Value::Null, &json!(0))
    );

    let seen = upstream.seen();
    assert_eq!(seen[0].values("traceparent"), [TRACEPARENT], "as sent");
    assert_eq!(seen[1].values("traceparent"), [""; 0], "none is generated");
}

#[tokio::test]
async fn an_access_line_as_text_has_the_same_fields() {
    let (upstream, endpoint) = (upstream().await, Upstream::answering(token_answer()).await);
    let binary = start(&upstream, &endpoint, &["log.format=text", "log.access=all"]).await;
    let printed = printed_after(binary, &[&write("/items?q=1", "w-1", "traceparent: x\r\n")]).await;
    let line = printed.lines().find(|line| line.contains("w-1")).unwrap();
    for part in [
        " INFO request ",
        r#"method="POST" path="/items" protocol="HTTP/1.1" api_protocol="HTTP/1.1" status=200 request_id="w-1" token_generation=1 "#,
        " head_ms=",
        " total_ms=",
        " bytes_in=4 bytes_out=5",
    ] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    assert!(
        !line.contains("q=1") && !line.contains("trace_id"),
        "{line}"
    );
}

#[tokio::test]
async fn by_default_writes_and_failures_have_exactly_one_line_each() {
    let (upstream, endpoint) = (upstream().await, Upstream::answering(token_answer()).await);
    for (access, has_write) in [("auto", true), ("none", false)] {
        let setting = format!("log.access={access}");
        let binary = start(&upstream, &endpoint, &["log.format=json", &setting]).await;
        let foreign = read("/", "foreign").replace("localhost", "evil.example");
        let requests = [
            &read("/", "read"),
            &write("/", "write", ""),
            &foreign,
            &read("/cut", "cut"),
        ];
        let printed = printed_after(binary, &requests.map(String::as_str)).await;
        let reasons = |id| {
            let lines = lines_of(&printed, id);
            lines
                .iter()
                .map(|line| line["reason"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(reasons("read"), [Value::Null; 0], "{access}");
        assert_eq!(reasons("write").len(), usize::from(has_write), "{access}");
        assert_eq!(reasons("foreign"), ["host_refused"], "{access}: {printed}");
        assert_eq!(reasons("cut"), ["upstream_closed"], "{access}: {printed}");
        for failed in ["foreign", "cut"] {
            let line = &lines_of(&printed, failed)[0];
            assert_eq!(line["level"], "WARN");
            assert!(line["error"].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn an_upload_replayed_after_a_401_is_counted_once() {
    let rejecting = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let refused = request.values("authorization")[0].ends_with("first");
            let status = if refused {
                "401 Unauthorized"
            } else {
                "200 OK"
            };
            connection.write(&answer(status, "", "")).await;
        }
    })
    .await;
    let endpoint = Upstream::scripted(async |mut connection: Connection| {
        let token = if connection.number == 0 {
            "first"
        } else {
            "second"
        };
        connection.request().await;
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":60}}"#);
        let json = "Content-Type: application/json\r\n";
        connection.write(&answer("200 OK", json, &body)).await;
    })
    .await;
    let binary = start(&rejecting, &endpoint, &["log.format=json"]).await;
    let printed = printed_after(binary, &[&write("/", "again", "")]).await;
    let [line] = lines_of(&printed, "again").try_into().unwrap();
    assert_eq!(rejecting.seen_count(), 2);
    assert_eq!(
        [
            &line["replayed"],
            &line["bytes_in"],
            &line["token_generation"]
        ],
        [&json!(true), &json!(4), &json!(2)],
        "{line}"
    );
    until("the upstream connections are closed", || {
        rejecting.open() <= 1
    })
    .await;
}

#[tokio::test]
async fn a_logged_path_is_ascii_and_truncated() {
    let (upstream, endpoint) = (upstream().await, Upstream::answering(token_answer()).await);
    let settings = ["log.format=json", "guard.read_only=true"];
    let binary = start(&upstream, &endpoint, &settings).await;
    let long = write(&format!("/{}", "x".repeat(60_000)), "long", "");
    let steering = write("/a\u{9b}2J\u{202e}x", "steering", "");
    let printed = printed_after(binary, &[&long, &steering]).await;
    let [line] = lines_of(&printed, "long").try_into().unwrap();
    assert_eq!(line["reason"], "rule_refused");
    assert_eq!(line["path"], format!("/{}…", "x".repeat(2047)));
    let [line] = lines_of(&printed, "steering").try_into().unwrap();
    assert_eq!(line["path"], "/a%C2%9B2J%E2%80%AEx");
}

/// The reason that rejects each of these requests, and the setting that it takes.
const REJECTED: [(&str, &str, &[u8]); 4] = [
    (
        "user_refused",
        "guard.local_users=[4242]",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    (
        "host_refused",
        "log.access=all",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ),
    (
        "bad_request",
        "log.access=none",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ),
    (
        "bad_request",
        "log.access=auto",
        b"GET / HTTP/1.1\nHost: localhost\n\n",
    ),
];

/// Anyone can send such requests, and must not fill the disk with their lines.
#[tokio::test]
async fn a_flood_of_rejected_requests_gets_ten_lines_a_minute_and_counts_in_the_metrics() {
    const FLOOD: usize = 60;
    for (reason, setting, request) in REJECTED {
        let (upstream, endpoint) = (upstream().await, Upstream::answering(token_answer()).await);
        let settings = ["log.format=text", "admin.listen=127.0.0.1:0", setting];
        let mut binary = start(&upstream, &endpoint, &settings).await;
        for _ in 0..FLOOD {
            let mut client = Client::connect(binary.address).await;
            client.send(request).await;
            client.rest().await;
        }
        let metrics = ask(binary.admin(), get("/metrics")).await.text();
        let count = format!("cupbearer_failed_requests_total{{reason=\"{reason}\"}} {FLOOD}\n");
        assert!(metrics.contains(&count), "{metrics}");
        binary.terminate();
        let printed = binary.wait().await.1;
        let has_reason = format!(" reason=\"{reason}\"");
        let lines = printed.lines().filter(|line| line.contains(&has_reason));
        let lines = lines.count();
        // If the minute ends meanwhile, there are those of the next one, and one that counts the rest.
        assert!((10..=21).contains(&lines), "{lines} lines: {printed}");
    }
}
