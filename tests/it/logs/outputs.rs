//! Blocked log outputs: an unread pipe, a full disk, a closed pipe. Requests are served, dropped lines are counted, and
//! the process exits in time.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::{Config, Upstream, answer, token_answer, until, within};

/// More requests than the queue holds lines.
const MAX_REQUESTS: usize = 12_000;

/// Standard output and standard error, and the handle that keeps them blocked.
struct Output {
    end: OwnedFd,
    _other: Option<OwnedFd>,
}

/// A pipe that is full and is never read.
fn blocked() -> Output {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let full = std::iter::repeat_with(|| writer.write(&[b'x'; 4096])).find_map(Result::err);
    assert_eq!(full.unwrap().kind(), ErrorKind::WouldBlock);
    fcntl_setfl(&writer, flags).unwrap();
    Output {
        end: writer.into(),
        _other: Some(reader.into()),
    }
}

fn full_disk() -> Output {
    let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    Output {
        end: file.into(),
        _other: None,
    }
}

fn closed_pipe() -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Output {
        end: writer.into(),
        _other: None,
    }
}

/// Kills the process when dropped.
struct ChildProcess(Child);

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(file: &Path, directory: &Path, output: &Output) -> ChildProcess {
    let set = |key: &str, value: &str| ["--set".to_owned(), format!("{key}={value}")];
    let socket = |name: &str| format!("unix:{}", directory.join(name).display());
    let child = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
        .env_clear()
        .arg("--config")
        .arg(file)
        .args(set("listen", &socket("proxy")))
        .args(set("admin.listen", &socket("admin")))
        .args(set("log.level", "trace"))
        .args(set("log.access", "all"))
        .stdin(Stdio::null())
        .stdout(output.end.try_clone().unwrap())
        .stderr(output.end.try_clone().unwrap())
        .spawn();
    ChildProcess(child.unwrap())
}

async fn ask(path: &Path, target: &str) -> String {
    let asking = async {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    within("a response", asking).await
}

async fn lines_dropped(admin: &Path) -> u64 {
    let metrics = ask(admin, "/metrics").await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("cupbearer_log_lines_dropped_total "));
    line.unwrap().parse().unwrap()
}

async fn requests_are_served(output: Output) {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::answering(answer("200 OK", "", "hello")).await;
    let endpoint = Upstream::answering(token_answer()).await;
    let config = Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "x",
        secret: "y",
        settings: &[],
    };
    let file = config.write(directory.path());
    let mut child = start(&file, directory.path(), &output);
    let (proxy, admin) = (
        directory.path().join("proxy"),
        directory.path().join("admin"),
    );
    // A bound socket that does not listen yet has its file already.
    let open = |path: &Path| std::os::unix::net::UnixStream::connect(path).is_ok();
    until("both listeners are open", || open(&proxy) && open(&admin)).await;

    let mut lost = 0;
    for number in 0..MAX_REQUESTS {
        if number % 100 == 0 {
            lost = lines_dropped(&admin).await;
        }
        if lost > 0 && number > 100 {
            break;
        }
        assert!(ask(&proxy, "/").await.ends_with("hello"));
    }
    assert!(
        lost > 0,
        "no line was dropped, so the output was not blocked"
    );
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    let mut ended = None;
    until("the process exits", || {
        ended = child.0.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    assert_eq!(ended.unwrap().code(), Some(0));
}

#[tokio::test]
async fn an_unread_pipe_delays_neither_start_nor_requests_nor_exit() {
    requests_are_served(blocked()).await;
}

#[tokio::test]
async fn a_full_disk_only_drops_lines() {
    requests_are_served(full_disk()).await;
}

#[tokio::test]
async fn a_closed_pipe_only_drops_lines() {
    requests_are_served(closed_pipe()).await;
}

#[tokio::test]
async fn an_invalid_configuration_ends_the_process_even_if_its_output_is_blocked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, "nonsense = true\n").unwrap();
    let output = blocked();
    let mut child = start(&file, directory.path(), &output);
    let mut ended = None;
    until("the process exits", || {
        ended = child.0.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    assert_eq!(ended.unwrap().code(), Some(3));
}
