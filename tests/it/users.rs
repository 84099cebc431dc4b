//! Which users may connect over loopback and over unix sockets. Connecting as another user needs privileges that a test
//! run may lack, so `tests/e2e/users` tests that.

use std::io::Write as _;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

#[cfg(target_os = "linux")]
use crate::support::{Client, ask, get};
use crate::support::{Proxy, Upstream, within};

/// A user id that differs from ours.
fn other_uid() -> u32 {
    own_user().wrapping_add(4242)
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unlisted_user_is_shown_the_setting_to_change_and_a_listed_user_is_admitted() {
    let upstream = Upstream::echoing().await;
    let listed = format!("[{}]", other_uid());
    let proxy = Proxy::with(&upstream.url(), &[("guard.local_users", &listed)]).await;
    for _ in 0..2 {
        let answer = ask(proxy.address, get("/")).await;
        assert_eq!(answer.outcome(), (403, "user_refused".to_owned()));
        let mut allowed = [own_user(), other_uid()];
        allowed.sort_unstable();
        for part in [
            format!("user id {}", own_user()),
            format!("guard.local_users = {allowed:?}"),
        ] {
            assert!(answer.text().contains(&part), "{}", answer.text());
        }
    }
    assert_eq!(upstream.seen_count(), 0);
    for users in [
        "same".to_owned(),
        "any".to_owned(),
        format!("[{}]", own_user()),
    ] {
        let proxy = Proxy::with(&upstream.url(), &[("guard.local_users", &users)]).await;
        for _ in 0..100 {
            assert_eq!(ask(proxy.address, get("/")).await.status, 200, "{users}");
        }
    }
}

/// Such a peer is rejected when it connects: half a head of it takes neither a connection nor a buffer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unlisted_user_takes_no_connection_of_the_listed_ones() {
    let upstream = Upstream::echoing().await;
    let listed = format!("[{}]", other_uid());
    let settings = [("guard.local_users", &*listed), ("limits.connections", "1")];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = Client::connect(proxy.address).await;
        client.send("GET /half?secret HTTP/1.1\r\nHo").await;
        clients.push(client);
    }
    let mut outcomes = Vec::new();
    for client in &mut clients {
        outcomes.push(client.answer().await.outcome());
        assert_eq!(proxy.running.metrics.client_connections().get(), 0);
    }
    let answered = outcomes.iter().filter(|(status, _)| *status == 403).count();
    let closed = outcomes.iter().filter(|(status, _)| *status == 0).count();
    assert_eq!(answered + closed, 50, "{outcomes:?}");
    assert!(answered >= 16, "as many as there are places: {outcomes:?}");
    let entry = proxy.running.metrics.recent().pop().unwrap();
    assert_eq!(
        (entry.path(), entry.reason),
        ("/half", Some("user_refused"))
    );
    assert_eq!(upstream.seen_count(), 0);
}

/// Nothing else runs between connect and close, so the proxy accepts a connection that is already closed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_request_on_a_connection_closed_before_it_is_accepted_is_not_forwarded() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for _ in 0..10 {
        for _ in 0..20 {
            let mut client = std::net::TcpStream::connect(proxy.address).unwrap();
            client
                .write_all(b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
        }
        assert_eq!(ask(proxy.address, get("/after")).await.text(), "/after");
    }
    assert!(upstream.seen().iter().all(|seen| seen.method == "GET"));
}

async fn exchange(path: &Path, request: &str) -> String {
    let mut client = UnixStream::connect(path).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within("the response", client.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8(answer).unwrap()
}

fn closing_request(fields: &str) -> String {
    format!("POST /x HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: 5\r\n\r\nhello")
}

#[tokio::test]
async fn a_unix_socket_accepts_any_single_host_and_is_removed_with_the_proxy() {
    let upstream = Upstream::echoing().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/api.sock");
    let listen = format!("unix:{}", path.display());
    for threads in ["1", "3"] {
        let settings = [("listen", &*listen), ("runtime.threads", threads)];
        let mut proxy = Proxy::with(&upstream.url(), &settings).await;
        assert!(proxy.running.addresses.is_empty());
        for host in ["localhost", "api.example.com:1", "%2Frun%2Fapi.sock", ""] {
            let answer = exchange(&path, &closing_request(&format!("Host: {host}\r\n"))).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        }
        for fields in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: \"\r\n",
            "Host: a@b\r\n",
        ] {
            let answer = exchange(&path, &closing_request(fields)).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{fields}: {answer}");
        }
        let foreign = closing_request("Host: a\r\nSec-Fetch-Site: cross-site\r\n");
        assert!(exchange(&path, &foreign).await.contains("origin_refused"));
        proxy.stop().await;
        assert!(!path.exists());
    }
    assert_eq!(upstream.seen_count(), 8);
    assert!(upstream.seen().iter().all(|seen| seen.body == b"hello"));
}

#[tokio::test]
async fn guard_local_users_applies_to_unix_socket_clients() {
    let upstream = Upstream::echoing().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    let listen = format!("unix:{}", path.display());
    let users = format!("[{}]", other_uid());
    let settings = [("listen", &*listen), ("guard.local_users", &users)];
    let _proxy = Proxy::with(&upstream.url(), &settings).await;
    let answer = exchange(&path, &closing_request("Host: localhost\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("user_refused"), "{answer}");
    assert_eq!(upstream.seen_count(), 0);
}
