//! Probes get through whatever other clients of the admin listener do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::admin::{LOOPBACK, command, line, with_token};
use crate::support::{Client, get};

/// Renews 200 connections that send half a head, until the returned task is aborted.
fn attack(admin: SocketAddr, bytes: &'static [u8]) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut attackers = tokio::task::JoinSet::new();
        for _ in 0..200 {
            attackers.spawn(async move {
                while let Ok(mut stream) = tokio::net::TcpStream::connect(admin).await {
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.read(&mut [0; 1]).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
        attackers.join_all().await;
    })
}

/// More half heads than the admin listener has connections, renewed whenever one is closed.
#[tokio::test]
async fn probes_get_through_a_flood_of_half_heads_and_of_silent_connections() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    for bytes in [&b""[..], b"G", b"GET /live HTTP/1.1\r\nHo", b"\0"] {
        let flood = attack(admin, bytes);
        let mut times = Vec::new();
        for _ in 0..20 {
            let start = Instant::now();
            assert_eq!(
                line(admin, "/live").await,
                (200, "live".to_owned()),
                "{bytes:?}"
            );
            times.push(start.elapsed());
        }
        // One may be late on a busy machine. Behind half heads, each would be.
        times.sort_unstable();
        assert!(times[10] < Duration::from_secs(1), "{bytes:?}: {times:?}");
        assert_eq!(command(admin, &["health"]).await, (0, "live\n".to_owned()));
        flood.abort();
    }
}

/// Clients that request metrics until the sockets are full, and read none of it.
#[tokio::test]
async fn probes_get_through_clients_that_do_not_read() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    let mut clients = Vec::new();
    for _ in 0..70 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(admin).await.unwrap();
        let requests = get("/metrics").repeat(200);
        let mut sent = 0;
        let sending = async {
            while sent < requests.len() {
                stream.writable().await.unwrap();
                match stream.try_write(&requests.as_bytes()[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(50), sending).await;
        clients.push(stream);
    }
    // Long before `stall_timeout` ends one of them.
    assert_eq!(line(admin, "/live").await, (200, "live".to_owned()));
}

/// Requests metrics without end. Either reads the responses, or connects again as soon as it is disconnected.
async fn pipeline_metrics(admin: SocketAddr, reads: bool) {
    let requests = get("/metrics").repeat(300);
    loop {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let Ok(mut stream) = socket.connect(admin).await else {
            return;
        };
        let (mut reading, mut writing) = stream.split();
        let read = async {
            if !reads {
                std::future::pending::<()>().await;
            }
            let _ = tokio::io::copy(&mut reading, &mut tokio::io::sink()).await;
        };
        let write = async { while writing.write_all(requests.as_bytes()).await.is_ok() {} };
        tokio::select! {
            () = read => {}
            () = write => {}
        }
    }
}

/// More clients than the admin listener has connections, each with requests without end.
#[tokio::test]
async fn probes_get_through_clients_that_pipeline_without_end() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let admin = binary.admin();
    for reads in [false, true] {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..100 {
            clients.spawn(pipeline_metrics(admin, reads));
        }
        for _ in 0..20 {
            let limit = Duration::from_secs(10); // it took until `stall_timeout`, 30 s
            let probed = tokio::time::timeout(limit, line(admin, "/live")).await;
            let expected = Ok((200, "live".to_owned()));
            assert_eq!(probed, expected, "the clients read: {reads}");
        }
        clients.abort_all();
    }
}

/// A client with one request after the other would keep new ones from their turn.
#[tokio::test]
async fn a_connection_to_the_admin_listener_ends_with_its_first_response() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    for path in ["/live", "/ready", "/metrics", "/status", "/nowhere"] {
        let mut client = Client::connect(binary.admin()).await;
        client.send(get(path).repeat(2)).await;
        let answer = client.answer().await;
        assert_eq!(answer.field("connection"), Some("close"), "{path}");
        assert!(client.rest().await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn half_a_head_lives_for_a_second_on_the_admin_listener() {
    let (binary, _upstream, _endpoint) = with_token(LOOPBACK).await;
    let mut client = Client::connect(binary.admin()).await;
    let start = Instant::now();
    client.send("GET /live HTTP/1.1\r\nHo").await;
    assert_eq!(
        client.answer().await.outcome(),
        (408, "client_timeout".to_owned())
    );
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
}
