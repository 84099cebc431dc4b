//! A secret is sent only to the token endpoint, and for the client, that the configuration names beside it. The clock
//! stands still unless a test moves it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{
    Client, Connection, ReloadingProxy, StoppedClock, Upstream, answer, get, within,
};

const FIRST: &str = "the-secret-of-the-first-client";
const SECOND: &str = "the-secret-of-the-second-client";

/// Longer than a token lives, and than the longest time between two looks at a secret or a configuration.
const LONG: Duration = Duration::from_secs(15);

/// A token endpoint whose tokens live for four seconds; or one that grants none.
async fn token_endpoint(grants: bool) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        while connection.request().await.is_some() {
            let bytes = if grants {
                let token = r#"{"access_token":"a","token_type":"Bearer","expires_in":4}"#;
                answer("200 OK", "Content-Type: application/json\r\n", token)
            } else {
                answer("503 Service Unavailable", "", "")
            };
            connection.write(&bytes).await;
        }
    })
    .await
}

/// An API that answers everything but `/held`.
async fn api() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            if request.target == "/held" {
                return connection.closed().await;
            }
            connection.write(&answer("200 OK", "", "")).await;
        }
    })
    .await
}

struct Scene {
    clock: StoppedClock,
    api: Upstream,
    first: Upstream,
    second: Upstream,
    dead: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let scene = Self {
            clock: StoppedClock::stop(),
            api: api().await,
            first: token_endpoint(true).await,
            second: token_endpoint(true).await,
            dead: token_endpoint(false).await,
            directory: tempfile::tempdir().unwrap(),
        };
        scene.write_secret(FIRST);
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_secret(&self, secret: &str) {
        std::fs::write(self.file("secret"), secret).unwrap();
    }

    /// A configuration for the client `client` at `endpoint`.
    fn text(&self, endpoint: &Upstream, client: &str, more: &str) -> String {
        format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n[token]\nurl = \"{}\"\n\
             client_id = \"{client}\"\nclient_secret = {{ file = '{}' }}\n{more}",
            self.api.url(),
            endpoint.url(),
            self.file("secret").display(),
        )
    }

    async fn start(&self) -> ReloadingProxy {
        let text = self.text(&self.first, "first", "");
        let proxy = ReloadingProxy::start(self.file("cupbearer.toml"), &text);
        within("the first token", proxy.running.tokens().obtained()).await;
        proxy
    }

    async fn replace(&self, proxy: &ReloadingProxy, text: &str) {
        self.clock.run(proxy.replace_and_wait(text)).await;
    }

    /// Sends a request that is in flight, with the identity of now, until the client is dropped.
    async fn hold_request(&self, proxy: &ReloadingProxy) -> Client {
        let mut client = Client::connect(proxy.running.addresses[0]).await;
        client.send(get("/held")).await;
        let arrived = || self.api.seen_count() == 1;
        self.clock.until("the request waits", arrived).await;
        client
    }

    async fn pass_time(&self) {
        self.clock.run(tokio::time::sleep(LONG)).await;
    }
}

/// The secrets that an endpoint has received.
fn secrets_at(endpoint: &Upstream) -> BTreeSet<String> {
    let seen = endpoint.seen();
    let sent = seen.iter().map(|seen| {
        let basic = seen.values("authorization").concat();
        let pair = STANDARD
            .decode(basic.strip_prefix("Basic ").unwrap())
            .unwrap();
        let pair = String::from_utf8(pair).unwrap();
        pair.split_once(':').unwrap().1.to_owned()
    });
    sent.collect()
}

fn only(secret: &str) -> BTreeSet<String> {
    [secret.to_owned()].into()
}

#[tokio::test]
async fn an_identity_that_requests_still_use_never_sends_the_secret_of_a_later_one() {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    let _held = scene.hold_request(&proxy).await;
    let scope = scene.text(&scene.first, "first", "scope = \"other\"\n");
    scene.replace(&proxy, &scope).await;
    proxy.replace(&scene.text(&scene.second, "second", ""));
    scene.write_secret(SECOND);
    scene.pass_time().await;
    assert_eq!(secrets_at(&scene.second), only(SECOND));
    assert_eq!(secrets_at(&scene.first), only(FIRST));
}

#[tokio::test]
async fn a_secret_is_not_sent_to_the_endpoint_in_use_while_a_rejected_file_names_another() {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    let misspelt = scene.text(&scene.second, "second", "scoop = \"x\"\n");
    proxy.replace(&misspelt);
    scene.write_secret(SECOND);
    scene.pass_time().await;
    assert!(
        proxy.notes().concat().contains("scoop"),
        "{:?}",
        proxy.notes()
    );
    assert_eq!(secrets_at(&scene.first), only(FIRST));
    assert!(
        proxy.running.tokens().usable().is_some(),
        "with its last secret"
    );

    // Once the file names the endpoint in use again, its secret is read again, even if the file has another mistake.
    proxy.replace(&scene.text(&scene.first, "first", "scoop = \"x\"\n"));
    scene.pass_time().await;
    assert_eq!(secrets_at(&scene.first).len(), 2);
    assert_eq!(secrets_at(&scene.second), BTreeSet::new());
}

#[tokio::test]
async fn a_pending_identity_never_sends_the_secret_of_the_one_that_replaces_it() {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    proxy.replace(&scene.text(&scene.dead, "first", ""));
    scene.pass_time().await;
    assert_eq!(secrets_at(&scene.dead), only(FIRST));
    proxy.replace(&scene.text(&scene.second, "second", ""));
    scene.write_secret(SECOND);
    scene.pass_time().await;
    assert_eq!(secrets_at(&scene.second), only(SECOND));
    assert_eq!(secrets_at(&scene.dead), only(FIRST));
    assert_eq!(secrets_at(&scene.first), only(FIRST));
}

#[tokio::test]
async fn an_identity_never_sends_what_its_file_contains_once_its_client_has_another() {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    let _held = scene.hold_request(&proxy).await;
    let own = scene.file("another");
    std::fs::write(&own, FIRST).unwrap();
    let shared = scene.file("secret").display().to_string();
    let moved = scene.text(&scene.first, "first", "");
    let moved = moved.replace(&shared, &own.display().to_string());
    scene.replace(&proxy, &moved).await;
    // Now the file belongs to another proxy's client, for example.
    scene.write_secret(SECOND);
    scene.pass_time().await;
    assert_eq!(secrets_at(&scene.first), only(FIRST));
}
