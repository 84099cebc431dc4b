//! `cupbearer learn` where the run is not as usual: an upgrade that the API does not grant, requests without the key, a
//! result that cannot be written, a signal before the program runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Config, Connection, SECRET, Upstream, answer, token_answer, until, within};

/// An API that has nothing, a token endpoint, and a configuration with a caller that may only read.
struct Scene {
    upstream: Upstream,
    endpoint: Upstream,
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl Scene {
    async fn with_endpoint(endpoint: Upstream) -> Self {
        let upstream = Upstream::answering(answer("404 Not Found", "", "")).await;
        let directory = tempfile::tempdir().unwrap();
        let file = Config {
            upstream: &upstream.url(),
            token_url: &endpoint.url(),
            client_id: "learn",
            secret: SECRET,
            settings: &[],
        }
        .write(directory.path());
        let mut text = std::fs::read_to_string(&file).unwrap();
        text += "\n[guard.callers.ci]\nkey = { command = [\"echo\", \"the-key-of-the-caller-ci\"] }\n\
                 read_only = true\nallow = [\"GET /**\"]\n";
        std::fs::write(&file, text).unwrap();
        Self {
            upstream,
            endpoint,
            directory,
            file,
        }
    }

    async fn new() -> Self {
        Self::with_endpoint(Upstream::answering(token_answer()).await).await
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, arguments: &[&str], program: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("CUPBEARER_CONFIG", &self.file)
            .arg("learn")
            .args(arguments)
            .args(["--", "sh", "-c", program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir(self.path())
            .kill_on_drop(true);
        command
    }

    /// The exit code, standard output and standard error.
    async fn learn(&self, arguments: &[&str], program: &str) -> (Option<i32>, String, String) {
        let child = self.command(arguments, program).spawn().unwrap();
        let output = within("the end of learn", child.wait_with_output());
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

const CURL: &str = "curl --disable --noproxy '*' -s -o /dev/null";
const KEY: &str = "-H \"X-Cupbearer-Key: $CUPBEARER_KEY\"";

#[tokio::test]
async fn a_request_for_an_upgrade_is_no_plain_read_even_if_the_api_does_not_grant_it() {
    let scene = Scene::new().await;
    let upgrade = format!(
        "{CURL} {KEY} -H 'Connection: Upgrade' -H 'Upgrade: websocket' $CUPBEARER_URL/ws/chat"
    );
    let (code, stdout, stderr) = scene.learn(&["--name", "x"], &upgrade).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("GET /ws/chat"), "{stdout}");
    assert!(!stdout.contains("read_only"), "{stdout}");
    let (code, stdout, stderr) = scene.learn(&["--check", "ci"], &upgrade).await;
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(
        stdout.contains("refused by guard.callers.ci:\n  GET /ws/chat"),
        "{stdout}"
    );

    // Java's client sends this with every request.
    let ordinary = upgrade.replace("websocket", "h2c");
    let (_, stdout, stderr) = scene.learn(&["--name", "x"], &ordinary).await;
    assert!(stdout.contains("read_only = true"), "{stdout}{stderr}");
}

#[tokio::test]
async fn a_comparison_says_which_requests_it_lacks() {
    let scene = Scene::new().await;
    let program = format!(
        "{CURL} {KEY} $CUPBEARER_URL/a; {CURL} -X DELETE $CUPBEARER_URL/everything; exit 7"
    );
    let (code, stdout, stderr) = scene.learn(&["--check", "ci"], &program).await;
    assert_eq!(code, Some(7), "{stdout}{stderr}");
    assert!(
        stdout.contains("of this run that rules apply to"),
        "{stdout}"
    );
    assert!(
        stderr.contains("before any rule was checked (1 caller_unknown)"),
        "{stderr}"
    );
    assert!(
        stderr.contains("the program failed (exit status: 7)"),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_exit_code_of_the_program_is_returned_even_if_the_rules_cannot_be_written() {
    let scene = Scene::new().await;
    std::fs::create_dir(scene.path().join("d")).unwrap();
    let program = format!("{CURL} {KEY} $CUPBEARER_URL/a; rm -r d; exit 7");
    let (code, stdout, stderr) = scene.learn(&["--output", "d/x.toml"], &program).await;
    assert_eq!(code, Some(7), "{stdout}{stderr}");
    assert!(stderr.contains("d/x.toml cannot be written"), "{stderr}");
    assert!(stdout.contains("GET /a"), "{stdout}");
}

#[tokio::test]
async fn an_interrupt_before_the_program_runs_leaves_no_file() {
    let hung = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.fill().await;
    })
    .await;
    let scene = Scene::with_endpoint(hung).await;
    let files = || {
        let entries = std::fs::read_dir(scene.path()).unwrap();
        let mut names: Vec<_> = entries.map(|one| one.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let mut child = scene
        .command(&["--output", "x.toml"], "touch it-ran")
        .spawn()
        .unwrap();
    until("a token request", || scene.endpoint.seen_count() == 1).await;
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let ended = within("the end of learn", child.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(128 + 2));
    assert_eq!(files(), before);
}

#[tokio::test]
async fn a_program_does_not_run_where_only_a_person_could_provide_the_token() {
    let scene = Scene::new().await;
    let upstream = scene.upstream.url();
    let text = format!("upstream.url = {upstream:?}\ntoken.grant = \"paste\"\n");
    std::fs::write(&scene.file, text).unwrap();
    let (code, printed, said) = scene.learn(&[], "touch it-ran").await;
    assert_eq!((code, &*printed), (Some(3), ""), "{said}");
    assert!(said.contains("needs a person"), "{said}");
    assert!(!scene.path().join("it-ran").exists());
}
