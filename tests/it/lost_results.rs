//! Commands whose standard output takes nothing: a full disk, a file that is not open for writing, a closed one, a
//! reader that is gone.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Binary, Config, SECRET, Upstream, ask, get, token_answer, until, within};

/// Commands that need no proxy.
const OFFLINE: [&[&str]; 8] = [
    &["--help"],
    &["--version"],
    &["help", "check"],
    &["check", "--help"],
    &["completions", "bash"],
    &["completions", "man"],
    &["check"],
    &["check", "--json"],
];

/// Commands that ask a proxy or its servers. The last one ends the proxy.
const ONLINE: [&[&str]; 11] = [
    &["health"],
    &["health", "--ready"],
    &["wait"],
    &["status"],
    &["status", "--json"],
    &["status", "--watch"],
    &["doctor"],
    &["doctor", "--json"],
    &["token"],
    &["token", "--header"],
    &["quit"],
];

/// A running proxy, and its configuration file.
struct Running {
    _upstream: Upstream,
    _endpoint: Upstream,
    _binary: Binary,
    _directory: tempfile::TempDir,
    file: PathBuf,
}

impl Running {
    async fn start() -> Self {
        let upstream = Upstream::echoing().await;
        let endpoint = Upstream::answering(token_answer()).await;
        let config = Config {
            upstream: &upstream.url(),
            token_url: &endpoint.url(),
            client_id: "lost",
            secret: SECRET,
            settings: &["admin.listen=127.0.0.1:0"],
        };
        let binary = Binary::start(&config).await;
        let admin = binary.admin();
        while ask(admin, get("/ready")).await.status != 200 {}
        let directory = tempfile::tempdir().unwrap();
        let file = config.write(directory.path());
        let text = std::fs::read_to_string(&file).unwrap();
        let keys = format!(
            "listen = \"{}\"\nadmin.listen = \"{admin}\"\n",
            binary.address
        );
        let others = text.lines().filter(|line| !line.starts_with("listen"));
        let others: Vec<&str> = others.collect();
        std::fs::write(&file, keys + &others.join("\n")).unwrap();
        Self {
            _upstream: upstream,
            _endpoint: endpoint,
            _binary: binary,
            _directory: directory,
            file,
        }
    }
}

/// The exit code and standard error.
async fn run(arguments: &[&str], file: &Path, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command
        .env_clear()
        .env("CUPBEARER_CONFIG", file)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let output = within("the end of the command", child.wait_with_output());
    let output = output.await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_a_failure_that_names_the_cause() {
    let running = Running::start().await;
    for arguments in OFFLINE.iter().chain(&ONLINE) {
        for (stdout, cause) in [
            (full_disk(), "No space left on device"),
            (File::open("/dev/null").unwrap(), "Bad file descriptor"),
        ] {
            // It may be given once only.
            if arguments[0] == "quit" && cause == "Bad file descriptor" {
                continue;
            }
            let (code, stderr) = run(arguments, &running.file, stdout).await;
            assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
            let expected = format!("standard output: {cause}");
            assert!(stderr.contains(&expected), "{arguments:?}: {stderr}");
            assert_eq!(stderr.matches("standard output").count(), 1, "{stderr}");
        }
    }
}

#[tokio::test]
async fn the_rules_that_learn_compares_are_a_result_too() {
    let running = Running::start().await;
    let text = std::fs::read_to_string(&running.file).unwrap();
    let key = running.file.with_extension("key");
    std::fs::write(&key, format!("cbk_{}\n", "k".repeat(43))).unwrap();
    let rules = format!("[guard.callers.ci]\nkey = {{ file = {key:?} }}\nallow = [\"GET /**\"]\n");
    std::fs::write(&running.file, format!("{text}\n{rules}")).unwrap();
    let program =
        "curl -sf -o /dev/null -H \"Authorization: Bearer $CUPBEARER_KEY\" $CUPBEARER_URL/a";
    let arguments = ["learn", "--check", "ci", "--", "sh", "-c", program];
    let (code, stderr) = run(&arguments, &running.file, full_disk()).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("standard output: No space left"),
        "{stderr}"
    );
}

#[tokio::test]
async fn problems_keep_their_exit_code_where_the_result_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    std::fs::write(&file, "x = 1").unwrap();
    for arguments in [["check", "--json"], ["doctor", "--json"]] {
        let (code, stderr) = run(&arguments, &file, full_disk()).await;
        assert_eq!(code, Some(3), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("standard output: No space left"),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn a_reader_that_is_gone_is_no_failure() {
    let running = Running::start().await;
    for arguments in OFFLINE.iter().chain(&ONLINE) {
        // Whoever asks for a token, and does not take it, has none.
        let expected = i32::from(arguments[0] == "token");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = run(arguments, &running.file, writer).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_slow_reader_of_a_pipe_that_does_not_block_gets_everything() {
    use std::io::{Read as _, Write as _};
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    // The pipe is full when the command starts.
    let mut before = 0;
    while let Ok(count) = writer.write(&[b'.'; 1024]) {
        before += count;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupbearer"));
    command.args(["completions", "bash"]).stdout(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    let whole = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
        .args(["completions", "bash"])
        .output()
        .unwrap();
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(read[before..] == whole.stdout);
}

/// Runs `keygen` in a shell that sends its output as `redirection` says.
fn keygen(directory: &Path, arguments: &str, redirection: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_cupbearer");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{program} keygen {arguments} {redirection}"))
        .current_dir(directory)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn keygen_prints_no_public_half_of_a_key_that_it_cannot_store() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    for out in ["sub/", "sub", "sub/..", "missing/key.pem"] {
        let arguments = format!("--algorithm ES256 --out {out}");
        let (code, stderr) = keygen(directory.path(), &arguments, ">public");
        assert_eq!(code, Some(1), "{out}: {stderr}");
        let public = std::fs::read_to_string(directory.path().join("public")).unwrap();
        assert_eq!(public, "", "{out}: {stderr}");
    }
}

#[test]
fn keygen_creates_nothing_where_a_half_of_it_would_be_lost() {
    for redirection in [">&-", ">/dev/null", ">/dev/full", "1</dev/null"] {
        for arguments in ["--algorithm ES256 --out key.pem", "--caller ci"] {
            let directory = tempfile::tempdir().unwrap();
            let (code, stderr) = keygen(directory.path(), arguments, redirection);
            assert_eq!(code, Some(1), "{arguments} {redirection}: {stderr}");
            assert!(stderr.contains("no key has been created"), "{stderr}");
            let files = std::fs::read_dir(directory.path()).unwrap().count();
            assert_eq!(files, 0, "{arguments} {redirection}: {stderr}");
        }
        // Here the whole key is in the file, and nothing goes to standard output.
        let directory = tempfile::tempdir().unwrap();
        let (code, stderr) = keygen(directory.path(), "--caller ci --out ci.key", redirection);
        assert_eq!(code, Some(0), "{redirection}: {stderr}");
        assert!(directory.path().join("ci.key").exists());
    }
}

/// The file is there while the public half waits for its reader; a signal then leaves neither.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_while_the_public_half_waits_leaves_no_private_key() {
    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let directory = tempfile::tempdir().unwrap();
        let (_reader, full) = std::io::pipe().unwrap();
        fcntl_setfl(&full, OFlags::NONBLOCK).unwrap();
        while rustix::io::write(&full, &[0; 4096]).is_ok() {}
        fcntl_setfl(&full, OFlags::empty()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
            .args(["keygen", "--algorithm", "ES256", "--out", "key.pem"])
            .current_dir(directory.path())
            .stdout(full)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let key = directory.path().join("key.pem");
        until("the private key", || key.exists()).await;
        kill_process(Pid::from_child(&child), signal).unwrap();
        let mut ended = None;
        until("the end of the command", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        assert_eq!(ended.unwrap().code(), Some(code));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
