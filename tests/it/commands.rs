//! The commands that ask a running proxy, when something else responds at `admin.listen`: another program, one that
//! never responds, a cupbearer with another configuration.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::support::{
    Binary, Config, SECRET, Upstream, answer, ask, closed_port, get, token_answer, until, within,
};

/// Each command, with its exit code when it is not the configured proxy that responds.
const COMMANDS: [(&[&str], i32); 6] = [
    (&["health"], 1),
    (&["health", "--ready"], 1),
    (&["status"], 1),
    (&["status", "--json"], 1),
    (&["quit"], 1),
    (&["wait", "--max", "200ms"], 5),
];

/// Writes a configuration of which only this can be read.
fn configuration(directory: &Path, upstream: &str, admin: &str) -> std::path::PathBuf {
    let file = directory.join("c.toml");
    let text = format!("upstream.url = {upstream:?}\nadmin.listen = {admin:?}\n");
    std::fs::write(&file, format!("listen = \"127.0.0.1:0\"\n{text}")).unwrap();
    file
}

/// Runs a command with this configuration. Returns its exit code, standard output and standard error.
async fn run(arguments: &[&str], file: &Path) -> (i32, String, String) {
    run_with(arguments, file, &[]).await
}

/// The same with these environment variables.
async fn run_with(
    arguments: &[&str],
    file: &Path,
    variables: &[(&str, &str)],
) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .arg("--config")
        .arg(file)
        .kill_on_drop(true);
    let ended = within("the end of the command", command.output());
    let output = ended.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// The same with this on standard input.
async fn run_with_input(arguments: &[&str], file: &Path, input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .args(arguments)
        .arg("--config")
        .arg(file);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input.as_bytes()); // a command may end without reading it
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let output = within("the end of the command", run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// Starts a proxy with an admin listener.
async fn start(upstream: &Upstream, endpoint: &Upstream, settings: &[&str]) -> Binary {
    Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "commands",
        secret: SECRET,
        settings: &[&["admin.listen=127.0.0.1:0"], settings].concat(),
    })
    .await
}

fn address(server: &Upstream) -> String {
    server.url().replace("http://", "")
}

#[tokio::test]
async fn every_command_rejects_a_program_that_is_not_a_cupbearer() {
    let directory = tempfile::tempdir().unwrap();
    let json = "Content-Type: application/json\r\n";
    for (fields, body) in [
        (
            "",
            "<html>\x1b[2J\u{9b}2J ready: token fresh live stopping</html>",
        ),
        ("", "live"),
        ("", ""),
        (json, "{}"),
        (json, "[]"),
        (json, r#"{"proxies": []}"#),
        (json, r#"{"version": "1", "proxies": []}"#),
        (json, r#"{"version": "1", "proxies": [{}]}"#),
        (json, r#"{"status": "UP", "pid": 7, "ready": true}"#),
    ] {
        let refusals: &[&str] = if body == "live" {
            &["404 Not Found", "503 Service Unavailable"]
        } else {
            &[]
        };
        for status in ["200 OK"].iter().chain(refusals) {
            let server = Upstream::answering(answer(status, fields, body)).await;
            let file = configuration(
                directory.path(),
                "https://api.example.com",
                &address(&server),
            );
            for (arguments, expected) in COMMANDS {
                let (code, stdout, stderr) = run(arguments, &file).await;
                let said =
                    format!("{arguments:?}, {status} {body:?}: {code} {stdout:?} {stderr:?}");
                assert_eq!(code, expected, "{said}");
                assert!(!(stdout + &stderr).contains(['\u{1b}', '\u{9b}']), "{said}");
                assert!(
                    said.contains("is not the admin listener of a cupbearer"),
                    "{said}"
                );
            }
            assert!(server.seen().iter().all(|request| request.method == "GET"));
        }
    }
}

#[tokio::test]
async fn every_command_rejects_a_cupbearer_with_another_configuration() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = start(&upstream, &endpoint, &[]).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}
    let directory = tempfile::tempdir().unwrap();
    let other = configuration(
        directory.path(),
        "https://other.example.com",
        &admin.to_string(),
    );
    for (arguments, expected) in COMMANDS {
        let (code, stdout, stderr) = run(arguments, &other).await;
        let said = stdout + &stderr;
        assert_eq!(code, expected, "{arguments:?}: {said}");
        let whose = format!("(forwards to {}) is not the one of ", upstream.url());
        assert!(said.contains(&whose), "{arguments:?}: {said}");
    }
    let ours = configuration(directory.path(), &upstream.url(), &admin.to_string());
    for (arguments, _) in COMMANDS {
        if arguments[0] != "quit" {
            let (code, stdout, stderr) = run(arguments, &ours).await;
            assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
        }
    }
    let (code, stdout, _) = run(&["quit"], &ours).await;
    assert_eq!((code, &*stdout), (0, "stopping\n"));
}

#[tokio::test]
async fn a_name_or_address_that_is_not_written_is_the_default_one() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    for (settings, written) in [
        (&["name=other"][..], "listen = \"127.0.0.1:0\""),
        (&[], "name = \"cupbearer\""),
    ] {
        let mut binary = start(&upstream, &endpoint, settings).await;
        let admin = binary.admin();
        while ask(admin, get("/ready")).await.status != 200 {}
        let file = directory.path().join("c.toml");
        let (api, admin) = (upstream.url(), admin.to_string());
        let text = format!("{written}\nupstream.url = {api:?}\nadmin.listen = {admin:?}\n");
        std::fs::write(&file, &text).unwrap();
        for (arguments, expected) in COMMANDS {
            let (code, stdout, stderr) = run(arguments, &file).await;
            let said = stdout + &stderr;
            assert_eq!(code, expected, "{arguments:?}, {text}: {said}");
            assert!(
                said.contains("repeat the flags that the proxy was started with"),
                "{said}"
            );
        }
        assert!(
            binary.exit_status().is_none(),
            "quit has stopped another proxy"
        );
    }
}

#[tokio::test]
async fn without_any_configuration_every_proxy_can_be_asked_but_none_is_changed() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let mut binary = start(&upstream, &endpoint, &["name=other"]).await;
    let admin = binary.admin().to_string();
    while ask(binary.admin(), get("/ready")).await.status != 200 {}
    let directory = tempfile::tempdir().unwrap();
    let variables = [("CUPBEARER_ADMIN__LISTEN", &*admin)];
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command
            .env_clear()
            .envs(variables)
            .args(arguments)
            .current_dir(directory.path());
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    for (arguments, _) in COMMANDS {
        let (code, said) = run(arguments).await;
        if arguments[0] == "quit" {
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("nothing is configured here"), "{said}");
        } else {
            assert_eq!(code, Some(0), "{arguments:?}: {said}");
        }
    }
    // They would change who is signed in.
    for order in ["logout", "login"] {
        let (code, said) = run(&[order]).await;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("nothing is configured here"), "{said}");
        // This proxy obtains its tokens itself.
        let (code, said) = run(&[order, "--admin", &admin]).await;
        assert_eq!(code, Some(3), "{said}");
        assert!(!said.contains("nothing is configured here"), "{said}");
    }
    assert!(
        binary.exit_status().is_none(),
        "quit has stopped another proxy"
    );
    let stopped = run(&["quit", "--admin", &admin]).await;
    assert_eq!(stopped, (Some(0), "stopping\n".to_owned()));
}

#[tokio::test]
async fn an_older_cupbearer_that_does_not_know_pending_changes_is_recognized() {
    let status = r#"{"version": "0.0.1", "proxies": [{"name": "cupbearer", "upstream": "https://api.example.com",
        "summary": "live ready", "recent": [{"path": "/a"}], "token": {"from": "PLACE", "state": "fresh"}}]}"#
        .replace("PLACE", "x\u{9b}2J\u{202e}y");
    let fields = "Content-Type: application/json\r\n";
    let server = Upstream::answering(answer("200 OK", fields, &status)).await;
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(
        directory.path(),
        "https://api.example.com",
        &address(&server),
    );
    let (code, stdout, stderr) = run(&["status"], &file).await;
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains("token from   x?2J?y"), "{stdout}");
    let (code, stdout, _) = run(&["status", "--json"], &file).await;
    assert_eq!(code, 0);
    assert!(stdout.contains(r"x\u009b2J\u202ey"), "{stdout}");
    let json: serde_json::Value = stdout.parse().unwrap();
    assert_eq!(json["proxies"][0]["token"]["from"], "x\u{9b}2J\u{202e}y");
    // It answers every other request with the same text.
    for (arguments, _) in COMMANDS {
        let (code, stdout, stderr) = run(arguments, &file).await;
        let said = stdout + &stderr;
        assert_eq!(code, 0, "{arguments:?}: {said}");
        assert!(!said.is_empty());
        assert!(
            !said.contains(['\u{9b}', '\u{202e}']),
            "{arguments:?}: {said}"
        );
    }
}

/// Listeners on both loopback addresses that never accept.
fn hung() -> (u16, Vec<TcpListener>) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        match TcpListener::bind(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))) {
            Ok(second) => return (port, vec![first, second]),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(_) => return (port, vec![first]), // this machine has no IPv6
        }
    }
}

#[tokio::test]
async fn wait_gives_up_in_time_even_if_every_address_hangs() {
    let (port, _listeners) = hung();
    let directory = tempfile::tempdir().unwrap();
    let admin = format!("localhost:{port}");
    let file = configuration(directory.path(), "https://api.example.com", &admin);
    let wait = async |max: &str, least: u64, too_long: u64| {
        let start = Instant::now();
        let (code, _, stderr) = run(&["wait", "--max", max], &file).await;
        let took = start.elapsed();
        assert_eq!(code, 5, "{stderr}");
        let said = format!("not ready after {max}: no response from 127.0.0.1:");
        assert!(stderr.contains(&said), "{stderr}");
        let expected = Duration::from_secs(least)..Duration::from_secs(too_long);
        assert!(expected.contains(&took), "{max}: {took:?}");
    };
    // A request may take 5 s, and each address as long as all of them together: 10 s.
    tokio::join!(wait("1s", 1, 5), wait("5s", 5, 10));
}

#[tokio::test]
async fn wait_gives_the_last_answer_if_its_last_attempt_is_too_short_for_one() {
    let (port, mut listeners) = hung();
    let directory = tempfile::tempdir().unwrap();
    let admin = format!("127.0.0.1:{port}");
    let file = configuration(directory.path(), "https://api.example.com", &admin);
    let first = listeners.remove(0);
    let answered = std::thread::spawn(move || {
        let (mut stream, _) = first.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            .unwrap();
        first // it answers nothing else
    });
    let (code, _, stderr) = run(&["wait", "--max", "1s"], &file).await;
    let _hung = answered.join().unwrap();
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.contains("not ready after 1s: what responds at") && !stderr.contains("in time"),
        "{stderr}"
    );
}

#[tokio::test]
async fn with_a_file_that_cannot_be_read_every_command_rejects_a_proxy_that_does_not_say_the_same()
{
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let mut binary = start(&upstream, &endpoint, &[]).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}
    let directory = tempfile::tempdir().unwrap();
    let admin = admin.to_string();
    let variables = [("CUPBEARER_ADMIN__LISTEN", &*admin)];
    let broken = directory.path().join("broken.toml");
    std::fs::write(&broken, "x = ").unwrap();
    for (file, problem) in [
        (directory.path().join("missing.toml"), "does not exist"),
        (broken, "is not TOML"),
    ] {
        for (arguments, expected) in COMMANDS {
            let (code, stdout, stderr) = run_with(arguments, &file, &variables).await;
            let said = stdout + &stderr;
            assert_eq!(code, expected, "{arguments:?}: {said}");
            let whose = format!("is not the one of {}, which {problem}", file.display());
            assert!(said.contains(&whose), "{arguments:?}: {said}");
        }
    }
    assert!(
        binary.exit_status().is_none(),
        "quit has stopped another proxy"
    );
}

#[tokio::test]
async fn status_and_quit_ask_the_local_address_of_several_first() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = start(&upstream, &endpoint, &[]).await;
    // What a listener on a network address responds.
    let only_local = answer(
        "404 Not Found",
        "",
        "This path exists only on a loopback or unix listener (admin.listen).",
    );
    let network = Upstream::answering(only_local).await;
    let port = address(&network).rsplit_once(':').unwrap().1.to_owned();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream.url = {:?}\nadmin.listen = [\"0.0.0.0:{port}\", \"{}\"]\n",
        upstream.url(),
        binary.admin()
    );
    std::fs::write(&file, text).unwrap();
    for arguments in [&["status"][..], &["quit"]] {
        let (code, stdout, stderr) = run(arguments, &file).await;
        assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
    }
}

/// Writes a changed configuration of this proxy, and waits until `/status` contains this note.
async fn change(binary: &Binary, text: &str, note: &str) {
    std::fs::write(binary.file("cupbearer.toml"), text).unwrap();
    let admin = binary.admin();
    let wait = async {
        while !ask(admin, get("/status")).await.text().contains(note) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the note about the change", wait).await;
}

/// Runs each command with the file of this proxy, which runs on with an earlier one.
async fn assert_each_recognizes(binary: &Binary) {
    let file = binary.file("cupbearer.toml");
    let commands: [&[&str]; 5] = [
        &["health"],
        &["health", "--ready"],
        &["status"],
        &["wait", "--max", "10s"],
        &["quit"],
    ];
    for arguments in commands {
        let (code, stdout, stderr) = run(arguments, &file).await;
        assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
    }
}

/// A proxy that is ready, its admin listener, and the text of its file.
async fn start_ready(upstream: &Upstream, endpoint: &Upstream) -> (Binary, SocketAddr, String) {
    let binary = start(upstream, endpoint, &[]).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}
    let text = std::fs::read_to_string(binary.file("cupbearer.toml")).unwrap();
    (binary, admin, text)
}

#[tokio::test]
async fn a_proxy_is_recognized_while_its_changed_api_and_address_are_not_in_use_yet() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let (binary, admin, text) = start_ready(&upstream, &endpoint).await;
    let text = text
        .replace("127.0.0.1:0", "127.0.0.1:1")
        .replace(&upstream.url(), "https://other.example.com")
        .replace(&endpoint.url(), "http://127.0.0.1:2/token");
    let text = format!("admin.listen = \"{admin}\"\n{text}");
    change(&binary, &text, "waits for its first token").await;
    assert_each_recognizes(&binary).await;
}

#[tokio::test]
async fn a_proxy_is_found_and_recognized_while_its_file_has_a_syntax_error() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let (binary, admin, text) = start_ready(&upstream, &endpoint).await;
    let text = format!("drain = \n{text}\n[admin]\nlisten = \"{admin}\"\n");
    change(&binary, &text, "is not TOML").await;
    assert_each_recognizes(&binary).await;
}

#[tokio::test]
async fn nothing_at_the_default_address_is_reported_with_the_file_that_could_not_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("missing.toml");
    let (_, stdout, _) = run(&["health"], &file).await;
    // If this machine has a cupbearer at the default address, that is reported instead.
    if stdout.contains("no response") {
        let why = format!(
            "this is the default, since {} (--config) does not exist",
            file.display()
        );
        assert!(stdout.contains(&why), "{stdout}");
    }
}

/// Responds to everyone with this piece again and again.
fn endless(piece: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _request = stream.read(&mut [0; 1024]);
                while stream.write_all(piece).is_ok() {}
            });
        }
    });
    port
}

#[tokio::test]
async fn interim_responses_without_an_end_are_no_response() {
    let port = endless(&b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000).leak()[..]);
    let directory = tempfile::tempdir().unwrap();
    let admin = format!("127.0.0.1:{port}");
    let file = configuration(directory.path(), "https://api.example.com", &admin);
    for (arguments, expected) in COMMANDS {
        let (code, stdout, stderr) = run(arguments, &file).await;
        let said = stdout + &stderr;
        assert_eq!(code, expected, "{arguments:?}: {said}");
        // After five seconds a command would say that there is no response in time.
        assert!(said.contains("interim responses"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn wait_rejects_a_duration_in_months() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), "https://api.example.com", "localhost:0");
    let (code, _, stderr) = run(&["wait", "--max", "11M"], &file).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("write \"11m\""), "{stderr}");
}

#[tokio::test]
async fn status_watch_ends_when_nobody_reads_it_any_more() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = start(&upstream, &endpoint, &[]).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command.env_clear().args(["status", "--watch", "--admin"]);
    command
        .arg(binary.admin().to_string())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let first = tokio::task::spawn_blocking(move || {
        let mut piece = [0; 9];
        stdout.read_exact(&mut piece).unwrap();
        piece
    });
    assert_eq!(&first.await.unwrap(), b"cupbearer");
    until("the end of status --watch", || {
        child.try_wait().unwrap().is_some()
    })
    .await;
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn standard_error_that_is_no_terminal_contains_only_json() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let mut binary = start(&upstream, &endpoint, &["guard.local_users=any"]).await;
    until("the last line of the banner", || {
        binary.output().contains("valid until")
    })
    .await;
    binary.terminate();
    let (_, output) = binary.wait().await;
    for line in output.lines() {
        let json: serde_json::Value = line.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            json["timestamp"].is_string() && json["level"].is_string(),
            "{line}"
        );
    }
    assert!(
        output.contains(r#""level":"INFO","message":"listens on "#),
        "{output}"
    );
}

#[tokio::test]
async fn without_a_configuration_the_first_sentence_says_how_to_begin() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["check"], &["doctor"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        command.env_clear().args(arguments).current_dir(&directory);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = run.await.unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let first = said.lines().next().unwrap_or_default();
        assert!(
            first.contains("nothing is configured: `cupbearer init` writes a configuration"),
            "{arguments:?}: {said}"
        );
    }
}

#[tokio::test]
async fn a_command_names_the_address_whose_error_it_gives() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), "https://api.example.com", "localhost:0");
    let port = closed_port().await;
    let listen = format!("admin.listen=[\"127.0.0.1:{port}\", \"unix:/nonexistent/socket\"]");
    let (code, stdout, stderr) = run(&["health", "--set", &listen], &file).await;
    let said = stdout + &stderr;
    assert_eq!(code, 1, "{said}");
    let first = format!("no response from 127.0.0.1:{port}: ");
    assert!(
        said.contains(&first) && !said.contains("No such file"),
        "{said}"
    );
}

#[tokio::test]
async fn a_command_does_not_ask_at_port_0_which_is_chosen_at_each_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = configuration(directory.path(), "https://api.example.com", "localhost:0");
    for (arguments, _) in COMMANDS {
        let (code, stdout, stderr) = run(arguments, &file).await;
        let said = stdout + &stderr;
        let expected = if arguments[0] == "wait" { 3 } else { 1 };
        assert_eq!(code, expected, "{arguments:?}: {said}");
        assert!(
            said.contains("--admin localhost:PORT"),
            "{arguments:?}: {said}"
        );
    }
}

#[tokio::test]
async fn a_token_response_without_a_type_is_accepted_with_one_warning() {
    let upstream = Upstream::echoing().await;
    let json = "Content-Type: application/json\r\n";
    let untyped = r#"{"access_token": "eyJ.token", "expires_in": 3600}"#;
    let endpoint = Upstream::answering(answer("200 OK", json, untyped)).await;
    let binary = start(&upstream, &endpoint, &["guard.local_users=any"]).await;
    let admin = binary.admin();
    while ask(admin, get("/ready")).await.status != 200 {}
    let refresh = "POST /token/refresh HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer: 1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(admin, refresh).await.status, 200);
    assert_eq!(endpoint.seen_count(), 2);
    let output = binary.output();
    let warnings: Vec<&str> = output
        .lines()
        .filter(|line| line.contains("token_type"))
        .collect();
    let [warning] = warnings[..] else {
        panic!("{output}");
    };
    assert!(warning.contains("\"level\":\"WARN\""), "{warning}");
    assert_eq!(ask(binary.address, get("/a")).await.status, 200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_of_a_secret_ends_with_the_command_that_a_signal_ends() {
    let upstream = Upstream::echoing().await;
    let commands: [(&[&str], i32); 5] = [
        (&["run"], 0),
        (&["check"], 143),
        (&["token"], 143),
        (&["doctor"], 143),
        (&["learn", "--", "true"], 143),
    ];
    for (arguments, exit) in commands {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        let pid = directory.path().join("pid");
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\nupstream.url = {:?}\n[token]\n\
             url = \"https://as.example.com/t\"\nclient_id = \"id\"\n\
             client_secret = {{ command = [\"sh\", \"-c\", \"echo $$ > '{}'; exec sleep 55\"] }}\n",
            upstream.url(),
            pid.display()
        );
        std::fs::write(&file, text).unwrap();
        let (command, rest) = arguments.split_first().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
            .arg(command)
            .arg("--config")
            .arg(&file)
            .args(rest)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = String::new();
        until("the command runs", || {
            started = std::fs::read_to_string(&pid).unwrap_or_default();
            started.ends_with('\n')
        })
        .await;
        let own = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
        let mut status = None;
        until("the end of the command", || {
            status = child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        assert_eq!(status.unwrap().code(), Some(exit), "{arguments:?}");
        let stat = format!("/proc/{}/stat", started.trim());
        until("the end of what it started", || {
            // Whoever adopts it may leave it as a zombie.
            std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z"))
                || !Path::new(&stat).exists()
        })
        .await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_that_the_pages_doctor_has_started_ends_with_the_process() {
    use tokio::io::AsyncWriteExt as _;
    let upstream = Upstream::echoing().await;
    let directory = tempfile::tempdir().unwrap();
    let (hang, pid) = (directory.path().join("hang"), directory.path().join("pid"));
    let script = format!(
        "if [ -e '{}' ]; then echo $$ > '{}'; exec /bin/sleep 55; fi; echo the-token-of-this-test",
        hang.display(),
        pid.display()
    );
    let file = directory.path().join("c.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nupstream.url = {:?}\n[token]\n\
         source = {{ command = [\"/bin/sh\", \"-c\", {script:?}] }}\n",
        upstream.url(),
    );
    std::fs::write(&file, text).unwrap();
    let mut binary = Binary::start_with_files(&[file], directory).await;
    until("the admin listener", || {
        binary.output().contains("admin        http://")
    })
    .await;
    std::fs::write(&hang, "").unwrap();
    let mut admin = tokio::net::TcpStream::connect(binary.admin())
        .await
        .unwrap();
    let order =
        b"POST /doctor HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer: 1\r\nContent-Length: 0\r\n\r\n";
    admin.write_all(order).await.unwrap();
    let mut started = String::new();
    until("the command runs", || {
        started = std::fs::read_to_string(&pid).unwrap_or_default();
        started.ends_with('\n')
    })
    .await;
    binary.terminate();
    until("the end of the process", || binary.exit_status().is_some()).await;
    let stat = format!("/proc/{}/stat", started.trim());
    until("the end of what it started", || {
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z"))
            || !Path::new(&stat).exists()
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn completions_are_installed_by_the_commands_that_the_help_shows() {
    let home = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_cupbearer"));
    let shell = |script: &str| {
        let path = std::env::join_paths([
            binary.parent().unwrap(),
            Path::new("/usr/bin"),
            Path::new("/bin"),
        ]);
        Command::new("/bin/sh")
            .args(["-ec", script])
            .env_clear()
            .envs([("PATH", path.unwrap()), ("HOME", home.path().into())])
            .output()
            .unwrap()
    };
    let help = String::from_utf8(shell("cupbearer completions --help").stdout).unwrap();
    let example = help.split("Example").nth(1).unwrap();
    let commands: Vec<&str> = example
        .lines()
        .filter(|line| line.starts_with("  "))
        .collect();
    assert_eq!(commands.len(), 6, "{help}");
    let done = shell(&commands.join("\n"));
    assert!(done.status.success(), "{done:?}");
    for file in [
        ".local/share/bash-completion/completions/cupbearer",
        ".zfunc/_cupbearer",
        ".config/fish/completions/cupbearer.fish",
        ".local/share/man/man1/cupbearer.1",
    ] {
        let text = std::fs::read_to_string(home.path().join(file)).unwrap();
        assert!(text.contains("cupbearer"), "{file}");
    }
}

#[tokio::test]
async fn no_command_prints_escape_sequences_of_what_responds() {
    const EVIL: &str = "x\\u001b]0;evil\\u0007\\u009b2J";
    let directory = tempfile::tempdir().unwrap();
    let api = "https://api.example.com";
    for (name, forwards_to) in [("cupbearer", api), (EVIL, "http://EVIL")] {
        let body = format!(
            r#"{{"version": "1{EVIL}", "proxy": "{EVIL}", "who": "{EVIL}", "problem": "{EVIL}", "doubts": ["{EVIL}"],
            "expires_at": "{EVIL}", "state": "fresh", "api": "{EVIL}", "summary": "{EVIL}", "proxies": [{{"name": "{name}",
            "upstream": "{forwards_to}", "token": {{"last_error": "{EVIL}"}}}}]}}"#
        );
        let body = body.replace("http://EVIL", &format!("http://{EVIL}"));
        let server = Upstream::answering(answer("200 OK", "", &body)).await;
        let file = configuration(directory.path(), api, &address(&server));
        for (arguments, _) in COMMANDS
            .into_iter()
            .chain([(&["login"][..], 0), (&["logout"], 0)])
        {
            let (_, stdout, stderr) = run_with_input(arguments, &file, "a-pasted-token").await;
            let said = stdout + &stderr;
            assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{said:?}");
            assert!(!said.is_empty(), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn a_change_that_waits_makes_no_other_configuration_the_right_one() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let (mut binary, admin, text) = start_ready(&upstream, &endpoint).await;
    let changed = format!("log.format = \"text\"\n{text}");
    change(&binary, &changed, "needs a restart: log.format").await;
    let directory = tempfile::tempdir().unwrap();
    let admin = admin.to_string();
    let unreadable = directory.path().join("unreadable.toml");
    std::fs::write(&unreadable, format!("admin.listen = {admin:?}\nno TOML\n")).unwrap();
    let other = configuration(directory.path(), "https://other.example.com", &admin);
    for file in [other, unreadable] {
        for (arguments, expected) in COMMANDS {
            let (code, stdout, stderr) = run(arguments, &file).await;
            let said = stdout + &stderr;
            assert_eq!(code, expected, "{arguments:?}: {said}");
            assert!(said.contains("is not the one of "), "{arguments:?}: {said}");
        }
    }
    assert!(
        binary.exit_status().is_none(),
        "quit has stopped another proxy"
    );
}
