//! Listening sockets that a service manager passes (`sd_listen_fds(3)`). The test holds them, as systemd does.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use crate::support::{Binary, Config, SECRET, Upstream, ask, get, token_answer, until, within};

const API: [(&str, &str); 2] = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "api")];

fn config<'a>(upstream: &'a str, token_url: &'a str, settings: &'a [&'a str]) -> Config<'a> {
    Config {
        upstream,
        token_url,
        client_id: "passed",
        secret: SECRET,
        settings,
    }
}

/// Sends requests to `address`, each on a connection of its own, until `stop` is set. Each must get a 200.
async fn load(address: SocketAddr, stop: Arc<AtomicBool>, served: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let answer = ask(address, get("/")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        served.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_restart_under_load_loses_no_connection() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let (url, token_url) = (upstream.url(), endpoint.url());
    let config = config(&url, &token_url, &["admin.listen=off"]);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let start = || Binary::start_with_socket(&config, &API, held.try_clone().unwrap().into());
    let mut binary = start().await;
    assert_eq!(binary.address, address);
    let (stop, served) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..8)
        .map(|_| tokio::spawn(load(address, Arc::clone(&stop), Arc::clone(&served))))
        .collect();
    for restarts in 1..=3 {
        let enough = served.load(Ordering::Relaxed) + 100;
        until("requests are served", || {
            served.load(Ordering::Relaxed) >= enough || clients.iter().any(JoinHandle::is_finished)
        })
        .await;
        binary.terminate();
        let (status, output) = binary.wait().await;
        assert!(status.success(), "restart {restarts}: {output}");
        binary = start().await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn no_program_that_is_started_inherits_a_passed_socket_or_its_variables() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let seen = directory.path().join("seen");
    let command = format!(
        r#"["/bin/sh", "-c", "(env; ls -l /proc/self/fd) > '{}'; echo s"]"#,
        seen.display()
    );
    let variables = [
        API[0],
        API[1],
        ("CUPBEARER_TOKEN__CLIENT_SECRET__COMMAND", &command),
        ("UNRELATED", "kept"),
    ];
    let (url, token_url) = (upstream.url(), endpoint.url());
    let config = config(&url, &token_url, &["admin.listen=off"]);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket: OwnedFd = held.try_clone().unwrap().into();
    let binary = Binary::start_with_socket(&config, &variables, socket).await;
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(
        seen.contains("UNRELATED=kept") && seen.contains("pipe:"),
        "{seen}"
    );
    for inherited in ["LISTEN_PID", "LISTEN_FD", "socket:"] {
        assert!(!seen.contains(inherited), "{inherited}: {seen}");
    }
}

#[tokio::test]
async fn sockets_for_another_process_are_left_alone() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let (url, token_url) = (upstream.url(), endpoint.url());
    let variables = [API[0], ("LISTEN_FDNAMES", "unknown"), ("LISTEN_PID", "1")];
    let config = config(&url, &token_url, &["admin.listen=off"]);
    let binary = Binary::start_with(&config, &variables).await;
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
}

/// Starts with this socket and returns the exit code and standard error.
async fn refusal(socket: OwnedFd, name: &str, settings: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let config = config("http://127.0.0.1:1", "http://127.0.0.1:1/token", settings);
    let file = config.write(directory.path());
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args([
        "-c",
        "export LISTEN_PID=$$; exec \"$@\" 3<&0 </dev/null",
        "sh",
    ]);
    command.arg(env!("CARGO_BIN_EXE_cupbearer"));
    command.arg("--config").arg(file);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.env_clear().env("LISTEN_FDS", "1");
    command.env("LISTEN_FDNAMES", name).kill_on_drop(true);
    command.stdin(Stdio::from(socket));
    let output = within("the end of the process", command.output());
    let output = output.await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn a_passed_socket_that_fits_no_listener_is_an_error_that_says_so() {
    let listener = |address: &str| -> OwnedFd { TcpListener::bind(address).unwrap().into() };
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(held.local_addr().unwrap()).unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    for (socket, name, expected) in [
        (
            listener("127.0.0.1:0"),
            "cupbearer.socket",
            "with the name \"cupbearer.socket\", but only \"api\" and \"admin\" have a meaning; write FileDescriptorName=api",
        ),
        (listener("127.0.0.1:0"), "", "with the name \"\""),
        (
            listener("127.0.0.1:0"),
            "api:admin",
            "LISTEN_FDNAMES is \"api:admin\"",
        ),
        (
            listener("127.0.0.1:0"),
            "admin",
            "as \"admin\", but admin.listen is off",
        ),
        (
            listener("0.0.0.0:0"),
            "api",
            "as \"api\", but listen is 127.0.0.1:0",
        ),
        (
            connection.into(),
            "api",
            "is not a listening TCP or unix stream socket (it is not listening)",
        ),
        (
            datagrams.into(),
            "api",
            "is not a listening TCP or unix stream socket",
        ),
    ] {
        let (code, stderr) = refusal(socket, name, &["admin.listen=off", "log.format=text"]).await;
        assert_eq!(code, Some(3), "{name}: {stderr}");
        let message = stderr.lines().last().unwrap();
        assert!(message.starts_with("cupbearer cannot start: "), "{stderr}");
        assert!(message.contains(expected), "{name}: {stderr}");
    }
}

#[tokio::test]
async fn a_socket_on_the_network_needs_callers_with_keys_like_an_address_in_the_configuration() {
    let listener = || -> OwnedFd { TcpListener::bind("0.0.0.0:0").unwrap().into() };
    let (code, stderr) =
        refusal(listener(), "api", &["admin.listen=off", "listen=0.0.0.0:0"]).await;
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("guard.network"), "{stderr}");
}
