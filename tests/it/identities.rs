//! Tokens that others issue and renew (client assertions, assertions, subject tokens) are read again for each token
//! request, and are never sent once they have expired.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{
    Answer, Connection, ReloadingProxy, StoppedClock, Upstream, answer, ask, get,
};

/// Longer than a token lives, and than the longest time between two looks at a file.
const LONG: Duration = Duration::from_secs(15);

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

/// A token of this subject, which expires in an hour or expired an hour ago.
fn token(subject: &str, is_valid: bool) -> String {
    const HOUR: u64 = 3600;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let exp = if is_valid { now + HOUR } else { now - HOUR };
    jwt(&json!({ "sub": subject, "aud": "https://as.example.com", "exp": exp }))
}

struct Scene {
    clock: StoppedClock,
    api: Upstream,
    endpoint: Upstream,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with_lifetime(4).await
    }

    /// The tokens of the endpoint live for this many seconds.
    async fn with_lifetime(seconds: u64) -> Self {
        let body =
            format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":{seconds}}}"#);
        let bytes = answer("200 OK", "Content-Type: application/json\r\n", &body);
        let endpoint = Upstream::scripted(move |mut connection: Connection| {
            let bytes = bytes.clone();
            async move {
                while connection.request().await.is_some() {
                    connection.write(&bytes).await;
                }
            }
        });
        Self {
            clock: StoppedClock::stop(),
            api: Upstream::echoing().await,
            endpoint: endpoint.await,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// As it stands in the configuration.
    fn endpoint_url(&self) -> String {
        url::Url::parse(&self.endpoint.url()).unwrap().into()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file as Kubernetes and systemd do.
    fn write(&self, name: &str, text: &str) {
        let new = self.file("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    /// A proxy with these lines below `[token]`; `FILE` in them stands for the file `presented`.
    fn start(&self, token: &str) -> ReloadingProxy {
        let file = self.file("presented");
        let text = format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\n[token]\nurl = \"{}\"\nwait = \"0s\"\n{}",
            self.api.url(),
            self.endpoint.url(),
            token.replace("FILE", &format!("{{ file = '{}' }}", file.display())),
        );
        ReloadingProxy::start(self.file("cupbearer.toml"), &text)
    }

    /// The form of each token request so far.
    fn forms(&self) -> Vec<BTreeMap<String, String>> {
        let seen = self.endpoint.seen();
        let forms = seen
            .iter()
            .map(|seen| form_urlencoded::parse(&seen.body).into_owned().collect());
        forms.collect()
    }

    async fn ask(&self, proxy: &ReloadingProxy) -> Answer {
        let asking = ask(proxy.running.addresses[0], get("/"));
        self.clock.run(asking).await
    }

    async fn pass_time(&self) {
        self.clock.run(tokio::time::sleep(LONG)).await;
    }

    async fn first_token(&self, proxy: &ReloadingProxy) {
        self.clock.run(proxy.running.tokens().obtained()).await;
    }
}

const CLIENT_ASSERTION: &str =
    "auth = \"client_assertion\"\nclient_id = \"app\"\nclient_assertion = FILE\n";

/// A file is also read between requests, but a command is not.
#[tokio::test]
async fn a_client_assertion_is_read_again_for_each_token_request() {
    let scene = Scene::new().await;
    let (first, second) = (token("first", true), token("second", true));
    scene.write("presented", &first);
    let command = format!("[\"cat\", '{}']", scene.file("presented").display());
    let proxy = scene.start(&format!(
        "auth = \"client_assertion\"\nclient_id = \"app\"\nclient_assertion = {{ command = {command} }}\n"
    ));
    scene.first_token(&proxy).await;
    scene.write("presented", &second);
    scene.pass_time().await;

    let forms = scene.forms();
    assert_eq!(forms[0]["client_assertion"], first);
    assert_eq!(forms[forms.len() - 1]["client_assertion"], second);
    for form in &forms {
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["client_id"], "app");
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
    }
}

#[tokio::test]
async fn a_command_is_run_for_token_requests_only() {
    let scene = Scene::with_lifetime(3600).await;
    scene.write("presented", &token("me", true));
    scene.write("secret", "the client's");
    let script = format!(
        "echo >> '{}'; cat '{}'",
        scene.file("runs").display(),
        scene.file("presented").display()
    );
    let proxy = scene.start(&format!(
        "auth = \"client_secret_post\"\nclient_id = \"app\"\nclient_secret = {{ file = '{}' }}\n\
         grant = \"jwt_bearer\"\nassertion = {{ command = [\"sh\", \"-c\", \"\"\"{script}\"\"\"] }}\n",
        scene.file("secret").display(),
    ));
    scene.first_token(&proxy).await;
    scene.pass_time().await; // the file beside it is polled
    assert_eq!(std::fs::read(scene.file("runs")).unwrap(), b"\n");
    assert_eq!(scene.forms().len(), 1);
}

#[tokio::test]
async fn a_renewed_assertion_is_used_while_a_changed_client_waits_for_its_token() {
    let scene = Scene::new().await;
    let dead = Upstream::answering(answer("503 Service Unavailable", "", "")).await;
    let stranger = token("another", true);
    scene.write("presented", &token("me", true));
    let proxy = scene.start(CLIENT_ASSERTION);
    scene.first_token(&proxy).await;
    let text = std::fs::read_to_string(scene.file("cupbearer.toml")).unwrap();
    proxy.replace(&text.replace(&scene.endpoint.url(), &dead.url()));
    scene.pass_time().await;
    // It has the same issuer, subject and audience, and another end.
    let renewed =
        jwt(&json!({ "sub": "me", "aud": "https://as.example.com", "exp": 4_000_000_000_u64 }));
    scene.write("presented", &renewed);
    scene.pass_time().await;
    scene.write("presented", &stranger);
    scene.pass_time().await;
    let sent: Vec<String> = scene
        .forms()
        .iter()
        .map(|form| form["client_assertion"].clone())
        .collect();
    assert!(sent.contains(&renewed), "{sent:?}");
    assert!(!sent.contains(&stranger), "it belongs to another client");
}

#[tokio::test]
async fn a_renewal_alone_causes_no_token_request() {
    let scene = Scene::with_lifetime(3600).await;
    scene.write("presented", &token("first", true));
    let proxy = scene.start(CLIENT_ASSERTION);
    scene.first_token(&proxy).await;
    scene.write("presented", &token("second", true));
    scene.pass_time().await;
    assert_eq!(scene.forms().len(), 1);
}

#[tokio::test]
async fn an_expired_assertion_is_not_sent_and_a_renewed_one_is_used_within_seconds() {
    let scene = Scene::new().await;
    scene.write("presented", &token("old", false));
    let proxy = scene.start(CLIENT_ASSERTION);
    scene.pass_time().await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.outcome(), (503, "token_unavailable".to_owned()));
    assert_eq!(scene.endpoint.accepted(), 0, "nothing was sent");

    let renewed = token("new", true);
    scene.write("presented", &renewed);
    scene.pass_time().await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.status, 200);
    assert_eq!(scene.forms()[0]["client_assertion"], renewed);
}

#[tokio::test]
async fn a_renewed_assertion_is_used_while_the_configuration_cannot_be_read() {
    let scene = Scene::new().await;
    scene.write("presented", &token("me", true));
    let proxy = scene.start(CLIENT_ASSERTION);
    scene.first_token(&proxy).await;
    proxy.replace("[token");
    scene.pass_time().await;
    // It has the same issuer, subject and audience, and another end.
    let renewed =
        jwt(&json!({ "sub": "me", "aud": "https://as.example.com", "exp": 4_000_000_000_u64 }));
    scene.write("presented", &renewed);
    scene.pass_time().await;
    assert!(!proxy.notes().is_empty(), "the file is rejected");
    let last = || {
        let forms = scene.forms();
        forms[forms.len() - 1]["client_assertion"].clone()
    };
    assert_eq!(last(), renewed);
    // It may be meant for the server that the file will name.
    scene.write("presented", &token("another", true));
    scene.pass_time().await;
    assert_eq!(last(), renewed);
}

#[tokio::test]
async fn an_assertion_that_is_not_there_yet_is_waited_for() {
    let scene = Scene::new().await;
    let proxy = scene.start("auth = \"none\"\ngrant = \"jwt_bearer\"\nassertion = FILE\n");
    scene.pass_time().await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.outcome(), (503, "token_unavailable".to_owned()));

    let assertion = token("me", true);
    scene.write("presented", &assertion);
    scene.pass_time().await;
    assert_eq!(scene.ask(&proxy).await.status, 200);
    let form = &scene.forms()[0];
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    assert_eq!(form["assertion"], assertion);
    assert!(!form.contains_key("client_id"), "{form:?}");
}

#[tokio::test]
async fn a_file_that_is_being_written_is_read_again() {
    let scene = Scene::new().await;
    let assertion = token("me", true);
    std::fs::write(scene.file("presented"), &assertion[..assertion.len() / 2]).unwrap();
    let proxy = scene.start("auth = \"none\"\ngrant = \"jwt_bearer\"\nassertion = FILE\n");
    scene
        .clock
        .run(tokio::time::sleep(Duration::from_millis(300)))
        .await;
    std::fs::write(scene.file("presented"), &assertion).unwrap();
    scene.clock.run(proxy.running.tokens().obtained()).await;
    assert_eq!(scene.forms()[0]["assertion"], assertion);
    let attempts = proxy.running.tokens().snapshot().attempts;
    assert_eq!((attempts.granted, attempts.unavailable), (1, 0));
}

#[tokio::test]
async fn a_token_is_exchanged_together_with_the_actors() {
    let scene = Scene::new().await;
    let (subject, actor) = (token("subject", true), token("actor", true));
    scene.write("presented", &subject);
    scene.write("actor", &actor);
    scene.write("secret", "the client's");
    let more = format!(
        "grant = \"token_exchange\"\nclient_id = \"app\"\nauth = \"client_secret_post\"\n\
         client_secret = {{ file = '{}' }}\nsubject_token = FILE\n\
         subject_token_type = \"urn:ietf:params:oauth:token-type:jwt\"\nactor_token = {{ file = '{}' }}\n\
         actor_token_type = \"urn:ietf:params:oauth:token-type:access_token\"\nparams = {{ audience = \"api\" }}\n",
        scene.file("secret").display(),
        scene.file("actor").display(),
    );
    let proxy = scene.start(&more);
    scene.first_token(&proxy).await;
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", &subject),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("actor_token", &actor),
        (
            "actor_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", "api"),
        ("client_id", "app"),
        ("client_secret", "the client's"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(scene.forms()[0], BTreeMap::from(expected));
}

#[tokio::test]
async fn the_token_that_kubernetes_gives_every_pod_is_not_sent() {
    let scene = Scene::new().await;
    let cluster = "https://kubernetes.default.svc.cluster.local";
    let claims =
        json!({ "iss": cluster, "aud": [cluster], "kubernetes.io": { "namespace": "ci" } });
    scene.write("presented", &jwt(&claims));
    let proxy = scene.start(CLIENT_ASSERTION);
    scene.pass_time().await;
    let answer = scene.ask(&proxy).await;
    assert_eq!(answer.outcome(), (502, "token_refused".to_owned()));
    assert_eq!(scene.endpoint.accepted(), 0, "nothing was sent");
}

/// The claims of a JWT, and its header.
fn decoded(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.').map(|part| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test]
async fn an_assertion_is_signed_with_the_configured_claims_and_fresh_times() {
    let scene = Scene::new().await;
    let key = cupbearer::token::generate_key(cupbearer::config::Algorithm::Es256).unwrap();
    scene.write(
        "presented",
        std::str::from_utf8(key.private.expose()).unwrap(),
    );
    let proxy = scene.start(
        "auth = \"none\"\ngrant = \"jwt_bearer\"\nprivate_key = FILE\naudience = \"https://as.example.com\"\n\
         claims = { iss = \"app\", sub = \"me\", scope = \"read\" }\n",
    );
    scene.first_token(&proxy).await;
    scene.pass_time().await;
    let forms = scene.forms();
    assert!(forms.len() > 1);
    let (_, first) = decoded(&forms[0]["assertion"]);
    let (_, second) = decoded(&forms[1]["assertion"]);
    for (name, expected) in [
        ("iss", "app"),
        ("sub", "me"),
        ("aud", "https://as.example.com"),
        ("scope", "read"),
    ] {
        assert_eq!(first[name], expected, "{name}");
    }
    assert_ne!(first["jti"], second["jti"]);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let exp = first["exp"].as_u64().unwrap();
    assert!((now..now + 180).contains(&exp), "{exp}");
}

#[tokio::test]
async fn googles_service_account_file_names_the_issuer_and_the_key() {
    let scene = Scene::new().await;
    let key = cupbearer::token::generate_key(cupbearer::config::Algorithm::Rs256).unwrap();
    let file = json!({
        "type": "service_account",
        "private_key": std::str::from_utf8(key.private.expose()).unwrap(),
        "private_key_id": "key-1",
        "client_email": "job@project.iam.gserviceaccount.com",
    });
    scene.write("presented", &file.to_string());
    let proxy = scene.start(
        "auth = \"none\"\ngrant = \"jwt_bearer\"\nprivate_key = FILE\nclaims = { scope = \"read\" }\n",
    );
    scene.first_token(&proxy).await;
    let (header, claims) = decoded(&scene.forms()[0]["assertion"]);
    assert_eq!(
        (&header["kid"], &header["alg"]),
        (&json!("key-1"), &json!("RS256"))
    );
    assert_eq!(claims["iss"], "job@project.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], scene.endpoint_url());
    assert_eq!(claims["scope"], "read");
    assert!(claims.get("sub").is_none(), "{claims}");
}
