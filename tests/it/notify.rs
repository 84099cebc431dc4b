//! `sd_notify(3)` from the service manager's side: a real datagram socket and the built binary, from start to exit.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Binary, Client, Config, Upstream, answer, get, token_answer, until};

/// All messages since the last call.
fn messages(manager: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 4096];
    std::iter::from_fn(|| {
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
    .collect()
}

async fn until_reloaded(manager: &UnixDatagram) {
    let mut received = Vec::new();
    until("a reload has started and finished", || {
        received.extend(messages(manager));
        let at = |what: &str| {
            let found = received.iter().position(|one| one.starts_with(what));
            found.unwrap_or(usize::MAX)
        };
        at("RELOADING=1\nMONOTONIC_USEC=") < at("READY=1") && at("READY=1") < usize::MAX
    })
    .await;
}

async fn assert_silent_while_stopped(binary: &Binary, manager: &UnixDatagram) {
    binary.signal(Signal::STOP);
    tokio::time::sleep(Duration::from_millis(50)).await;
    messages(manager);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        messages(manager),
        [""; 0],
        "a stopped process sends nothing"
    );
    binary.signal(Signal::CONT);
    until("the process continues", || !messages(manager).is_empty()).await;
}

#[tokio::test]
async fn readiness_watchdog_and_stop_messages_are_sent_and_no_child_inherits_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let upstream = Upstream::answering(answer("200 OK", "", "hello")).await;
    let endpoint = Upstream::answering(token_answer()).await;
    let seen_by_child = directory.path().join("environment");
    let command = format!(
        r#"["/bin/sh", "-c", "/usr/bin/env > '{}'; echo s"]"#,
        seen_by_child.display()
    );
    let config = Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "x",
        secret: "y",
        settings: &["admin.listen=off"],
    };
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
        ("CUPBEARER_TOKEN__CLIENT_SECRET__COMMAND", &command),
        ("UNRELATED", "kept"),
    ];
    let mut binary = Binary::start_with(&config, &variables).await;

    let mut received = Vec::new();
    until("three watchdog messages, and a token", || {
        received.extend(messages(&manager));
        let pings = received.iter().filter(|one| one.starts_with("WATCHDOG=1"));
        pings.count() >= 3
            && received
                .iter()
                .any(|one| one.contains("STATUS=token fresh"))
    })
    .await;
    assert!(
        received[0].starts_with("READY=1\nSTATUS=token "),
        "{received:?}"
    );
    let inherited = std::fs::read_to_string(seen_by_child).unwrap();
    assert!(inherited.contains("UNRELATED=kept"), "{inherited}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "CUPBEARER_"] {
        assert!(!inherited.contains(name), "{inherited}");
    }
    let mut client = Client::connect(binary.address).await;
    client.send(get("/")).await;
    assert_eq!(client.answer().await.text(), "hello");

    binary.signal(Signal::HUP);
    until_reloaded(&manager).await;

    assert_silent_while_stopped(&binary, &manager).await;

    // A reload that the manager did not request, and that changes nothing.
    let mut file = std::fs::File::options()
        .append(true)
        .open(binary.file("cupbearer.toml"))
        .unwrap();
    file.write_all(b"# seen\n").unwrap();
    until_reloaded(&manager).await;

    binary.terminate();
    let (status, output) = binary.wait().await;
    assert_eq!(status.code(), Some(0));
    let unchanged = output.matches("configuration unchanged");
    assert_eq!(unchanged.count(), 1, "only for the signal: {output}");
    let last = messages(&manager);
    assert!(
        last.iter().any(|one| one.starts_with("STOPPING=1")),
        "{last:?}"
    );
}

/// A signal before the handler is installed has its default effect: the process ends without an exit code, and aborts
/// requests in flight.
#[cfg(target_os = "linux")]
#[test]
fn signal_handlers_are_installed_before_the_listener_opens() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let config = Config {
        upstream: "http://127.0.0.1:1",
        token_url: "http://127.0.0.1:1/token",
        client_id: "x",
        secret: "y",
        settings: &[],
    };
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"))
        .env_clear()
        .arg("--config")
        .arg(config.write(directory.path()))
        .args(["--set", "admin.listen=off", "--listen"])
        .arg(format!("unix:{}", socket.display()))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !socket.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the process has exited"
        );
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        let bit = 1 << (signal.as_raw() - 1);
        assert_ne!(caught & bit, 0, "{signal:?} in {caught:x}");
    }
}
