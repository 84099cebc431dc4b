//! The admin listener of the built binary: probes and metrics for everyone, everything else only for local users.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    Answer, Binary, Config, Connection, SECRET, TOKEN, Upstream, answer, ask, get, token_answer,
    until,
};

async fn start(upstream: &Upstream, token_url: &str, settings: &[&str]) -> Binary {
    let config = Config {
        upstream: &upstream.url(),
        token_url,
        client_id: "admin tests",
        secret: SECRET,
        settings,
    };
    Binary::start(&config).await
}

pub(crate) async fn with_token(settings: &[&str]) -> (Binary, Upstream, Upstream) {
    let (upstream, endpoint) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let binary = start(&upstream, &endpoint.url(), settings).await;
    let admin = binary.admin();
    loop {
        if ask(admin, get("/ready")).await.status == 200 {
            return (binary, upstream, endpoint);
        }
    }
}

fn post(path: &str, fields: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{fields}\r\n")
}

pub(crate) async fn line(admin: SocketAddr, path: &str) -> (u16, String) {
    let answer = ask(admin, get(path)).await;
    (answer.status, answer.text().trim_end().to_owned())
}

/// Runs a cupbearer command with this admin listener; returns its exit code and output.
pub(crate) async fn command(admin: impl ToString, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command.env_clear().args(arguments);
    command.args(["--admin", &admin.to_string()]);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

pub(crate) const LOOPBACK: &[&str] = &["admin.listen=127.0.0.1:0"];

#[tokio::test]
async fn without_a_token_the_proxy_is_live_but_not_ready_and_reports_the_cause() {
    let gone = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&gone);
    let endpoint = Upstream::scripted(move |mut connection: Connection| {
        let refuses = Arc::clone(&refuses);
        async move {
            while connection.request().await.is_some() {
                let bytes = if refuses.load(Ordering::Relaxed) {
                    let body = r#"{"error":"invalid_client","error_description":"no such client"}"#;
                    answer(
                        "401 Unauthorized",
                        "Content-Type: application/json\r\n",
                        body,
                    )
                } else {
                    token_answer()
                };
                connection.write(&bytes).await;
            }
        }
    })
    .await;
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, &endpoint.url(), LOOPBACK).await;
    let admin = binary.admin();
    until("the rejection", || endpoint.completed() > 0).await;
    assert_eq!(line(admin, "/live").await, (200, "live".to_owned()));
    for path in ["/ready", "/startup"] {
        let (status, text) = loop {
            let (status, text) = line(admin, path).await;
            if text.contains("token_refused") {
                break (status, text);
            }
        };
        assert_eq!(status, 503, "{path}");
        assert!(text.contains("invalid_client"), "{text}");
        assert!(text.contains("correct the credentials"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let (code, text) = command(admin, &["health", "--ready"]).await;
    assert_eq!(code, 1);
    assert!(
        text.starts_with("not ready: token starting: token_refused"),
        "{text}"
    );
    assert_eq!(command(admin, &["health"]).await, (0, "live\n".to_owned()));
    let (code, text) = command(admin, &["wait", "--max", "300ms"]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("not ready after 300ms"), "{text}");

    gone.store(false, Ordering::Relaxed);
    let refreshed = ask(admin, post("/token/refresh", "X-Cupbearer: 1\r\n")).await;
    assert_eq!(
        (refreshed.status, refreshed.text().trim()),
        (200, "cupbearer: generation 1")
    );
    let (status, text) = line(admin, "/ready").await;
    assert_eq!(status, 200);
    assert!(text.starts_with("ready: token fresh, valid for "), "{text}");
    assert_eq!(line(admin, "/startup").await, (200, "started".to_owned()));
    assert_eq!(command(admin, &["wait"]).await.0, 0);
}

#[tokio::test]
async fn a_usable_token_that_cannot_be_refreshed_is_ready_and_the_cause_is_named() {
    let endpoint = Upstream::scripted(async |mut connection: Connection| {
        while connection.request().await.is_some() {
            let answer = match connection.number {
                0 => token_answer(),
                _ => answer("503 Service Unavailable", "", ""),
            };
            connection.write(&answer).await;
        }
    })
    .await;
    let upstream = Upstream::echoing().await;
    let binary = start(&upstream, &endpoint.url(), LOOPBACK).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}
    let refreshed = ask(admin, post("/token/refresh", "X-Cupbearer: 1\r\n")).await;
    assert_eq!(refreshed.status, 503);
    let (status, text) = line(admin, "/ready").await;
    assert_eq!(status, 200);
    assert!(text.starts_with("ready, but refreshing fails: "), "{text}");
    assert!(text.contains("503 Service Unavailable"), "{text}");
    assert!(text.ends_with("s left"), "{text}");
    let (code, text) = command(admin, &["status"]).await;
    assert_eq!(code, 0);
    assert!(text.contains("ready, but refreshing fails: "), "{text}");
}

#[tokio::test]
async fn forwarded_and_rejected_requests_are_counted() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    assert_eq!(ask(binary.address, get("/one?q=1")).await.status, 200);
    let foreign = "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    assert_eq!(ask(binary.address, foreign).await.status, 403);
    let metrics = ask(binary.admin(), get("/metrics")).await;
    assert_eq!(
        metrics.field("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = metrics.text();
    for line in [
        r#"cupbearer_requests_total{caller="",method="GET",reason="",status_class="2xx"} 1"#,
        r#"cupbearer_requests_total{caller="",method="GET",reason="host_refused",status_class="4xx"} 1"#,
        r#"cupbearer_failed_requests_total{reason="host_refused"} 1"#,
        r#"cupbearer_failed_requests_total{reason="saturated"} 0"#,
        r#"cupbearer_config_pending{reason="refused"} 0"#,
        r#"cupbearer_token_state{state="fresh"} 1"#,
        r#"cupbearer_token_requests_total{outcome="granted"} 1"#,
        r#"cupbearer_upstream_connections_total{outcome="opened"} 1"#,
        "cupbearer_upstream_head_seconds_count 1",
        "cupbearer_request_seconds_count 2",
        "cupbearer_log_lines_dropped_total 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn the_time_of_the_upstreams_head_does_not_contain_the_wait_for_a_newer_token() {
    let endpoint = Upstream::scripted(async |mut connection: Connection| {
        let request = connection.request().await;
        if request.is_some() && connection.number == 0 {
            connection.write(&token_answer()).await;
        }
        connection.closed().await;
    })
    .await;
    let upstream = Upstream::answering(answer("401 Unauthorized", "", "no")).await;
    let settings = [LOOPBACK, &["token.wait=1s"]].concat();
    let binary = start(&upstream, &endpoint.url(), &settings).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}

    assert_eq!(ask(binary.address, get("/")).await.status, 401);

    let text = ask(admin, get("/metrics")).await.text();
    let seconds = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    let ours =
        seconds("cupbearer_request_seconds_sum ") - seconds("cupbearer_upstream_head_seconds_sum ");
    assert!(ours > 0.9, "{text}");
}

#[tokio::test]
async fn the_status_and_the_page_show_recent_requests_without_query_or_token() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    assert_eq!(
        ask(binary.address, get("/a%3Cb?q=unspoken")).await.status,
        200
    );
    let status = ask(binary.admin(), get("/status")).await;
    let json: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
    let recent = &json["proxies"][0]["recent"][0];
    assert_eq!(recent["path"], "/a%3Cb");
    assert_eq!(recent["status"], 200);
    assert_eq!(json["proxies"][0]["token"]["state"], "fresh");
    #[cfg(target_os = "linux")]
    assert_eq!(recent["user"], format!("uid:{}", own_uid()));
    assert_eq!(recent["answered_by"], "api");
    assert_eq!(recent["token_generation"], 1);
    assert_eq!(json["proxies"][0]["totals"]["requests"], 1);
    let page = ask(binary.admin(), get("/")).await;
    assert_eq!(page.field("x-frame-options"), Some("DENY"));
    let events = events(binary.admin(), "/a%3Cb").await;
    for text in [status.text(), page.text(), events] {
        assert!(
            !text.contains("unspoken") && !text.contains(&TOKEN[..12]),
            "{text}"
        );
    }
    let (code, text) = command(binary.admin(), &["status"]).await;
    assert_eq!(code, 0);
    assert!(text.contains("token        fresh, valid for"), "{text}");
    assert!(text.contains("GET     /a%3Cb"), "{text}");
}

/// The status and the reason of the response.
async fn outcome(admin: SocketAddr, request: &str) -> (u16, String) {
    let answer: Answer = ask(admin, request).await;
    (answer.status, answer.reason())
}

#[tokio::test]
async fn a_web_page_can_neither_read_the_status_nor_stop_the_proxy() {
    let (mut binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    let refused = |reason: &str| (403, reason.to_owned());
    let rebound = "GET /status HTTP/1.1\r\nHost: rebind.test\r\n\r\n";
    assert_eq!(outcome(admin, rebound).await, refused("host_refused"));
    let page = "GET /status HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n";
    assert_eq!(outcome(admin, page).await, refused("origin_refused"));
    for path in ["/quit", "/token/refresh", "/doctor"] {
        for order in ["", "X-Cupbearer: 0\r\n"] {
            assert_eq!(
                outcome(admin, &post(path, order)).await,
                refused("origin_refused")
            );
        }
        let foreign = post(path, "X-Cupbearer: 1\r\nOrigin: http://evil.test\r\n");
        assert_eq!(outcome(admin, &foreign).await, refused("origin_refused"));
        let wrong = (405, "method_refused".to_owned());
        assert_eq!(outcome(admin, &get(path)).await, wrong);
    }
    assert_eq!(
        outcome(admin, "GET /live HTTP/1.1\r\nHost: anything\r\n\r\n")
            .await
            .0,
        200
    );
    assert_eq!(outcome(admin, &get("/token")).await.0, 404);
    for path in [
        "/",
        "/events",
        "/live",
        "/metrics",
        "/page/main.js",
        "/ready",
        "/startup",
        "/status",
    ] {
        let wrong = (405, "method_refused".to_owned());
        let order = post(path, "X-Cupbearer: 1\r\n");
        assert_eq!(outcome(admin, &order).await, wrong, "{path}");
    }
    assert!(binary.exit_status().is_none());
    assert_eq!(
        command(admin, &["quit"]).await,
        (0, "stopping\n".to_owned())
    );
    let (status, output) = binary.wait().await;
    assert!(status.success(), "{output}");
}

#[tokio::test]
async fn a_rebound_page_can_read_neither_readiness_nor_metrics() {
    for listen in ["admin.listen=127.0.0.1:0", "admin.listen=0.0.0.0:0"] {
        let (binary, _upstream, _endpoint) =
            with_token(&[listen, "guard.hosts=[\"metrics.example\"]"]).await;
        let admin = SocketAddr::new([127, 0, 0, 1].into(), binary.admin().port());
        let named = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for path in ["/ready", "/startup", "/metrics"] {
            let rebound = outcome(admin, &named(path, "rebind.test:6750")).await;
            assert_eq!(rebound, (403, "host_refused".to_owned()), "{path}");
            let without = outcome(admin, &format!("GET {path} HTTP/1.1\r\n\r\n")).await;
            assert_eq!(without, (400, "bad_request".to_owned()), "{path}");
            for host in ["localhost:1", "127.0.0.1", "metrics.example:6751"] {
                assert_eq!(
                    outcome(admin, &named(path, host)).await.0,
                    200,
                    "{path} {host}"
                );
            }
        }
        assert_eq!(outcome(admin, &named("/live", "rebind.test")).await.0, 200);
    }
}

#[tokio::test]
async fn on_a_network_listener_only_probes_and_metrics_exist() {
    let (mut binary, _upstream, _endpoint) = with_token(&["admin.listen=0.0.0.0:0"]).await;
    let admin = SocketAddr::new([127, 0, 0, 1].into(), binary.admin().port());
    for path in ["/live", "/startup", "/ready", "/metrics"] {
        assert_eq!(line(admin, path).await.0, 200, "{path}");
    }
    for path in GUARDED {
        assert_eq!(line(admin, path).await.0, 404, "{path}");
    }
    let order = post("/quit", "X-Cupbearer: 1\r\n");
    assert_eq!(outcome(admin, &order).await.0, 404);
    assert!(binary.exit_status().is_none());
}

/// The pages that only admitted local users may read.
const GUARDED: [&str; 5] = [
    "/",
    "/status",
    "/events",
    "/page/main.js",
    "/page/style.css",
];

/// The beginning of the response, for those that never end.
async fn status_line(admin: SocketAddr, request: &str) -> String {
    let mut viewer = tokio::net::TcpStream::connect(admin).await.unwrap();
    viewer.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; "HTTP/1.1 200".len()];
    viewer.read_exact(&mut first).await.unwrap();
    String::from_utf8_lossy(&first).into_owned()
}

/// The user that runs the tests, as the proxy sees it.
#[cfg(target_os = "linux")]
fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What the event stream sends until it has sent this text.
async fn events(admin: SocketAddr, text: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(admin).await.unwrap();
    let request = get("/events");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    loop {
        let all = String::from_utf8_lossy(&received).into_owned();
        if all.contains(text) {
            return all;
        }
        assert!(stream.read_buf(&mut received).await.unwrap() > 0, "{all}");
    }
}

#[tokio::test]
async fn a_link_on_another_page_of_this_machine_leads_to_the_page_and_to_nothing_else() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    let from_a_page = |path: &str, site: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n{more}\r\n")
    };
    let link = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(
        ask(admin, from_a_page("/", "same-site", link)).await.status,
        200
    );
    for path in ["/status", "/events", "/page/main.js", "/page/style.css"] {
        let asked = outcome_of_page(admin, from_a_page(path, "same-site", link)).await;
        assert_eq!(asked, 403, "{path}");
    }
    for (site, more) in [
        ("cross-site", link),
        ("same-site", ""),
        (
            "same-site",
            "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n",
        ),
        (
            "same-site",
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        ),
    ] {
        let asked = outcome_of_page(admin, from_a_page("/", site, more)).await;
        assert_eq!(asked, 403, "{site} {more}");
    }
    let with_origin = format!("{link}Origin: http://localhost:1\r\n");
    let asked = outcome_of_page(admin, from_a_page("/", "same-site", &with_origin)).await;
    assert_eq!(asked, 403);
}

#[tokio::test]
async fn no_file_of_the_page_may_run_inline_scripts_or_insert_markup() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    for path in ["/", "/page/main.js", "/page/style.css"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = ask(admin, request).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";
        assert_eq!(
            answer.field("content-security-policy"),
            Some(policy),
            "{path}"
        );
    }
}

/// The status of a request that a browser sends; the rejection may be a page.
async fn outcome_of_page(admin: SocketAddr, request: String) -> u16 {
    ask(admin, request).await.status
}

#[tokio::test]
async fn at_most_eight_viewers_get_events_and_probes_get_through_beside_them() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    let mut viewers = Vec::new();
    for _ in 0..8 {
        let mut viewer = tokio::net::TcpStream::connect(admin).await.unwrap();
        viewer.write_all(get("/events").as_bytes()).await.unwrap();
        let mut first = [0; 12];
        viewer.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        viewers.push(viewer);
    }
    let (status, text) = line(admin, "/events").await;
    assert_eq!(status, 503);
    assert!(text.contains("8 viewers"), "{text}");
    assert_eq!(line(admin, "/ready").await.0, 200);
    drop(viewers.pop());
    // The place is free once the server has noticed.
    loop {
        let mut viewer = tokio::net::TcpStream::connect(admin).await.unwrap();
        viewer.write_all(get("/events").as_bytes()).await.unwrap();
        let mut first = [0; 12];
        viewer.read_exact(&mut first).await.unwrap();
        if &first == b"HTTP/1.1 200" {
            break;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_user_who_is_not_admitted_can_use_only_probes_and_metrics() {
    let other_user = rustix::process::geteuid().as_raw().wrapping_add(4242);
    let users = format!("guard.local_users=[{other_user}]");
    let (mut binary, _upstream, _endpoint) = with_token(&[LOOPBACK[0], &users]).await;
    let admin = binary.admin();
    let refused = (403, "user_refused".to_owned());
    for path in GUARDED {
        assert_eq!(outcome(admin, &get(path)).await, refused, "{path}");
    }
    for path in ["/quit", "/token/refresh", "/doctor"] {
        let order = post(path, "X-Cupbearer: 1\r\n");
        assert_eq!(outcome(admin, &order).await, refused, "{path}");
    }
    for path in ["/live", "/startup", "/ready", "/metrics"] {
        assert_eq!(line(admin, path).await.0, 200, "{path}");
    }
    assert!(binary.exit_status().is_none());
}

#[tokio::test]
async fn guard_hosts_applies_to_the_admin_listener_and_rules_for_the_api_do_not() {
    let settings = [
        LOOPBACK[0],
        "guard.hosts=[\"proxy.example\"]",
        "guard.read_only=true",
        "guard.deny=[\"* /**\"]",
    ];
    let (binary, _upstream, _endpoint) = with_token(&settings).await;
    for path in GUARDED {
        let named = format!("GET {path} HTTP/1.1\r\nHost: proxy.example\r\n\r\n");
        let answer = status_line(binary.admin(), &named).await;
        assert_eq!(answer, "HTTP/1.1 200", "{path}");
    }
    let order = post("/token/refresh", "X-Cupbearer: 1\r\n");
    assert_eq!(ask(binary.admin(), order).await.status, 200);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_has_every_endpoint_of_a_loopback_listener() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", directory.path().join("admin").display());
    let listen = format!("admin.listen={socket}");
    let (upstream, endpoint) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let mut binary = start(&upstream, &endpoint.url(), &[&listen]).await;
    assert_eq!(command(&socket, &["wait"]).await.0, 0);
    let (code, text) = command(&socket, &["status"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("token        fresh, valid for"), "{text}");
    assert_eq!(command(&socket, &["quit"]).await.0, 0);
    assert!(binary.wait().await.0.success());
}

#[tokio::test]
async fn quit_stops_only_the_configured_cupbearer() {
    let (mut binary, upstream, _endpoint) = with_token(LOOPBACK).await;
    let directory = tempfile::tempdir().unwrap();
    let asked = async |command: &str, upstream: &str| {
        let file = directory.path().join("c.toml");
        let admin = binary.admin();
        // Incomplete on purpose: these commands must not validate it.
        let text = format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = {upstream:?}\nadmin.listen = \"{admin}\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        run.env_clear().arg(command).arg("--config").arg(&file);
        let run = tokio::task::spawn_blocking(move || run.output().unwrap());
        let output = run.await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), stderr)
    };
    let theirs = "https://other.example.com";
    let (code, stderr) = asked("quit", theirs).await;
    assert_eq!(code, 1);
    let whose = format!("(forwards to {}) is not the one of ", upstream.url());
    assert!(stderr.contains(&whose), "{stderr}");
    assert!(stderr.contains("set admin.listen"), "{stderr}");
    let live = line(binary.admin(), "/live").await;
    assert_eq!(live.0, 200);

    assert_eq!(asked("quit", &upstream.url()).await, (0, String::new()));
    assert!(binary.wait().await.0.success());
}

#[tokio::test]
async fn a_configured_admin_address_that_is_taken_is_fatal() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream::echoing().await;
    let address = taken.local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .env("CUPBEARER_TOKEN__CLIENT_SECRET", SECRET);
    command.args(["--listen", "127.0.0.1:0", "--upstream", &upstream.url()]);
    command.args([
        "--set",
        "token.url=http://127.0.0.1:9/token",
        "--set",
        "token.client_id=x",
    ]);
    command.args(["--admin", &address.to_string()]);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains(&format!("cannot listen on {address}")),
        "{text}"
    );
}
