//! Several proxies in one process: shared status, and which proxy each log line names.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Binary, CALLER_KEY, CLIENT_ID, Client, Connection, SECRET, Upstream, answer, ask, closed_port,
    get, token_answer, until, within,
};

/// Keys of the process, which only one file may have.
const PROCESS: &str = "admin.listen = \"127.0.0.1:0\"\nlog.format = \"json\"\n";

/// An API, and a token endpoint that grants tokens.
struct Scene {
    upstream: Upstream,
    endpoint: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn before(upstream: Upstream) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), SECRET).unwrap();
        Self {
            upstream,
            endpoint: Upstream::answering(token_answer()).await,
            directory,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the binary with one file per name, with these additional settings.
    async fn start(self, proxies: &[(&str, &str)]) -> (Binary, Upstream, Upstream) {
        let files = proxies.iter().map(|(name, more)| {
            let listen = if more.starts_with("listen = ") {
                ""
            } else {
                "listen = \"127.0.0.1:0\"\n"
            };
            let text = format!(
                "name = \"{name}\"\n{listen}{more}\nupstream.url = \"{}\"\n[token]\nurl = \"{}\"\n\
                 client_id = \"{CLIENT_ID}\"\nclient_secret = {{ file = '{}' }}\n",
                self.upstream.url(),
                self.endpoint.url(),
                self.path().join("secret").display(),
            );
            let file = self.path().join(format!("{name}.toml"));
            std::fs::write(&file, text).unwrap();
            file
        });
        let files: Vec<_> = files.collect();
        let binary = Binary::start_with_files(&files, self.directory).await;
        until("the end of the banner", || {
            binary.output().contains("admin        ")
        })
        .await;
        (binary, self.upstream, self.endpoint)
    }
}

/// The JSON log lines with this message so far.
fn lines_of(binary: &Binary, message: &str) -> Vec<Value> {
    let output = binary.output();
    let lines = output.lines().filter_map(|line| line.parse().ok());
    lines
        .filter(|line: &Value| line["message"] == message)
        .collect()
}

/// Waits for the first JSON line with this message.
async fn line_of(binary: &Binary, message: &str) -> Value {
    until(message, || !lines_of(binary, message).is_empty()).await;
    lines_of(binary, message).remove(0)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_guard_of_a_proxy_that_could_not_start_protects_the_status_of_the_others() {
    let other_user = rustix::process::geteuid().as_raw().wrapping_add(4242);
    let users = format!("guard.local_users = [{other_user}]\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fails = format!("listen = \"{}\"\n", taken.local_addr().unwrap());
    for (guard, expected) in [
        (users.as_str(), (403, "user_refused".to_owned())),
        ("", (200, String::new())),
    ] {
        let scene = Scene::before(Upstream::echoing().await).await;
        let failing = format!("{fails}{guard}");
        let proxies = [("one", PROCESS), ("two", &*failing)];
        let (binary, _upstream, _endpoint) = scene.start(&proxies).await;
        assert!(binary.output().contains("two: cupbearer cannot start"));
        assert_eq!(ask(binary.address, get("/")).await.status, 200);
        // What waits for all of them must not take this for a success.
        for path in ["/ready", "/startup"] {
            let probe = ask(binary.admin(), get(path)).await;
            let text = probe.text();
            assert!(text.starts_with("two: cupbearer cannot start"), "{text}");
            assert_eq!(probe.status, 503, "{text}");
        }
        assert_eq!(ask(binary.admin(), get("/live")).await.status, 200);
        let status = ask(binary.admin(), get("/status")).await;
        assert_eq!(status.outcome(), expected, "{guard}");
        let has_advice = status
            .text()
            .contains("restart the process to start this proxy");
        assert_eq!(has_advice, status.status == 200, "{}", status.text());
    }
}

#[tokio::test]
async fn readiness_reports_the_number_of_proxies_when_all_are_ready() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let (binary, _upstream, _endpoint) = scene.start(&[("one", PROCESS), ("two", "")]).await;
    let response = async |path: &str| {
        let answer = ask(binary.admin(), get(path)).await;
        (answer.status, answer.text())
    };
    loop {
        let (status, text) = response("/ready").await;
        if status == 200 {
            assert_eq!(text, "2 proxies ready\n");
            break;
        }
        assert!(
            text.starts_with("one: ") || text.starts_with("two: "),
            "{text}"
        );
    }
    assert_eq!(
        response("/startup").await,
        (200, "2 proxies started\n".to_owned())
    );
}

#[tokio::test]
async fn a_hangup_that_changes_nothing_logs_a_line_for_each_proxy() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let (binary, _upstream, _endpoint) = scene.start(&[("one", PROCESS), ("two", "")]).await;
    let of = |message: &str, proxy: &str| {
        let lines = lines_of(&binary, message);
        lines.iter().filter(|line| line["proxy"] == proxy).count()
    };
    let unchanged = "configuration unchanged";
    binary.signal(Signal::HUP);
    for proxy in ["one", "two"] {
        until("a line for this proxy", || of(unchanged, proxy) == 1).await;
    }

    // A rejection is logged for each hangup; a needed restart only when it is new.
    std::fs::write(binary.file("one.toml"), "broken").unwrap();
    let two = binary.file("two.toml");
    let text = std::fs::read_to_string(&two).unwrap();
    std::fs::write(&two, text.replace("\"two\"", "\"other\"")).unwrap();
    let rejected = "configuration rejected; the last valid one stays in use";
    for hangups in [1, 2] {
        binary.signal(Signal::HUP);
        until("the rejection", || of(rejected, "one") >= hangups).await;
        until("two's line", || {
            of("configuration change needs a restart", "two") == 1
                && of(unchanged, "two") >= hangups
        })
        .await;
    }
    assert_eq!(of(unchanged, "one"), 1);
}

#[tokio::test]
async fn a_hangup_says_that_the_configuration_still_waits_for_its_token() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let (binary, _upstream, endpoint) = scene.start(&[("one", PROCESS)]).await;
    let file = binary.file("one.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let dead = format!("http://127.0.0.1:{}", closed_port().await);
    std::fs::write(&file, text.replace(&endpoint.url(), &dead)).unwrap();
    let waits = "configuration changed; waiting for the first token of its new identity";
    line_of(&binary, waits).await;
    binary.signal(Signal::HUP);
    let still = "configuration unchanged; still waiting for the first token of its new identity";
    line_of(&binary, still).await;
}

#[tokio::test]
async fn a_conflict_between_two_files_is_reported_even_if_the_file_that_ends_it_was_not_changed() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let (binary, _upstream, _endpoint) = scene.start(&[("one", PROCESS), ("two", "")]).await;
    let rejected = "configuration rejected; the last valid one stays in use";
    let (one, two) = (binary.file("one.toml"), binary.file("two.toml"));
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    let (first, second) = (text(&one), text(&two));
    std::fs::write(&one, "half-edited").unwrap();
    assert_eq!(line_of(&binary, rejected).await["proxy"], "one");
    std::fs::write(&two, second.replace("\"two\"", "\"one\"")).unwrap();
    line_of(&binary, "configuration change needs a restart").await;
    std::fs::write(&one, &first).unwrap();
    until("the conflict", || {
        let lines = lines_of(&binary, rejected);
        lines.iter().any(|line| {
            let error = line["error"].as_str().unwrap_or_default();
            line["proxy"] == "two" && error.contains("is also used by")
        })
    })
    .await;
    std::fs::write(&two, &second).unwrap();
    until("both are valid", || {
        lines_of(&binary, "configuration valid again").len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_key_of_the_process_that_moves_to_another_file_is_in_force_whichever_is_applied_last() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let (go, began) = (scene.path().join("go"), scene.path().join("began"));
    let key = scene.path().join("key");
    std::fs::write(&key, CALLER_KEY).unwrap();
    let (binary, _upstream, _endpoint) = scene.start(&[("one", PROCESS), ("two", "")]).await;
    let (one, two) = (binary.file("one.toml"), binary.file("two.toml"));
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    let (first, second) = (text(&one), text(&two));
    let quiet = format!("{PROCESS}log.access = \"none\"\n");
    std::fs::write(&one, first.replace(PROCESS, &quiet)).unwrap();
    line_of(&binary, "configuration applied").await;

    // The first file is applied only after the second one, although it was read before that.
    let wait = format!(
        "touch '{}'; while ! test -e '{}'; do sleep 0.05; done; cat '{}'",
        began.display(),
        go.display(),
        key.display()
    );
    let caller =
        format!("guard.callers.ci.key = {{ command = [\"/bin/sh\", \"-c\", {wait:?}] }}\n");
    std::fs::write(&one, first.replace(PROCESS, &caller)).unwrap();
    until("its key is being read", || began.exists()).await;
    let all = format!("{PROCESS}log.access = \"all\"\nname = \"two\"");
    std::fs::write(&two, second.replace("name = \"two\"", &all)).unwrap();
    let applied = |count| {
        let lines = lines_of(&binary, "configuration applied");
        lines.len() == count
    };
    until("the second file is applied", || applied(2)).await;
    std::fs::write(&go, "").unwrap();
    until("the first file is applied", || applied(3)).await;
    let request =
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer-Key: {CALLER_KEY}\r\n\r\n");
    assert_eq!(ask(binary.address, &*request).await.status, 200);
    line_of(&binary, "request").await;
}

/// A token endpoint that rejects every request, with a clock that is an hour ahead.
async fn rejecting_issuer() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        let request = connection.request().await.unwrap();
        let issuer = format!("http://{}", request.values("host")[0]);
        let hour = std::time::Duration::from_hours(1);
        let date = httpdate::fmt_http_date(std::time::SystemTime::now() + hour);
        let fields = format!("Content-Type: application/json\r\nDate: {date}\r\n");
        let (status, body) = if request.method == "GET" {
            let metadata =
                serde_json::json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/t") });
            ("200 OK", metadata.to_string())
        } else {
            ("401 Unauthorized", "{}".to_owned())
        };
        connection.write(&answer(status, &fields, &body)).await;
    })
    .await
}

#[tokio::test]
async fn token_events_are_logged_with_their_proxy() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let issuer = rejecting_issuer().await;
    let (binary, _upstream, endpoint) = scene.start(&[("one", PROCESS), ("two", "")]).await;
    until("both tokens", || {
        lines_of(&binary, "token fresh").len() == 2
    })
    .await;
    let mut names: Vec<_> = lines_of(&binary, "token fresh")
        .iter()
        .map(|line| line["proxy"].to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["\"one\"", "\"two\""]);

    let file = binary.file("two.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let url = format!("url = \"{}\"", endpoint.url());
    let other = format!(
        "issuer = \"{}\"\nauth = \"client_secret_jwt\"",
        issuer.url()
    );
    std::fs::write(&file, text.replace(&url, &other)).unwrap();
    binary.signal(Signal::HUP);
    for message in [
        "token endpoint discovered",
        "clock differs from the token endpoint's",
        "token request failed",
    ] {
        let line = line_of(&binary, message).await;
        assert_eq!(line["proxy"], "two", "{line}");
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_logged_with_its_proxy() {
    let held = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.fill().await;
    })
    .await;
    let scene = Scene::before(held).await;
    let small = format!("{PROCESS}limits.connections = 1\n");
    let (binary, upstream, _endpoint) = scene.start(&[("small", &small), ("two", "")]).await;
    let mut busy = Client::connect(binary.address).await;
    busy.send(get("/")).await;
    until("the request is in flight", || upstream.seen_count() == 1).await;
    assert_eq!(ask(binary.address, get("/")).await.reason(), "saturated");
    let line = line_of(&binary, "request").await;
    assert_eq!(
        (&line["proxy"], &line["reason"]),
        (&"small".into(), &"saturated".into()),
        "{line}"
    );
}

#[tokio::test]
async fn events_of_caller_keys_and_tunnels_are_logged_with_their_proxy() {
    let switching = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        let fields =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        connection.write(fields.as_bytes()).await;
        connection.fill().await;
    })
    .await;
    let scene = Scene::before(switching).await;
    let key = scene.path().join("key");
    std::fs::write(&key, "the-key-of-the-caller-ci").unwrap();
    let keyed = format!(
        "{PROCESS}guard.callers.ci.key = {{ file = '{}' }}\n",
        key.display()
    );
    let (binary, _upstream, _endpoint) = scene.start(&[("keyed", &keyed), ("two", "")]).await;
    assert_eq!(
        line_of(&binary, "caller keys loaded").await["proxy"],
        "keyed"
    );

    let mut tunnel = Client::connect(binary.address).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
                   X-Cupbearer-Key: the-key-of-the-caller-ci\r\n\r\n";
    tunnel.send(upgrade).await;
    assert_eq!(tunnel.head_answer().await.status, 101);
    std::fs::write(binary.file("key"), "").unwrap();
    tunnel.rest().await;
    let line = line_of(
        &binary,
        "tunnel closed because what identified its caller is no longer valid",
    )
    .await;
    assert_eq!(line["proxy"], "keyed", "{line}");
}

#[tokio::test]
async fn commands_for_several_proxies_succeed_only_if_all_of_them_are_there() {
    let scene = Scene::before(Upstream::echoing().await).await;
    let directory = scene.path().to_owned();
    let (binary, _upstream, _endpoint) = scene.start(&[("one", PROCESS)]).await;
    let admin = binary.admin();
    let one = directory.join("one.toml");
    let text = std::fs::read_to_string(&one).unwrap();
    let text = text.replace(
        "admin.listen = \"127.0.0.1:0\"",
        &format!("admin.listen = \"{admin}\""),
    );
    std::fs::write(directory.join("same.toml"), &text).unwrap();
    let two = text
        .lines()
        .filter(|line| !line.starts_with("admin.") && !line.starts_with("log."))
        .map(|line| line.replace("\"one\"", "\"two\"") + "\n");
    std::fs::write(directory.join("two.toml"), two.collect::<String>()).unwrap();
    let exit_of = async |command: &[&str], files: &[&str]| {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_cupbearer"));
        process.env_clear().args(command).kill_on_drop(true);
        for file in files {
            process.arg("--config").arg(directory.join(file));
        }
        let ended = within("the end of the command", process.output())
            .await
            .unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (ended.status.code().unwrap(), said)
    };
    for (command, expected) in [
        (&["wait", "--max", "300ms"][..], 5),
        (&["health", "--ready"], 1),
        (&["status"], 1),
        (&["quit"], 1),
    ] {
        let (code, said) = exit_of(command, &["same.toml", "two.toml"]).await;
        assert_eq!(code, expected, "{command:?}: {said}");
        assert!(
            said.contains("two.toml") && !said.contains("same.toml"),
            "{said}"
        );
    }
    assert_eq!(exit_of(&["wait"], &["same.toml"]).await.0, 0);
}
