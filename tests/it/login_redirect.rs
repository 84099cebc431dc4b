//! The login pages of the API itself: a browser is sent to the API's own host, since their cookie would be lost here.

use crate::support::{Binary, Proxy, TOKEN, Upstream, ask, get};

const API: &str = "https://self-service-api.dev-example.eu1.ping.cloud";

/// A proxy before the API of `PingOne` Advanced Services, for which nobody has signed in.
async fn before_advanced_services() -> Binary {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nupstream.url = \"{API}\"\n\
         token.grant = \"paste\"\ntoken.wait = \"0s\"\n"
    );
    std::fs::write(&file, text).unwrap();
    Binary::start_with_files(&[file], directory).await
}

fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

#[tokio::test]
async fn navigations_to_a_login_page_of_advanced_services_go_to_its_own_host() {
    let binary = before_advanced_services().await;
    let navigate = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n";
    for target in [
        "/api/v1/auth/login",
        "/api/v1/auth/login/self-service",
        "/api/v1/auth/login/pingaccess?x=%2F&y",
        "/api/v1/login/pingaccess",
    ] {
        let head = format!("{navigate}Connection: close\r\n");
        for (method, fields) in [("GET", ""), ("GET", navigate), ("HEAD", &head)] {
            let answer = ask(binary.address, request(method, target, fields)).await;
            assert_eq!(answer.status, 302, "{method} {target}");
            let location = format!("{API}{target}");
            assert_eq!(answer.field("location"), Some(&*location));
            assert_eq!(answer.field("cache-control"), Some("no-store"));
            let status = "cupbearer; details=\"sign-in\"";
            assert_eq!(answer.field("proxy-status"), Some(status));
        }
    }
}

#[tokio::test]
async fn nothing_else_is_redirected_and_the_guard_comes_first() {
    let binary = before_advanced_services().await;
    let login = "/api/v1/auth/login/self-service";
    let cors = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
    for (method, target, fields) in [
        ("GET", "/docs", ""),
        ("GET", "/api/v1/auth/loginx", ""),
        ("GET", "/api/v1/auth/logout", ""),
        ("GET", "/x/api/v1/auth/login", ""),
        ("POST", login, "Content-Length: 0\r\n"),
        ("GET", login, cors),
    ] {
        let answer = ask(binary.address, request(method, target, fields)).await;
        assert_eq!(
            answer.outcome().1,
            "login_required",
            "{method} {target} {fields}"
        );
    }
    let hostile = "Origin: https://evil.example.com\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: cross-site\r\n";
    let answer = ask(binary.address, request("GET", login, hostile)).await;
    assert_eq!(answer.outcome(), (403, "origin_refused".to_owned()));
}

#[tokio::test]
async fn another_api_keeps_its_pages_below_the_same_path() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let answer = ask(proxy.address, get("/api/v1/auth/login/self-service")).await;
    assert_eq!(answer.status, 200);
    let request = upstream.only_request();
    assert!(
        request
            .fields
            .iter()
            .any(|(_, value)| value.contains(TOKEN))
    );
}
