//! What a changed configuration must not open, keep open or give away, while it waits and after it was taken back.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cupbearer::metrics::ProcessMetrics;
use cupbearer::{config, start_admin};

use crate::support::{
    CLIENT_ID, Connection, ReloadingProxy, SECRET, Upstream, answer, ask, get, token_answer, until,
    within,
};

const CALLER_KEY: &str = "the-key-of-the-caller-ci";

/// An API, two token endpoints of which the second never grants, and the files of a configuration.
struct Scene {
    upstream: Upstream,
    endpoint: Upstream,
    dead: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::asking(Upstream::answering(token_answer()).await).await
    }

    async fn asking(endpoint: Upstream) -> Self {
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

    /// The configuration of an identity that gets its token.
    fn text(&self, more: &str) -> String {
        self.of(&self.endpoint, more)
    }

    /// That of one that waits for ever.
    fn waiting(&self, more: &str) -> String {
        self.of(&self.dead, more)
    }

    fn of(&self, endpoint: &Upstream, more: &str) -> String {
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

    /// With its first token.
    async fn start(&self, more: &str) -> ReloadingProxy {
        let proxy = ReloadingProxy::start(self.file("cupbearer.toml"), &self.text(more));
        within("the first token", proxy.running.tokens().obtained()).await;
        proxy
    }
}

async fn waits(proxy: &ReloadingProxy) {
    until("it waits", || {
        let notes = proxy.notes();
        notes.iter().any(|note| note.contains("first token"))
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_the_network_reaches_is_not_opened_by_a_file_that_would_move_it() {
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
        until("it is refused, and says why", || {
            let notes = proxy.notes();
            notes.iter().any(|note| note.contains("is not loopback"))
        })
        .await;
        assert_eq!(ask(address, get("/")).await.status, 401, "{opened}");
        proxy.replace(&scene.text(&keyed));
        until("it is as it was", || proxy.notes().is_empty()).await;
    }
    let trusted = "listen = \"localhost:6749\"\nguard.network = \"open\"";
    proxy.replace_and_wait(&scene.text(trusted)).await;
    assert_eq!(ask(address, get("/")).await.status, 200);
}

#[tokio::test]
async fn the_admin_listener_forbids_what_a_waiting_configuration_forbids() {
    let scene = Scene::new().await;
    let proxy = scene.start("guard.local_users = \"any\"").await;
    let listen = config::AdminConfig {
        listen: vec![config::Listen::Tcp(([127, 0, 0, 1], 0).into())],
        is_configured: true,
    };
    let proxies = std::slice::from_ref(&proxy.running);
    let listeners = start_admin(&listen, proxies, &[], ProcessMetrics::new(|| 0)).unwrap();
    let admin = listeners.addresses[0];
    assert_eq!(ask(admin, get("/status")).await.status, 200);

    proxy.replace(&scene.waiting("guard.local_users = [4242]"));
    waits(&proxy).await;
    assert_eq!(ask(admin, get("/status")).await.status, 403);
    let refresh = "POST /token/refresh HTTP/1.1\r\nHost: localhost\r\nX-Cupbearer: 1\r\n\
                   Content-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(admin, refresh).await.status, 403);

    proxy.replace(&scene.text("guard.local_users = \"any\""));
    until("nothing waits", || proxy.notes().is_empty()).await;
    assert_eq!(ask(admin, get("/status")).await.status, 200);
}

#[tokio::test]
async fn the_files_in_use_are_followed_after_a_change_was_taken_back() {
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
    proxy.replace(&scene.waiting(&other));
    waits(&proxy).await;
    proxy.replace(&scene.text(&own));
    until("nothing waits", || proxy.notes().is_empty()).await;

    let before = proxy.applied();
    std::fs::write(scene.file("own.pem"), authority()).unwrap();
    proxy.wait_for_reload_since(before).await;
}

#[tokio::test]
async fn a_secret_that_comes_with_another_token_endpoint_is_not_sent_to_the_one_before() {
    let refuses = Arc::new(AtomicBool::new(false));
    let endpoint = Upstream::scripted({
        let refuses = Arc::clone(&refuses);
        move |mut connection: Connection| {
            let refuses = Arc::clone(&refuses);
            async move {
                let json = "Content-Type: application/json\r\n";
                while connection.request().await.is_some() {
                    let bytes = if refuses.load(Ordering::SeqCst) {
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
    let scene = Scene::asking(endpoint.await).await;
    let proxy = scene.start("").await;
    proxy.replace(&scene.waiting(""));
    waits(&proxy).await;
    std::fs::write(scene.file("secret"), "of the other endpoint").unwrap();
    refuses.store(true, Ordering::SeqCst);
    // A refusal is counted once its secret has been looked at again.
    until("the former endpoint has refused", || {
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
    until("nothing waits", || proxy.notes().is_empty()).await;
    until("the secret is its own again", || sent() == 2).await;
}
