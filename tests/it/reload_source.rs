//! A token of `token.source` is sent only to the API that the configuration names beside that source. The clock stands
//! still unless a test moves it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{
    Client, Connection, ReloadingProxy, StoppedClock, Upstream, answer, ask, get,
};

const FIRST: &str = "token-of-the-first-api";
const SECOND: &str = "token-of-the-second-api";

/// Longer than a token lives if nothing says when it ends, and than the longest time between two looks.
const LONG: Duration = Duration::from_secs(15);

struct Scene {
    clock: StoppedClock,
    /// Answers `/held` with 401 once `may_answer`.
    first: Upstream,
    may_answer: Arc<AtomicBool>,
    second: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let may_answer = Arc::new(AtomicBool::new(false));
        let released = Arc::clone(&may_answer);
        let first = Upstream::scripted(move |mut connection: Connection| {
            let released = Arc::clone(&released);
            async move {
                while let Some(request) = connection.request().await {
                    let mut status = "200 OK";
                    if request.target == "/held" {
                        while !released.load(Ordering::SeqCst) {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        status = "401 Unauthorized";
                    }
                    connection.write(&answer(status, "", "")).await;
                }
            }
        });
        let scene = Self {
            clock: StoppedClock::stop(),
            first: first.await,
            may_answer,
            second: Upstream::answering(answer("200 OK", "", "")).await,
            directory: tempfile::tempdir().unwrap(),
        };
        scene.write("source", FIRST);
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.file("new-token");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    fn text(&self, api: &Upstream, source: &str, more: &str) -> String {
        format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n{more}\n[token]\nwait = \"0s\"\n\
             default_lifetime = \"6s\"\nsource = {{ file = '{}' }}\n",
            api.url(),
            self.file(source).display(),
        )
    }

    async fn start(&self) -> ReloadingProxy {
        let text = self.text(&self.first, "source", "");
        let proxy = ReloadingProxy::start(self.file("cupbearer.toml"), &text);
        self.clock.run(proxy.running.tokens().obtained()).await;
        proxy
    }

    /// Sends a request each few seconds, as clients do, whatever comes of them.
    async fn pass_time(&self, proxy: &ReloadingProxy) {
        for _ in 0..5 {
            self.clock.run(tokio::time::sleep(LONG / 5)).await;
            let asking = ask(proxy.running.addresses[0], get("/"));
            self.clock.run(asking).await;
        }
    }
}

/// The tokens that an API has received.
fn tokens_at(api: &Upstream) -> BTreeSet<String> {
    let seen = api.seen();
    let sent = seen
        .iter()
        .map(|seen| seen.values("authorization").concat());
    sent.map(|sent| sent.strip_prefix("Bearer ").unwrap().to_owned())
        .collect()
}

fn only(token: &str) -> BTreeSet<String> {
    [token.to_owned()].into()
}

#[tokio::test]
async fn a_token_of_another_api_is_not_sent_while_a_rejected_file_names_that_api() {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    proxy.replace(&scene.text(&scene.second, "source", "guard.read_onyl = true"));
    scene.write("source", SECOND);
    scene.pass_time(&proxy).await;
    assert_eq!(tokens_at(&scene.first), only(FIRST));
    let error = proxy.running.tokens().snapshot().last_error.unwrap();
    assert!(error.contains("names another API"), "{error}");

    // Once the file names the API in use again, its source is used again, even if the file has another mistake.
    proxy.replace(&scene.text(&scene.first, "source", "guard.read_onyl = true"));
    scene.write("source", "newer-token-of-the-first-api");
    scene.pass_time(&proxy).await;
    assert_eq!(tokens_at(&scene.first).len(), 2);
    assert_eq!(tokens_at(&scene.second), BTreeSet::new());
}

async fn assert_source_is_not_used_beside(rejected: &str) {
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    proxy.replace(&scene.text(&scene.second, "other", rejected));
    scene.write("source", SECOND);
    scene.pass_time(&proxy).await;
    assert_eq!(tokens_at(&scene.first), only(FIRST));
}

#[tokio::test]
async fn a_source_is_not_used_while_a_rejected_file_names_another() {
    assert_source_is_not_used_beside("guard.read_onyl = true").await;
}

#[tokio::test]
async fn a_source_is_not_used_while_the_file_cannot_be_read() {
    assert_source_is_not_used_beside("not TOML").await;
}

#[tokio::test]
async fn a_request_that_began_with_another_api_is_not_sent_once_more_with_the_token_of_the_new_one()
{
    let scene = Scene::new().await;
    let proxy = scene.start().await;
    let mut held = Client::connect(proxy.running.addresses[0]).await;
    held.send(get("/held")).await;
    let arrived = || scene.first.seen_count() == 1;
    scene.clock.until("the request waits", arrived).await;
    let moved = scene.text(&scene.second, "source", "");
    scene.clock.run(proxy.replace_and_wait(&moved)).await;
    scene.write("source", SECOND);
    scene.pass_time(&proxy).await;
    assert!(tokens_at(&scene.second).contains(SECOND));
    scene.may_answer.store(true, Ordering::SeqCst);
    assert_eq!(scene.clock.run(held.answer()).await.status, 401);
    assert_eq!(tokens_at(&scene.first), only(FIRST));
}

#[tokio::test]
async fn a_renewed_jwt_for_the_same_access_is_used_while_a_rejected_file_names_another_api() {
    let jwt = |claims: Value| {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        format!(
            "{}.{}.c2ln",
            part(&json!({ "alg": "RS256" })),
            part(&claims)
        )
    };
    let token = |jti: u64, scope: &str| {
        jwt(json!({ "iss": "i", "sub": "s", "aud": "a", "scope": scope, "jti": jti }))
    };
    let scene = Scene::new().await;
    scene.write("source", &token(1, "read"));
    let proxy = scene.start().await;
    proxy.replace(&scene.text(&scene.second, "source", "guard.read_onyl = true"));
    scene.write("source", &token(2, "read"));
    scene.pass_time(&proxy).await;
    assert!(tokens_at(&scene.first).contains(&token(2, "read")));
    scene.write("source", &token(3, "write"));
    scene.pass_time(&proxy).await;
    assert!(!tokens_at(&scene.first).contains(&token(3, "write")));
}
