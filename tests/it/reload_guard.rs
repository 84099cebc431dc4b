//! What a changed configuration must not open, keep open or give away, while it waits and after it was taken back.

use std::path::PathBuf;

use crate::support::{
    CLIENT_ID, Followed, SECRET, Upstream, ask, get, token_answer, until, within,
};

const CALLER_KEY: &str = "the-key-of-the-caller-ci";

/// An API, a token endpoint, and the files of a configuration.
struct Scene {
    upstream: Upstream,
    endpoint: Upstream,
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
    async fn start(&self, more: &str) -> Followed {
        let proxy = Followed::start(self.file("cupbearer.toml"), &self.text(more));
        within("the first token", proxy.running.tokens().obtained()).await;
        proxy
    }
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
    proxy.put(&scene.text(trusted)).await;
    assert_eq!(ask(address, get("/")).await.status, 200);
}
