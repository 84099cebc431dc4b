use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// The status of the response to a request with this `Host`.
async fn status(not_running: &[&config::GuardConfig], host: &str) -> String {
    let config = config::AdminConfig {
        listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
        is_configured: true,
    };
    let process = metrics::ProcessMetrics::new(|| 0);
    let not_running = not_running.iter().map(|guard| NotStarted {
        guard,
        why: "two: not started".to_owned(),
    });
    let not_running: Vec<NotStarted<'_>> = not_running.collect();
    let listeners = start_admin(&config, &[], &not_running, process, &mut Vec::new()).unwrap();
    let mut stream = TcpStream::connect(listeners.addresses[0]).await.unwrap();
    let head = format!("GET /status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_guard_of_a_proxy_that_did_not_start_applies_too() {
    let (strict, named) = (
        config::GuardConfig::default(),
        config::GuardConfig {
            hosts: vec!["ops.example".to_owned()],
            ..config::GuardConfig::default()
        },
    );
    assert_eq!(status(&[&named], "ops.example").await, "200");
    assert_eq!(status(&[&named, &strict], "ops.example").await, "403");
    assert_eq!(status(&[&named, &strict], "localhost").await, "200");
}

#[test]
fn a_stopped_task_of_the_admin_listeners_makes_every_proxy_unready_and_is_named() {
    let config = config::AdminConfig {
        listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
        is_configured: true,
    };
    // Without timers, whatever sleeps panics: the task that enforces the limits does so at once.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let process = metrics::ProcessMetrics::new(|| 0);
        let listeners = start_admin(&config, &[], &[], process, &mut Vec::new()).unwrap();
        assert!(listeners.endpoints.readiness().is_ready);
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let readiness = listeners.endpoints.readiness();
        assert!(!readiness.is_ready);
        assert!(
            readiness.line.contains("limits of connections"),
            "{}",
            readiness.line
        );
    });
}
