//! Configurations that change while requests are served: each request belongs entirely to one configuration.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cupbearer::config::Surroundings;
use cupbearer::instance::DrainTimeouts;
use cupbearer::server::DrainPhase;
use tokio::sync::watch;

use crate::support::{
    CLIENT_ID, Client, Connection, ReloadingProxy, SECRET, Upstream, answer, ask, get,
    token_answer, until, within,
};

/// The text of a configuration, whose secret file is in `directory`.
fn text(directory: &tempfile::TempDir, upstream: &str, token_url: &str, more: &str) -> String {
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    format!(
        "listen = \"127.0.0.1:0\"\nupstream.url = \"{upstream}\"\n{more}\n[token]\nurl = \"{token_url}\"\n\
         client_id = \"{CLIENT_ID}\"\nclient_secret = {{ file = '{}' }}\n",
        secret.display()
    )
}

struct Scene {
    proxy: ReloadingProxy,
    upstream: Upstream,
    endpoint: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn before(upstream: Upstream, more: &str) -> Self {
        let endpoint = Upstream::answering(token_answer()).await;
        let directory = tempfile::tempdir().unwrap();
        let text = text(&directory, &upstream.url(), &endpoint.url(), more);
        let proxy = ReloadingProxy::start(directory.path().join("cupbearer.toml"), &text);
        within("the first token", proxy.running.tokens().obtained()).await;
        Self {
            proxy,
            upstream,
            endpoint,
            directory,
        }
    }

    fn text(&self, more: &str) -> String {
        text(
            &self.directory,
            &self.upstream.url(),
            &self.endpoint.url(),
            more,
        )
    }

    async fn client(&self) -> Client {
        Client::connect(self.proxy.running.addresses[0]).await
    }
}

/// An upstream that responds on a signal, and the sender of that signal.
async fn paused_upstream() -> (Upstream, watch::Sender<bool>) {
    let (go, may) = watch::channel(false);
    let upstream = Upstream::scripted(move |mut connection: Connection| {
        let mut may = may.clone();
        async move {
            while let Some(request) = connection.request().await {
                may.wait_for(|may| *may).await.unwrap();
                connection
                    .write(&answer("200 OK", "", &request.target))
                    .await;
            }
        }
    })
    .await;
    (upstream, go)
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_configuration_and_the_next_on_its_connection_uses_the_new_one()
 {
    let (old, go) = paused_upstream().await;
    let new = Upstream::echoing().await;
    let scene = Scene::before(old, "").await;
    let mut client = scene.client().await;
    client.send(get("/old")).await;
    until("the request is in flight", || {
        scene.upstream.seen_count() == 1
    })
    .await;

    let elsewhere = text(&scene.directory, &new.url(), &scene.endpoint.url(), "");
    scene.proxy.replace_and_wait(&elsewhere).await;
    go.send(true).unwrap();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "/old"));
    assert_eq!(new.seen_count(), 0);

    client.send(get("/new")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "/new"));
    assert_eq!((scene.upstream.seen_count(), new.seen_count()), (1, 1));
    until("the connections to the old upstream are closed", || {
        scene.upstream.open() == 0
    })
    .await;
}

/// A token endpoint that issues this token once `may` is set.
async fn issuing(token: &'static str, may: &Arc<AtomicBool>) -> Upstream {
    let may = Arc::clone(may);
    Upstream::scripted(move |mut connection: Connection| {
        let may = Arc::clone(&may);
        async move {
            while connection.request().await.is_some() {
                let granted = format!(
                    r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#
                );
                let bytes = if may.load(Ordering::SeqCst) {
                    let json = "Content-Type: application/json\r\n";
                    answer("200 OK", json, &granted)
                } else {
                    answer("503 Service Unavailable", "", "")
                };
                connection.write(&bytes).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn no_token_of_one_identity_is_sent_to_the_api_of_another() {
    let scene = Scene::before(Upstream::echoing().await, "").await;
    let may = Arc::new(AtomicBool::new(false));
    let (api, endpoint) = (Upstream::echoing().await, issuing("other", &may).await);
    let other = text(&scene.directory, &api.url(), &endpoint.url(), "");
    let mut client = scene.client().await;
    let before = scene.proxy.applied();
    scene.proxy.replace(&other);
    until("a note says that the configuration waits, and why", || {
        let notes = scene.proxy.notes();
        notes
            .iter()
            .any(|note| note.contains("stays in use: ") && note.contains("503"))
    })
    .await;
    for _ in 0..20 {
        client.send(get("/")).await;
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(api.seen_count(), 0);

    may.store(true, Ordering::SeqCst);
    scene.proxy.wait_for_reload_since(before).await;
    for _ in 0..20 {
        client.send(get("/")).await;
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!((scene.upstream.seen_count(), api.seen_count()), (20, 20));
    for request in api.seen() {
        assert_eq!(request.values("authorization"), ["Bearer other"]);
    }
    for request in scene.upstream.seen() {
        assert_ne!(request.values("authorization"), ["Bearer other"]);
    }
    assert!(scene.proxy.notes().is_empty());
    assert_eq!(scene.proxy.running.tokens().snapshot().attempts.granted, 2);
}

#[tokio::test]
async fn a_later_configuration_replaces_a_pending_one() {
    let scene = Scene::before(Upstream::echoing().await, "").await;
    let may = Arc::new(AtomicBool::new(false));
    let endpoint = issuing("never", &may).await;
    let waiting = |more: &str| {
        text(
            &scene.directory,
            &scene.upstream.url(),
            &endpoint.url(),
            more,
        )
    };
    scene.proxy.replace(&waiting("guard.deny = [\"GET /a\"]"));
    let address = scene.proxy.running.addresses[0];
    let mut reason = String::new();
    while reason != "rule_refused" {
        reason = ask(address, get("/a")).await.reason();
    }

    // Another pending configuration, with another guard.
    scene.proxy.replace(&waiting("guard.deny = [\"GET /b\"]"));
    while ask(address, get("/b")).await.status != 403 {}
    assert_eq!(ask(address, get("/a")).await.status, 200);
    // The change is reverted: nothing is pending, and nothing is restricted.
    scene.proxy.replace(&scene.text(""));
    until("nothing is pending", || scene.proxy.notes().is_empty()).await;
    assert_eq!(ask(address, get("/b")).await.status, 200);
    may.store(true, Ordering::SeqCst);
    assert_eq!(scene.proxy.applied(), 0);
}

#[tokio::test]
async fn the_token_requests_of_an_identity_that_never_served_stay_counted() {
    let scene = Scene::before(Upstream::echoing().await, "").await;
    let endpoint = issuing("never", &Arc::default()).await;
    let waiting = text(&scene.directory, &scene.upstream.url(), &endpoint.url(), "");
    let counts = || scene.proxy.running.tokens().snapshot().attempts;
    scene.proxy.replace(&waiting);
    until("the request of the waiting identity is counted", || {
        counts().unavailable > 0
    })
    .await;
    scene.proxy.replace(&scene.text(""));
    until("nothing is pending", || scene.proxy.notes().is_empty()).await;
    assert!(counts().unavailable > 0);
    assert_eq!(counts().granted, 1);
}

#[tokio::test]
async fn a_pending_guard_that_admits_more_takes_effect_only_with_its_identity() {
    let scene = Scene::before(Upstream::echoing().await, "guard.read_only = true").await;
    let may = Arc::new(AtomicBool::new(false));
    let endpoint = issuing("other", &may).await;
    let looser = text(&scene.directory, &scene.upstream.url(), &endpoint.url(), "");
    let address = scene.proxy.running.addresses[0];
    let before = scene.proxy.applied();
    scene.proxy.replace(&looser);
    until("the configuration is pending", || {
        !scene.proxy.notes().is_empty()
    })
    .await;
    let post = crate::support::post("/", "x");
    assert_eq!(ask(address, &post).await.reason(), "rule_refused");
    may.store(true, Ordering::SeqCst);
    scene.proxy.wait_for_reload_since(before).await;
    assert_eq!(ask(address, &post).await.status, 200);
}

#[tokio::test]
async fn changed_limits_apply_to_open_connections() {
    let (upstream, go) = paused_upstream().await;
    let scene = Scene::before(upstream, "").await;
    let (mut first, mut second, mut idle) = (
        scene.client().await,
        scene.client().await,
        scene.client().await,
    );
    go.send(true).unwrap();
    idle.send(get("/")).await;
    idle.answer().await;
    go.send(false).unwrap();
    first.send(get("/")).await;
    until("the request is in flight", || {
        scene.upstream.seen_count() == 2
    })
    .await;

    let shorter = "limits.in_flight = 1\nlimits.keep_alive = \"50ms\"";
    scene.proxy.replace_and_wait(&scene.text(shorter)).await;
    second.send(get("/")).await;
    assert_eq!(second.answer().await.reason(), "saturated");
    assert_eq!(idle.rest().await, b"", "the idle connection is closed");
    go.send(true).unwrap();
    assert_eq!(first.answer().await.status, 200);
}

/// An environment that is a whole configuration but for `listen`.
fn surroundings(upstream: &Upstream, endpoint: &Upstream, directory: &Path) -> Surroundings {
    let variables = [
        ("CUPBEARER_UPSTREAM__URL", upstream.url()),
        ("CUPBEARER_TOKEN__URL", endpoint.url()),
        ("CUPBEARER_TOKEN__CLIENT_ID", CLIENT_ID.to_owned()),
        ("CUPBEARER_TOKEN__CLIENT_SECRET", SECRET.to_owned()),
    ];
    Surroundings {
        variables: variables
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        working_directory: directory.to_owned(),
        ..Surroundings::default()
    }
}

#[tokio::test]
async fn a_deleted_file_is_reported_even_if_the_environment_would_suffice() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let text = text(
        &directory,
        &upstream.url(),
        &endpoint.url(),
        "guard.read_only = true",
    );
    let surroundings = surroundings(&upstream, &endpoint, directory.path());
    let file = directory.path().join("cupbearer.toml");
    let proxy = ReloadingProxy::discovered(file.clone(), &text, &surroundings);
    within("the first token", proxy.running.tokens().obtained()).await;
    std::fs::remove_file(&file).unwrap();
    until("the missing file is reported", || {
        proxy
            .notes()
            .iter()
            .any(|note| note.contains("does not exist"))
    })
    .await;
    let post = crate::support::post("/", "x");
    let answer = ask(proxy.running.addresses[0], post).await;
    assert_eq!(answer.reason(), "rule_refused");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_is_added_to_a_file_that_was_only_found_does_not_run() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let surroundings = surroundings(&upstream, &endpoint, directory.path());
    let file = directory.path().join("cupbearer.toml");
    let proxy =
        ReloadingProxy::discovered(file.clone(), "listen = \"127.0.0.1:0\"\n", &surroundings);
    within("the first token", proxy.running.tokens().obtained()).await;
    let marker = directory.path().join("it-ran");
    for key in ["token.source", "guard.callers.ci.key"] {
        let text = format!(
            "listen = \"127.0.0.1:0\"\n{key} = {{ command = [\"touch\", '{}'] }}\n",
            marker.display()
        );
        proxy.replace(&text);
        until("the command is rejected", || {
            let notes = proxy.notes();
            notes.iter().any(|note| {
                note.contains(key) && note.contains("only found in the working directory")
            })
        })
        .await;
    }
    assert_eq!(ask(proxy.running.addresses[0], get("/")).await.status, 200);
    assert!(!marker.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_rejected_configuration_that_is_tried_again_runs_no_command_until_the_rest_of_it_is_valid()
 {
    let (upstream, endpoint) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let directory = tempfile::tempdir().unwrap();
    let text = text(&directory, &upstream.url(), &endpoint.url(), "");
    let file = |name: &str| directory.path().join(name);
    let proxy = ReloadingProxy::preflighted(file("cupbearer.toml"), &text);
    let command = format!(
        "echo run >> '{}'; cat '{}'",
        file("runs").display(),
        file("secret").display()
    );
    let with_command = text.replace(
        "{ file",
        &format!("{{ command = [\"/bin/sh\", \"-c\", {command:?}] }} # {{ file"),
    );
    let runs = || {
        let runs = std::fs::read_to_string(file("runs")).unwrap_or_default();
        runs.lines().count()
    };
    let authorities = format!("network.ca_file = '{}'\n", file("ca.pem").display());
    let finished = proxy.finished();
    proxy.replace(&format!("{authorities}{with_command}"));
    until("it is rejected", || !proxy.notes().is_empty()).await;
    assert_eq!(runs(), 1);
    until("it is tried again", || proxy.finished() >= finished + 2).await;
    assert_eq!(runs(), 1);
    let authority = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    std::fs::write(file("ca.pem"), authority.cert.pem()).unwrap();
    proxy.wait_for_reload_since(0).await;
    assert!(runs() > 1);
}

#[tokio::test]
async fn only_a_configuration_that_is_in_use_keeps_a_variable_from_programs() {
    let name = "CARGO_PKG_LICENSE"; // cargo sets it
    let is_withheld = || {
        let mut command = std::process::Command::new("program");
        cupbearer::credentials::withhold_private_variables(&mut command);
        command.get_envs().any(|(removed, _)| removed == name)
    };
    let scene = Scene::before(Upstream::echoing().await, "").await;
    assert!(!is_withheld());
    let caller = format!("guard.callers.ci.key = {{ env = \"{name}\" }}\n");
    scene
        .proxy
        .replace(&scene.text(&format!("drian = 1\n{caller}")));
    until("it is rejected", || {
        scene
            .proxy
            .notes()
            .iter()
            .any(|note| note.contains("drian"))
    })
    .await;
    assert!(!is_withheld());
    let source = scene
        .text("")
        .replace("{ file", &format!("{{ env = \"{name}\" }} # {{ file"));
    scene.proxy.replace_and_wait(&source).await;
    assert!(is_withheld());
    scene.proxy.replace_and_wait(&scene.text("")).await;
    assert!(!is_withheld());
}

#[tokio::test]
async fn a_file_that_was_not_there_at_the_start_is_not_read() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let mut surroundings = surroundings(&upstream, &endpoint, directory.path());
    let listen = ("CUPBEARER_LISTEN".into(), "127.0.0.1:0".into());
    surroundings.variables.push(listen);
    let elsewhere = directory.path().join("elsewhere.toml");
    let proxy = ReloadingProxy::discovered(elsewhere, "", &surroundings);
    within("the first token", proxy.running.tokens().obtained()).await;
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, "guard.read_only = true").unwrap();
    let before = proxy.finished();
    proxy.replace("");
    until("the end of the reload", || proxy.finished() > before).await;
    let post = crate::support::post("/", "x");
    let answer = ask(proxy.running.addresses[0], post).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_drain_timeout_is_the_one_in_effect_when_the_drain_begins() {
    let (upstream, _go) = paused_upstream().await;
    let mut scene = Scene::before(upstream, "drain = \"1h\"").await;
    let mut client = scene.client().await;
    client.send(get("/")).await;
    until("the request is in flight", || {
        scene.upstream.seen_count() == 1
    })
    .await;
    let timeouts = DrainTimeouts {
        drain: Duration::from_millis(50),
        drain_delay: Duration::ZERO,
    };
    scene
        .proxy
        .running
        .live_config()
        .set_drain_timeouts(timeouts);
    scene.proxy.running.stop(DrainPhase::Draining);
    let drained = within("the drain", scene.proxy.running.ended()).await;
    assert_eq!(drained.cut, 1);
    // A second call, as after a second signal, returns the same outcome.
    assert_eq!(scene.proxy.running.ended().await, drained);
}
