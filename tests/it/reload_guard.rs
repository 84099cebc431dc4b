//! What a changed configuration must not admit or reveal, while it is pending and after it has been reverted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::metrics::ProcessMetrics;
use cupbearer::reload::Examine;
use cupbearer::server::DrainPhase;
use cupbearer::{AdminListeners, start_admin};
use tokio::sync::watch;

use crate::support::{
    CLIENT_ID, Connection, ReloadingProxy, SECRET, Upstream, answer, ask, get, token_answer, until,
    within,
};

const CALLER_KEY: &str = "the-key-of-the-caller-ci";

/// An API, two token endpoints of which the second never grants a token, and the files of a configuration.
struct Scene {
    upstream: Upstream,
    endpoint: Upstream,
    dead: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with_endpoint(Upstream::answering(token_answer()).await).await
    }

    async fn with_endpoint(endpoint: Upstream) -> Self {
        let scene = Self {
            upstream: Upstream::echoing().await,
            endpoint,
            dead: Upstream::answering(answer("503 Service Unavailable", "", "")).await,
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::write(scene.file("secret"), SECRET).unwrap();
        std::fs::write(scene.file("key"), CALLER_KEY).unwrap();
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A configuration whose identity gets its token.
    fn text(&self, more: &str) -> String {
        self.with_token_endpoint(&self.endpoint, more)
    }

    /// A configuration whose identity never gets a token.
    fn pending(&self, more: &str) -> String {
        self.with_token_endpoint(&self.dead, more)
    }

    fn with_token_endpoint(&self, endpoint: &Upstream, more: &str) -> String {
        let listen = if more.contains("listen = ") {
            ""
        } else {
            "listen = \"127.0.0.1:0\"\n"
        };
        format!(
            "{listen}upstream.url = \"{}\"\n{more}\n[token]\nurl = \"{}\"\nclient_id = \"{CLIENT_ID}\"\n\
             client_secret = {{ file = '{}' }}\n",
            self.upstream.url(),
            endpoint.url(),
            self.file("secret").display(),
        )
    }

    /// Starts the proxy, and waits for its first token.
    async fn start(&self, more: &str) -> ReloadingProxy {
        let proxy = ReloadingProxy::start(self.file("cupbearer.toml"), &self.text(more));
        within("the first token", proxy.running.tokens().obtained()).await;
        proxy
    }
}

/// An admin listener for this proxy.
pub(crate) fn admin_of(proxy: &ReloadingProxy) -> AdminListeners {
    let listen = config::AdminConfig {
        listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
        is_configured: true,
    };
    let proxies = std::slice::from_ref(&proxy.running);
    start_admin(
        &listen,
        proxies,
        &[],
        ProcessMetrics::new(|| 0),
        &mut Vec::new(),
    )
    .unwrap()
}

async fn is_pending(proxy: &ReloadingProxy) {
    until("the configuration is pending", || {
        let notes = proxy.notes();
        notes.iter().any(|note| note.contains("first token"))
    })
    .await;
}

#[tokio::test]
async fn a_network_listener_is_not_opened_by_a_file_that_also_changes_listen() {
    let scene = Scene::new().await;
    let keyed = format!(
        "listen = \"0.0.0.0:0\"\nguard.callers.ci.key = {{ file = '{}' }}",
        scene.file("key").display()
    );
    let proxy = scene.start(&keyed).await;
    let address = proxy.running.addresses[0];
    assert_eq!(ask(address, get("/")).await.status, 401);

    for opened in [
        "",
        "guard.network = \"keyed\"",
        "guard.callers.ci.uid = 4242",
    ] {
        proxy.replace(&scene.text(&format!("listen = \"localhost:6749\"\n{opened}")));
        until("a note says why it is rejected", || {
            let notes = proxy.notes();
            notes.iter().any(|note| note.contains("is not loopback"))
        })
        .await;
        assert_eq!(ask(address, get("/")).await.status, 401, "{opened}");
        proxy.replace(&scene.text(&keyed));
        until("the original file is in use", || proxy.notes().is_empty()).await;
    }
    let trusted = "listen = \"localhost:6749\"\nguard.network = \"open\"";
    proxy.replace_and_wait(&scene.text(trusted)).await;
    assert_eq!(ask(address, get("/")).await.status, 200);
}

#[cfg(unix)]
#[tokio::test]
async fn a_persons_token_is_not_shared_by_a_file_that_also_changes_listen() {
    let scene = Scene::new().await;
    let key = format!(
        "guard.callers.ci.key = {{ file = '{}' }}",
        scene.file("key").display()
    );
    let paste = |more: &str| {
        let url = scene.upstream.url();
        format!(
            "listen = \"localhost:6749\"\nupstream.url = \"{url}\"\n{more}\ntoken.grant = \"paste\"\n"
        )
    };
    let socket = format!("unix:{}", scene.file("s").display());
    for bound in [
        "listen = \"0.0.0.0:0\"".to_owned(),
        format!("listen = \"{socket}\"\nlisten_mode = \"0666\""),
    ] {
        let proxy = scene.start(&format!("{bound}\n{key}")).await;
        proxy.replace(&paste(&key));
        until("a note says why it is rejected", || {
            let notes = proxy.notes();
            notes.iter().any(|note| {
                note.contains("act as the person who signs in") && note.contains("share_login")
            })
        })
        .await;
        assert!(!proxy.running.tokens().is_sign_in(), "{bound}");
        proxy.replace(&paste(&format!("{key}\nguard.share_login = true")));
        is_pending(&proxy).await; // a person has yet to sign in
    }
}

#[tokio::test]
async fn a_changed_file_cannot_connect_to_the_admin_listener_that_it_also_moves() {
    let scene = Scene::new().await;
    let proxy = scene.start("").await;
    let listeners = admin_of(&proxy);
    let admin = listeners.addresses[0];
    let moved = "admin.listen = \"127.0.0.1:1\"";
    let text = scene.text(moved);
    let api = scene.upstream.url();
    let token = scene.endpoint.url();
    for (key, server) in [("upstream.url", api), ("token.url", token)] {
        assert!(text.contains(&server), "{text}");
        proxy.replace(&text.replace(&server, &format!("http://{admin}")));
        let why = format!("{key} is the admin listener of this process, which is on {admin}");
        until("a note says why it is rejected", || {
            let notes = proxy.notes();
            notes.iter().any(|note| note.contains(&why))
        })
        .await;
        let address = proxy.running.addresses[0];
        assert_eq!(ask(address, get("/")).await.status, 200);
    }
}

#[tokio::test]
async fn a_browser_cannot_return_to_the_listener_that_a_changed_file_moves() {
    let scene = Scene::new().await;
    let proxy = scene.start("").await;
    let bound = proxy.running.addresses[0];
    let (api, token) = (scene.upstream.url(), scene.endpoint.url());
    proxy.replace(&format!(
        "listen = \"127.0.0.1:1\"\nupstream.url = \"{api}\"\n[token]\ngrant = \"authorization_code\"\n\
         client_id = \"c\"\nauth = \"none\"\nurl = \"{token}/t\"\nauthorization_url = \"{token}/a\"\n\
         redirect_url = \"http://{bound}/cb\"\n"
    ));
    let why = format!("token.redirect_url is this proxy itself: it listens on {bound}");
    until("a note says why it is rejected", || {
        proxy.notes().iter().any(|note| note.contains(&why))
    })
    .await;
    assert!(!proxy.running.tokens().is_sign_in());
}

#[tokio::test]
async fn the_admin_listener_rejects_what_a_pending_configuration_forbids() {
    let scene = Scene::new().await;
    let proxy = scene.start("guard.local_users = \"any\"").await;
    let listen = config::AdminConfig {
        listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
        is_configured: true,
    };
    let proxies = std::slice::from_ref(&proxy.running);
    let listeners = start_admin(
        &listen,
        proxies,
        &[],
        ProcessMetrics::new(|| 0),
        &mut Vec::new(),
    )
    .unwrap();
    let admin = listeners.addresses[0];
    assert_eq!(ask(admin, get("/status")).await.status, 200);

    proxy.replace(&scene.pending("guard.local_users = [4242]"));
    is_pending(&proxy).await;
    assert_eq!(ask(admin, get("/status")).await.status, 403);
    let refresh = "POST /token/refresh HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer: 1\r\n\
                   Content-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(admin, refresh).await.status, 403);

    proxy.replace(&scene.text("guard.local_users = \"any\""));
    until("nothing is pending", || proxy.notes().is_empty()).await;
    assert_eq!(ask(admin, get("/status")).await.status, 200);
}

#[tokio::test]
async fn the_files_in_use_are_followed_after_a_change_is_reverted() {
    let scene = Scene::new().await;
    let authority = || {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        issued.cert.pem()
    };
    let trusting = |name: &str| {
        let file = scene.file(name);
        std::fs::write(&file, authority()).unwrap();
        format!("network.ca_file = '{}'", file.display())
    };
    let (own, other) = (trusting("own.pem"), trusting("other.pem"));
    let proxy = scene.start(&own).await;
    proxy.replace(&scene.pending(&other));
    is_pending(&proxy).await;
    proxy.replace(&scene.text(&own));
    until("nothing is pending", || proxy.notes().is_empty()).await;

    let before = proxy.applied();
    std::fs::write(scene.file("own.pem"), authority()).unwrap();
    proxy.wait_for_reload_since(before).await;
}

#[tokio::test]
async fn a_secret_that_changes_with_the_token_endpoint_is_not_sent_to_the_previous_one() {
    let is_rejecting = Arc::new(AtomicBool::new(false));
    let endpoint = Upstream::scripted({
        let is_rejecting = Arc::clone(&is_rejecting);
        move |mut connection: Connection| {
            let is_rejecting = Arc::clone(&is_rejecting);
            async move {
                let json = "Content-Type: application/json\r\n";
                while connection.request().await.is_some() {
                    let bytes = if is_rejecting.load(Ordering::SeqCst) {
                        answer("401 Unauthorized", json, r#"{"error":"invalid_client"}"#)
                    } else {
                        let token = r#"{"access_token":"a","token_type":"Bearer","expires_in":4}"#;
                        answer("200 OK", json, token)
                    };
                    connection.write(&bytes).await;
                }
            }
        }
    });
    let scene = Scene::with_endpoint(endpoint.await).await;
    let proxy = scene.start("").await;
    proxy.replace(&scene.pending(""));
    is_pending(&proxy).await;
    std::fs::write(scene.file("secret"), "of the other endpoint").unwrap();
    is_rejecting.store(true, Ordering::SeqCst);
    // A rejection is counted once the secret has been read again.
    until("the previous endpoint has rejected a request", || {
        proxy.running.tokens().snapshot().attempts.refused > 0
    })
    .await;
    let sent = || {
        let seen = scene.endpoint.seen();
        let sent = seen
            .iter()
            .map(|seen| seen.values("authorization").concat());
        sent.collect::<std::collections::HashSet<_>>().len()
    };
    assert_eq!(sent(), 1);

    proxy.replace(&scene.text(""));
    until("nothing is pending", || proxy.notes().is_empty()).await;
    until("the previous endpoint gets its own secret again", || {
        sent() == 2
    })
    .await;
}

#[tokio::test]
async fn a_newer_file_ends_what_waits_even_if_it_is_invalid_and_what_was_forbidden_stays_so() {
    let scene = Scene::new().await;
    let proxy = scene.start("").await;
    let address = proxy.running.addresses[0];
    let may = Arc::new(AtomicBool::new(false));
    let endpoint = granting_once(&may).await;
    proxy.replace(&scene.with_token_endpoint(&endpoint, "guard.deny = [\"GET /a\"]"));
    is_pending(&proxy).await;
    while ask(address, get("/a")).await.status != 403 {}

    proxy.replace(&scene.with_token_endpoint(&endpoint, "guard.dany = [\"GET /a\"]"));
    until("the typing error is reported", || {
        proxy.notes().concat().contains("guard.dany")
    })
    .await;
    assert!(
        !proxy.notes().concat().contains("first token"),
        "{:?}",
        proxy.notes()
    );
    assert_eq!(ask(address, get("/a")).await.status, 403);
    may.store(true, Ordering::SeqCst);
    let requests = endpoint.seen_count();
    let before = proxy.applied();
    proxy
        .replace_and_wait(&scene.text("guard.deny = [\"GET /b\"]"))
        .await;
    assert_eq!(proxy.applied(), before + 1);
    assert_eq!(ask(address, get("/a")).await.status, 200);
    assert_eq!(ask(address, get("/b")).await.status, 403);
    assert_eq!(endpoint.seen_count(), requests, "its identity has ended");
}

/// A token endpoint that grants nothing until it may.
async fn granting_once(may: &Arc<AtomicBool>) -> Upstream {
    let may = Arc::clone(may);
    Upstream::scripted(move |mut connection: Connection| {
        let may = Arc::clone(&may);
        async move {
            while connection.request().await.is_some() {
                let bytes = if may.load(Ordering::SeqCst) {
                    token_answer()
                } else {
                    answer("503 Service Unavailable", "", "")
                };
                connection.write(&bytes).await;
            }
        }
    })
    .await
}

/// An examination that lasts until the test says how it ends.
fn slow_examination() -> (Examine, watch::Sender<Option<bool>>) {
    let verdict = watch::Sender::new(None);
    let shared = verdict.clone();
    let examine: Examine = Arc::new(move |loaded| {
        let mut verdict = shared.subscribe();
        Box::pin(async move {
            let is_fine = *verdict.wait_for(Option::is_some).await.unwrap();
            if is_fine == Some(true) {
                return Ok(loaded);
            }
            let missing = Overrides {
                file: Some("/no-such-secret".into()),
                ..Overrides::default()
            };
            Err(config::load(&missing, &Surroundings::default())
                .err()
                .unwrap())
        })
    });
    (examine, verdict)
}

#[tokio::test]
async fn what_a_file_forbids_applies_while_its_secrets_are_read_and_only_then_if_they_are_unusable()
{
    let scene = Scene::new().await;
    let (examine, verdict) = slow_examination();
    let proxy = ReloadingProxy::examining(scene.file("cupbearer.toml"), &scene.text(""), examine);
    within("the first token", proxy.running.tokens().obtained()).await;
    let address = proxy.running.addresses[0];
    let stricter = scene.text("guard.deny = [\"GET /a\"]");

    proxy.replace(&stricter);
    while ask(address, get("/a")).await.status != 403 {}
    assert_eq!(proxy.applied(), 0);
    verdict.send_replace(Some(false));
    until("the secret is reported as missing", || {
        proxy.notes().concat().contains("/no-such-secret")
    })
    .await;
    assert_eq!(
        ask(address, get("/a")).await.status,
        200,
        "an unusable file changes nothing"
    );

    // A newer file ends the examination of an older one. If it is invalid, what was forbidden stays so.
    verdict.send_replace(None);
    proxy.replace(&scene.text("guard.deny = [\"GET /c\"]"));
    while ask(address, get("/c")).await.status != 403 {}
    proxy.replace(&scene.text("guard.dany = [\"GET /c\"]"));
    until("the typing error is reported", || {
        proxy.notes().concat().contains("guard.dany")
    })
    .await;
    assert_eq!(ask(address, get("/c")).await.status, 403);
    proxy.replace(&stricter.replace("/a", "/b"));
    while ask(address, get("/b")).await.status != 403 {}
    assert_eq!(
        ask(address, get("/c")).await.status,
        403,
        "until it is known to be valid, it lifts nothing"
    );
    verdict.send_replace(Some(true));
    until("it is in use", || proxy.applied() == 1).await;
    assert_eq!(ask(address, get("/b")).await.status, 403);
    assert_eq!(ask(address, get("/c")).await.status, 200);
    assert!(proxy.notes().is_empty(), "{:?}", proxy.notes());
}

/// What a configuration needs is read by the task that follows the file.
#[tokio::test]
async fn a_reload_that_panics_makes_the_proxy_unready_and_is_not_counted_as_applied() {
    let scene = Scene::new().await;
    let examine: Examine = Arc::new(|_| Box::pin(async { panic!("a bug") }));
    let proxy = ReloadingProxy::examining(scene.file("cupbearer.toml"), &scene.text(""), examine);
    within("the first token", proxy.running.tokens().obtained()).await;
    let listeners = admin_of(&proxy);
    assert_eq!(ask(listeners.addresses[0], get("/ready")).await.status, 200);
    proxy.replace(&scene.text("guard.read_only = true"));
    until("the panic", || {
        !proxy.running.metrics.stopped_tasks().names().is_empty()
    })
    .await;
    let answer = ask(listeners.addresses[0], get("/ready")).await;
    assert_eq!(answer.status, 503);
    let text = answer.text();
    assert!(text.contains("configuration reload"), "{text}");
    assert_eq!(proxy.applied(), 0);
}

#[tokio::test]
async fn a_configuration_that_no_worker_takes_over_is_not_counted_as_applied() {
    let scene = Scene::new().await;
    let mut proxy = scene.start("").await;
    proxy.running.stop(DrainPhase::Cut);
    proxy.running.ended().await;
    proxy.replace(&scene.text("guard.read_only = true"));
    until("a note says that a worker has stopped", || {
        proxy.notes().concat().contains("a worker has stopped")
    })
    .await;
    assert_eq!(proxy.applied(), 0);
}

/// An alert fires for as long as this metric is 1.
#[tokio::test]
async fn a_file_that_is_rejected_is_counted_and_is_a_metric_for_as_long_as_it_stays() {
    let scene = Scene::new().await;
    let proxy = scene.start("").await;
    let listeners = admin_of(&proxy);
    let metric = async || {
        let text = ask(listeners.addresses[0], get("/metrics")).await.text();
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().map(str::to_owned).unwrap_or_default()
        };
        let pending = value("cupbearer_config_pending{reason=\"refused\"} ");
        (
            pending,
            value("cupbearer_reload_total{outcome=\"refused\"} "),
        )
    };
    assert_eq!(metric().await, ("0".to_owned(), "0".to_owned()));
    proxy.replace(&scene.text("guard.dany = [\"GET /c\"]"));
    until("it is rejected", || !proxy.notes().is_empty()).await;
    for _ in 0..2 {
        assert_eq!(metric().await, ("1".to_owned(), "1".to_owned()));
    }
    proxy.replace(&scene.text(""));
    until("it is valid again", || proxy.notes().is_empty()).await;
    assert_eq!(metric().await, ("0".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn while_a_slow_command_prints_a_key_every_unchanged_caller_stays_admitted() {
    let scene = Scene::new().await;
    let (examine, verdict) = slow_examination();
    let (hold, other) = (scene.file("hold"), scene.file("other"));
    std::fs::write(&other, "the-key-of-the-caller-za").unwrap();
    let command = format!(
        "while test -e '{}'; do sleep 0.05; done; cat '{}'",
        hold.display(),
        scene.file("key").display()
    );
    let callers = format!(
        "guard.callers.ci.key = {{ command = [\"sh\", \"-c\", {command:?}] }}\n\
         guard.callers.za.key = {{ file = {other:?} }}\n"
    );
    let file = scene.file("cupbearer.toml");
    let proxy = ReloadingProxy::examining(file, &scene.text(&callers), examine);
    within("the first token", proxy.running.tokens().obtained()).await;
    let address = proxy.running.addresses[0];
    let status = async |key: &str, path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer-Key: {key}\r\n\r\n");
        ask(address, request).await.status
    };
    let keys = [CALLER_KEY, "the-key-of-the-caller-za"];
    for key in keys {
        while status(key, "/a").await != 200 {}
    }

    std::fs::write(&hold, "").unwrap();
    let forbidding = format!("{callers}guard.deny = [\"GET /never/**\"]\n");
    proxy.replace(&scene.text(&forbidding));
    for key in keys {
        while status(key, "/never/x").await == 200 {}
        assert_eq!(
            status(key, "/never/x").await,
            403,
            "{key}: by the rule, not for its key"
        );
        assert_eq!(status(key, "/a").await, 200, "{key}");
    }
    assert_eq!(proxy.applied(), 0);
    std::fs::remove_file(&hold).unwrap();
    verdict.send_replace(Some(true));
    until("it is in use", || proxy.applied() == 1).await;
    for key in keys {
        assert_eq!(status(key, "/a").await, 200, "{key}");
    }
}

#[tokio::test]
async fn a_caller_whose_key_moves_to_a_slow_command_stays_admitted() {
    let scene = Scene::new().await;
    let (examine, verdict) = slow_examination();
    let (hold, key) = (scene.file("hold"), scene.file("key"));
    let callers = format!("guard.callers.ci.key = {{ file = {key:?} }}\n");
    let file = scene.file("cupbearer.toml");
    let proxy = ReloadingProxy::examining(file, &scene.text(&callers), examine);
    within("the first token", proxy.running.tokens().obtained()).await;
    let address = proxy.running.addresses[0];
    let status = async |path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer-Key: {CALLER_KEY}\r\n\r\n"
        );
        ask(address, request).await.status
    };
    while status("/a").await != 200 {}

    std::fs::write(&hold, "").unwrap();
    let command = format!(
        "while test -e '{}'; do sleep 0.05; done; cat '{}'",
        hold.display(),
        key.display()
    );
    proxy.replace(&scene.text(&format!(
        "guard.callers.ci.key = {{ command = [\"sh\", \"-c\", {command:?}] }}\nguard.deny = [\"GET /never/**\"]\n"
    )));
    while status("/never/x").await == 200 {}
    for _ in 0..2 {
        assert_eq!(
            status("/never/x").await,
            403,
            "by the rule, not for its key"
        );
        assert_eq!(status("/a").await, 200);
        // Now the command runs for the guard that will be used.
        verdict.send_replace(Some(true));
    }
    assert_eq!(proxy.applied(), 0);
    std::fs::remove_file(&hold).unwrap();
    until("it is in use", || proxy.applied() == 1).await;
    assert_eq!(status("/a").await, 200);
}

#[tokio::test]
async fn a_reload_runs_the_command_of_a_key_only_once_at_a_time() {
    let scene = Scene::new().await;
    let lock = scene.file("lock");
    let command = format!(
        "mkdir '{0}' || exit 1; sleep 0.3; cat '{1}'; rmdir '{0}'",
        lock.display(),
        scene.file("key").display()
    );
    let caller = format!("guard.callers.ci.key = {{ command = [\"sh\", \"-c\", {command:?}] }}\n");
    let proxy = ReloadingProxy::preflighted(scene.file("cupbearer.toml"), &scene.text(&caller));
    within("the first token", proxy.running.tokens().obtained()).await;
    let keyed = || {
        get("/a").replace(
            "\r\n\r\n",
            &format!("\r\nX-Cupbearer-Key: {CALLER_KEY}\r\n\r\n"),
        )
    };
    while ask(proxy.running.addresses[0], keyed()).await.status != 200 {}
    proxy.replace(&scene.text(&format!("{caller}guard.deny = [\"GET /never/**\"]\n")));
    until("it is in use", || proxy.applied() == 1).await;
}

#[tokio::test]
async fn a_caller_whose_command_fails_after_the_examination_keeps_its_key() {
    let scene = Scene::new().await;
    let (limit, once) = (scene.file("limit"), scene.file("once"));
    let command = format!(
        "test ! -e '{}' || rm '{}' || exit 1; cat '{}'",
        limit.display(),
        once.display(),
        scene.file("key").display()
    );
    let caller = format!("guard.callers.ci.key = {{ command = [\"sh\", \"-c\", {command:?}] }}\n");
    let proxy = ReloadingProxy::preflighted(scene.file("cupbearer.toml"), &scene.text(&caller));
    within("the first token", proxy.running.tokens().obtained()).await;
    let status = async |path: &str| {
        let keyed = format!("\r\nX-Cupbearer-Key: {CALLER_KEY}\r\n\r\n");
        let request = get(path).replace("\r\n\r\n", &keyed);
        ask(proxy.running.addresses[0], request).await.status
    };
    while status("/a").await != 200 {}
    for file in [&once, &limit] {
        std::fs::write(file, "").unwrap();
    }
    proxy.replace(&scene.text(&format!("{caller}guard.deny = [\"GET /never/**\"]\n")));
    until("it is in use", || proxy.applied() == 1).await;
    assert!(!once.exists(), "the examination has run it");
    assert_eq!(status("/a").await, 200);
    assert_eq!(status("/never/x").await, 403);
}

#[tokio::test]
async fn a_background_task_that_has_stopped_makes_the_proxy_unready_and_is_named() {
    let scene = Scene::new().await;
    let proxy = scene.start("").await;
    let listeners = admin_of(&proxy);
    assert_eq!(ask(listeners.addresses[0], get("/ready")).await.status, 200);
    let tasks = proxy.running.metrics.stopped_tasks().clone();
    tasks.watch("configuration reload", async {}).await;
    let answer = ask(listeners.addresses[0], get("/ready")).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("configuration reload"),
        "{}",
        answer.text()
    );
}
