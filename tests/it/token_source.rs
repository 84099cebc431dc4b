//! Tokens that something else obtains (`token.source`): a command, a file or a server, through the same engine as those
//! of a grant.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::{
    Answer, Connection, ReloadingProxy, StoppedClock, Upstream, answer, ask, get,
};

/// Longer than the time between two looks at a file, and shorter than a token lives if nothing says when it ends.
const A_WHILE: Duration = Duration::from_secs(10);

struct Scene {
    clock: StoppedClock,
    api: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let api = Upstream::scripted(|mut connection: Connection| async move {
            while let Some(request) = connection.request().await {
                let is_revoked = request.values("authorization") == ["Bearer revoked"];
                let status = if is_revoked {
                    "401 Unauthorized"
                } else {
                    "200 OK"
                };
                connection.write(&answer(status, "", "")).await;
            }
        });
        Self {
            clock: StoppedClock::stop(),
            api: api.await,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file as most programs do.
    fn write(&self, name: &str, text: &str) {
        let new = self.file("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    /// A proxy with this source, and these lines at the start of the file. `DIR` stands for the directory.
    fn start_with(&self, lines: &str, source: &str) -> ReloadingProxy {
        let directory = self.directory.path().to_str().unwrap();
        let text = format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n{lines}\n[token]\nwait = \"0s\"\nsource = {}\n",
            self.api.url(),
            source.replace("DIR", directory),
        );
        ReloadingProxy::start(self.file("cupbearer.toml"), &text)
    }

    fn start(&self, source: &str) -> ReloadingProxy {
        self.start_with("", source)
    }

    /// A proxy whose source is a shell script.
    fn start_command(&self, script: &str) -> ReloadingProxy {
        self.start(&format!("{{ command = [\"sh\", \"-c\", '''{script}'''] }}"))
    }

    async fn first_token(&self, proxy: &ReloadingProxy) {
        self.clock.run(proxy.running.tokens().obtained()).await;
    }

    async fn pass(&self, time: Duration) {
        self.clock.run(tokio::time::sleep(time)).await;
    }

    async fn ask(&self, proxy: &ReloadingProxy) -> Answer {
        let asking = ask(proxy.running.addresses[0], get("/"));
        self.clock.run(asking).await
    }

    /// The credentials that the API has received.
    fn seen(&self) -> Vec<String> {
        let seen = self.api.seen();
        let values = seen
            .iter()
            .map(|seen| seen.values("authorization").join(","));
        values.collect()
    }

    fn runs(&self) -> usize {
        std::fs::read(self.file("runs")).unwrap_or_default().len()
    }
}

/// The number of seconds since 1970.
fn unix_time() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

#[tokio::test]
async fn what_a_command_prints_is_sent_and_the_command_runs_again_before_its_end() {
    let scene = Scene::new().await;
    let proxy = scene.start_command(
        "printf x >> DIR/runs; echo \"{ \\\"accessToken\\\": \\\"token-$(wc -c < DIR/runs | tr -d \" \")\\\", \
         \\\"expires_on\\\": $(($(date +%s) + 30)) }\"",
    );
    scene.first_token(&proxy).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen(), ["Bearer token-1"]);
    scene.pass(Duration::from_secs(25)).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen()[1], "Bearer token-2");
    assert_eq!(proxy.running.tokens().snapshot().generation, 2);
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_waited_for_and_a_change_is_used_within_seconds() {
    let scene = Scene::new().await;
    let proxy = scene.start("{ file = 'DIR/token' }");
    scene.pass(A_WHILE).await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.outcome(), (503, "token_unavailable".to_owned()));

    scene.write("token", "first\n");
    scene.pass(A_WHILE).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    scene.write(
        "token",
        &json!({ "access_token": "second", "expires_in": 3600 }).to_string(),
    );
    scene.pass(A_WHILE).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen(), ["Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn a_lifetime_in_a_file_counts_from_when_the_file_was_written() {
    let scene = Scene::new().await;
    let output = json!({ "access_token": "t", "expires_in": 3600 }).to_string();
    std::fs::write(scene.file("token"), output).unwrap();
    let written = SystemTime::now() - Duration::from_mins(50);
    let file = std::fs::File::options()
        .write(true)
        .open(scene.file("token"));
    file.unwrap().set_modified(written).unwrap();
    let proxy = scene.start("{ file = 'DIR/token' }");
    scene.first_token(&proxy).await;
    let left = proxy.running.tokens().snapshot().usable_for.as_secs();
    assert!((570..=600).contains(&left), "{left}");
}

#[tokio::test]
async fn a_token_that_is_being_written_is_read_again() {
    let scene = Scene::new().await;
    let output = json!({ "access_token": "whole-token", "expires_in": 3600 }).to_string();
    std::fs::write(scene.file("token"), "whole-").unwrap();
    let proxy = scene.start("{ file = 'DIR/token' }");
    scene.pass(Duration::from_millis(50)).await;
    std::fs::write(scene.file("token"), &output[..output.len() / 2]).unwrap();
    scene.pass(Duration::from_millis(250)).await;
    std::fs::write(scene.file("token"), &output).unwrap();
    scene.first_token(&proxy).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen(), ["Bearer whole-token"]);
}

#[tokio::test]
async fn after_a_401_the_source_is_looked_at_again_and_the_request_is_sent_once_more() {
    let scene = Scene::new().await;
    scene.write("token", "revoked");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n[token]\nsource = {{ command = [\"cat\", '{}'] }}\n",
        scene.api.url(),
        scene.file("token").display(),
    );
    let proxy = ReloadingProxy::start(scene.file("c.toml"), &text);
    scene.first_token(&proxy).await;
    let unchanged = scene.ask(&proxy).await;
    assert_eq!(unchanged.status, 401);
    let why = unchanged.field("proxy-status").unwrap();
    assert!(why.contains("token.source returned the same one"), "{why}");

    scene.write("token", "newer");
    scene.pass(Duration::from_secs(31)).await; // the pause after the last forced look
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(
        scene.seen(),
        ["Bearer revoked", "Bearer revoked", "Bearer newer"]
    );
}

#[tokio::test]
async fn a_static_token_stays_usable_for_as_long_as_its_source_returns_it() {
    let scene = Scene::new().await;
    scene.write("token", "forever");
    let proxy =
        scene.start("{ command = [\"sh\", \"-c\", '''printf x >> DIR/runs; cat DIR/token'''] }");
    scene.first_token(&proxy).await;
    for _ in 0..8 {
        scene.pass(Duration::from_mins(2)).await; // its assumed lifetime is 5 min
        assert_eq!(scene.ask(&proxy).await.status, 200);
    }
    assert_eq!(proxy.running.tokens().snapshot().generation, 1);
    assert!((4..16).contains(&scene.runs()), "{}", scene.runs());
}

#[tokio::test]
async fn a_metadata_server_is_asked_directly_and_with_the_configured_fields() {
    let scene = Scene::new().await;
    let body = json!({
        "access_token": "from-metadata",
        "expires_in": "86399",
        "expires_on": (unix_time() + 86399).to_string(),
        "token_type": "Bearer",
    });
    let body = body.to_string();
    let server = Upstream::scripted(move |mut connection: Connection| {
        let body = body.clone();
        async move {
            while let Some(request) = connection.request().await {
                let bytes = if request.values("metadata") == ["true"] {
                    answer("200 OK", "Content-Type: application/json\r\n", &body)
                } else {
                    answer("400 Bad Request", "", "")
                };
                connection.write(&bytes).await;
            }
        }
    });
    let server = server.await;
    let url = format!("{}/metadata/identity/oauth2/token?resource=r", server.url());
    // Nothing listens at the proxy's port.
    let proxy = scene.start_with(
        "network.proxy = \"http://127.0.0.1:9\"",
        &format!("{{ http = '{url}', headers = {{ Metadata = \"true\" }} }}"),
    );
    scene.first_token(&proxy).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen(), ["Bearer from-metadata"]);
    assert_eq!(
        (&*server.seen()[0].method, &*server.seen()[0].target),
        ("GET", "/metadata/identity/oauth2/token?resource=r")
    );

    let wrong = scene.start(&format!("{{ http = '{url}' }}"));
    scene.pass(A_WHILE).await;
    let answer = scene.ask(&wrong).await;
    assert_eq!(answer.outcome(), (502, "token_refused".to_owned()));
}

/// A proxy whose source is a server that sends this, and what a request gets once the proxy has looked at the source.
async fn ask_with_source(scene: &Scene, response: Vec<u8>) -> (ReloadingProxy, Answer) {
    let server = Upstream::answering(response).await;
    let proxy = scene.start(&format!("{{ http = '{}/token' }}", server.url()));
    let has_looked = async {
        let tokens = || proxy.running.tokens().snapshot();
        while tokens().failures == 0 && tokens().generation == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    scene.clock.run(has_looked).await;
    let answer = scene.ask(&proxy).await;
    (proxy, answer)
}

#[tokio::test]
async fn a_server_that_redirects_or_says_anything_but_200_yields_no_token() {
    let scene = Scene::new().await;
    let target = Upstream::answering(answer("200 OK", "", "hunter2hunter2")).await;
    let location = format!("Location: {}/token\r\n", target.url());
    for (status, fields) in [
        ("302 Found", &*location),
        ("307 Temporary Redirect", &*location),
        ("203 Non-Authoritative Information", ""),
        ("206 Partial Content", ""),
    ] {
        let response = answer(status, fields, "hunter2hunter2");
        let (proxy, answer) = ask_with_source(&scene, response).await;
        let outcome = (503, "token_unavailable".to_owned());
        assert_eq!(answer.outcome(), outcome, "{status}");
        let shown = format!("{:?}", proxy.running.tokens().snapshot());
        assert!(shown.contains(&status[..3]), "{status}: {shown}");
        assert!(!shown.contains("hunter2"), "{status}: {shown}");
    }
    assert_eq!(target.accepted(), 0);
    assert_eq!(scene.api.accepted(), 0);
}

#[tokio::test]
async fn a_response_of_more_than_64_kib_yields_no_token() {
    const MOST: usize = 65_536;
    let scene = Scene::new().await;
    let response = |length: usize| {
        let start = "{ \"access_token\": \"t\", \"expires_in\": 3600 }";
        let spaces = " ".repeat(length - start.len());
        answer("200 OK", "", &format!("{start}{spaces}"))
    };
    let (_proxy, too_long) = ask_with_source(&scene, response(MOST + 1)).await;
    let outcome = (503, "token_unavailable".to_owned());
    assert_eq!(too_long.outcome(), outcome);
    assert_eq!(scene.api.accepted(), 0);
    let (_proxy, fits) = ask_with_source(&scene, response(MOST)).await;
    assert_eq!(fits.status, 200);
    assert_eq!(scene.seen(), ["Bearer t"]);
}

#[tokio::test]
async fn output_that_is_no_token_is_never_sent_nor_shown() {
    let scene = Scene::new().await;
    let cases = [
        "true",
        "echo hunter2hunter2; echo hunter2hunter2",
        "printf \"\\033[32mhunter2hunter2\\033[0m\"",
        "echo To sign in, open https://hunter2hunter2.example.com",
        "head -c 1000000 /dev/zero | tr \"\\0\" h",
        "echo hunter2hunter2; echo hunter2hunter2 >&2; exit 1",
        "exec sleep 1000",
        "echo \"{ \\\"access_token\\\": \\\"hunter2hunter2\"",
    ];
    for script in cases {
        let proxy = scene.start_command(script);
        let failed = async {
            while proxy.running.tokens().snapshot().failures == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        scene.clock.run(failed).await;
        let answer = scene.ask(&proxy).await;
        assert_eq!(
            answer.outcome(),
            (503, "token_unavailable".to_owned()),
            "{script}"
        );
        let shown = format!("{:?} {}", proxy.running.tokens().snapshot(), answer.text());
        assert!(!shown.contains("hunter2"), "{script}: {shown}");
        assert!(shown.contains("token.source"), "{script}: {shown}");
    }
    assert_eq!(scene.api.accepted(), 0);
}

#[tokio::test]
async fn a_changed_source_serves_once_it_has_a_token_and_the_old_one_until_then() {
    let scene = Scene::new().await;
    scene.write("token", "old");
    let proxy = scene.start("{ file = 'DIR/token' }");
    scene.first_token(&proxy).await;
    let text = std::fs::read_to_string(scene.file("cupbearer.toml")).unwrap();
    proxy.replace(&text.replace("/token'", "/other'"));
    scene.pass(A_WHILE).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    scene.write("other", "new");
    scene.pass(A_WHILE).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    assert_eq!(scene.seen(), ["Bearer old", "Bearer new"]);
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_everything_it_started() {
    let scene = Scene::new().await;
    let proxy = scene.start_command("sleep 1000 & echo $! > DIR/child; wait");
    let has_started =
        || std::fs::read_to_string(scene.file("child")).is_ok_and(|child| child.ends_with('\n'));
    scene
        .clock
        .until("the child of the command", has_started)
        .await;
    scene.pass(Duration::from_secs(31)).await;
    let child = std::fs::read_to_string(scene.file("child")).unwrap();
    let is_alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    if cfg!(target_os = "linux") {
        scene.clock.until("the child's end", || !is_alive()).await;
    }
    assert_eq!(proxy.running.tokens().snapshot().attempts.unavailable, 1);
}

#[tokio::test]
async fn a_program_that_is_missing_for_a_moment_is_not_a_rejection_and_is_tried_again_soon() {
    let scene = Scene::new().await;
    let program = scene.file("program");
    std::fs::write(&program, "#!/bin/sh\necho token-1\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    let proxy = scene.start("{ command = ['DIR/program'] }\ndefault_lifetime = \"6s\"");
    scene.first_token(&proxy).await;
    let moved = scene.file("moved");
    std::fs::rename(&program, &moved).unwrap();
    scene.pass(Duration::from_secs(9)).await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.outcome(), (503, "token_unavailable".to_owned()));
    assert!(answer.field("retry-after").is_some());
    std::fs::rename(moved, program).unwrap();
    scene.pass(Duration::from_secs(39)).await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
}
