//! What a renewal does to a store that other processes use too.

use std::path::Path;
use std::sync::Arc;

use super::endpoint::{Act, ScriptedEndpoint, answer, client, config};
use super::scene::client_secret;
use crate::config::{ClientAuth, GrantType, LoginConfig, LoginStore};
use crate::credentials::Secret;
use crate::token::grant::Grant;
use crate::token::login_session::LoginSession;
use crate::token::person_login::PersonLogin;
use crate::token::session_store::SessionStore;
use crate::token::stored_session::{StoredPerson, StoredSession};

fn session(token: &str) -> StoredSession {
    StoredSession {
        refresh_token: Secret::new(token),
        person: StoredPerson::default(),
    }
}

fn store_in(directory: &Path) -> SessionStore {
    store_at(&directory.join("login.json"))
}

fn store_at(file: &Path) -> SessionStore {
    SessionStore::new(&LoginStore::File(file.to_owned()), "bound to")
}

/// A process that is signed in with the refresh token `ada-1`, and whose server issues `ada-2`.
async fn signed_in(
    directory: &Path,
    act: impl Fn(&str) + Send + 'static,
) -> (PersonLogin, ScriptedEndpoint) {
    let respond = move |request: &str| {
        act(request);
        answer("200 OK", "application/json", GRANTED)
    };
    process(directory, respond).await
}

const GRANTED: &str =
    r#"{"access_token":"eyJ.a.b","token_type":"Bearer","expires_in":300,"refresh_token":"ada-2"}"#;

/// A process whose server responds like this.
async fn process(
    directory: &Path,
    respond: impl Fn(&str) -> Act + Send + 'static,
) -> (PersonLogin, ScriptedEndpoint) {
    let endpoint = ScriptedEndpoint::of_requests(move |_, request| respond(request)).await;
    let login = LoginConfig {
        is_device_only: false,
        device_url: None,
        store: LoginStore::Memory,
        redirect_url: "http://127.0.0.1:6753/callback".parse().unwrap(),
        authorization_url: None,
        revocation_url: Some(endpoint.url.clone()),
        issuer: None,
        api: None,
    };
    let mut config = config(endpoint.url.clone(), ClientAuth::Basic);
    config.grant = GrantType::AuthorizationCode(Box::new(login.clone()));
    let person = PersonLogin {
        grant: Arc::new(Grant::new(config, client())),
        config: Arc::new(login),
        read_secrets: Arc::new(|_| Box::pin(async { Ok(client_secret(Secret::new("s"))) })),
        session: Arc::new(LoginSession::default()),
        store: Arc::new(store_in(directory)),
    };
    (person, endpoint)
}

/// Puts `token` into the store of another process.
async fn write(store: &SessionStore, token: &str) {
    let mut lock = store.lock().await.unwrap();
    store.write(&mut lock, &session(token)).await.unwrap();
}

/// The process after a reload that has changed `token.store` to this one.
fn with_store(person: &PersonLogin, store: SessionStore) -> PersonLogin {
    PersonLogin {
        store: Arc::new(store),
        ..person.clone()
    }
}

async fn renew(person: &PersonLogin) {
    let secrets = client_secret(Secret::new("s"));
    person.renew(&secrets).await.map(drop).unwrap();
}

async fn in_store(directory: &Path) -> Option<String> {
    let found = store_in(directory).read().await.unwrap()?;
    Some(String::from_utf8(found.refresh_token.expose().to_vec()).unwrap())
}

fn in_memory(person: &PersonLogin) -> Option<String> {
    let (_, session) = person.session.current()?;
    Some(String::from_utf8(session.refresh_token.expose().to_vec()).unwrap())
}

#[tokio::test]
async fn what_could_not_be_written_here_does_not_replace_what_another_process_has_written() {
    let directory = tempfile::tempdir().unwrap();
    let (person, endpoint) = signed_in(directory.path(), |_| ()).await;
    person.session.begin(Some(session("ada-1")), None, || ());
    let other = store_in(directory.path());
    let mut lock = other.lock().await.unwrap();
    other.write(&mut lock, &session("otto-1")).await.unwrap();
    drop(lock);
    renew(&person).await;
    assert!(endpoint.requests.lock().unwrap()[0].contains("refresh_token=ada-1"));
    assert_eq!(in_store(directory.path()).await.unwrap(), "otto-1");
    assert_eq!(in_memory(&person).unwrap(), "ada-2");
}

#[tokio::test]
async fn what_another_process_has_removed_during_a_renewal_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("login.json");
    let removed = file.clone();
    let act = move |request: &str| {
        if request.contains("grant_type=refresh_token") {
            std::fs::remove_file(&removed).unwrap();
        }
    };
    let (person, endpoint) = signed_in(directory.path(), act).await;
    let mut lock = person.store.lock().await.unwrap();
    let stored = person.store.write(&mut lock, &session("ada-1")).await;
    stored.unwrap();
    drop(lock);
    assert!(person.look().await.unwrap());
    renew(&person).await;
    assert!(in_memory(&person).is_none() && !file.exists());
    let is_revoked = |endpoint: &ScriptedEndpoint| {
        let requests = endpoint.requests.lock().unwrap();
        requests
            .iter()
            .any(|one| one.contains("token=ada-2&token_type_hint"))
    };
    while !is_revoked(&endpoint) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_a_rejection_the_store_is_read_again_and_a_temporary_failure_discards_nothing() {
    let rejected = ("400 Bad Request", r#"{"error":"invalid_grant"}"#);
    let newer = tempfile::tempdir().unwrap();
    write(&store_in(newer.path()), "ada-9").await;
    for (first, is_rotated_elsewhere, sent, stored) in [
        (rejected, true, vec!["ada-1", "ada-9"], Some("ada-2")),
        (rejected, false, vec!["ada-1"], None),
        (
            ("503 Service Unavailable", "{}"),
            false,
            vec!["ada-1"],
            Some("ada-1"),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (
            newer.path().join("login.json"),
            directory.path().join("login.json"),
        );
        let respond = move |request: &str| {
            if !request.contains("refresh_token=ada-1") {
                return answer("200 OK", "application/json", GRANTED);
            }
            if is_rotated_elsewhere {
                std::fs::copy(&from, &to).unwrap();
            }
            answer(first.0, "application/json", first.1)
        };
        let (person, endpoint) = process(directory.path(), respond).await;
        write(&person.store, "ada-1").await;
        assert!(person.look().await.unwrap());
        let renewed = person.renew(&client_secret(Secret::new("s"))).await;
        assert_eq!(renewed.is_ok(), is_rotated_elsewhere);
        assert_eq!(in_store(directory.path()).await.as_deref(), stored);
        assert_eq!(in_memory(&person).as_deref(), stored);
        let requests = endpoint.requests.lock().unwrap();
        assert_eq!(requests.len(), sent.len());
        for (request, token) in requests.iter().zip(sent) {
            assert!(
                request.contains(&format!("refresh_token={token}")),
                "{request}"
            );
        }
    }
}

#[tokio::test]
async fn a_store_that_holds_another_session_keeps_it_when_a_reload_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let (person, _endpoint) = signed_in(directory.path(), |_| ()).await;
    write(&person.store, "ada-1").await;
    assert!(person.look().await.unwrap());
    let of_otto = directory.path().join("otto.json");
    write(&store_at(&of_otto), "otto-1").await;
    let person = with_store(&person, store_at(&of_otto));
    person.move_session().await;
    renew(&person).await;
    let found = store_at(&of_otto).read().await.unwrap().unwrap();
    assert_eq!(found.refresh_token.expose(), b"otto-1");
    assert_eq!(in_memory(&person).unwrap(), "ada-2");
}

#[tokio::test]
async fn a_changed_store_takes_effect_even_if_the_refresh_token_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (person, _endpoint) = signed_in(directory.path(), |_| ()).await;
    write(&person.store, "ada-1").await;
    assert!(person.look().await.unwrap());
    let file = directory.path().join("next.json");
    let person = with_store(&person, store_at(&file));
    assert!(person.has_moved());
    person.move_session().await;
    let found = store_at(&file).read().await.unwrap().unwrap();
    assert_eq!(found.refresh_token.expose(), b"ada-1");
    assert!(in_store(directory.path()).await.is_none());
    let memory = SessionStore::new(&LoginStore::Memory, "bound to");
    let person = with_store(&person, memory);
    person.move_session().await;
    assert!(store_at(&file).read().await.unwrap().is_none());
    assert!(!person.has_moved());
    assert_eq!(in_memory(&person).unwrap(), "ada-1");
    let person = with_store(&person, store_in(directory.path()));
    person.move_session().await;
    assert_eq!(in_store(directory.path()).await.unwrap(), "ada-1");
}

#[tokio::test]
async fn another_spelling_of_the_file_is_the_same_store() {
    let directory = tempfile::tempdir().unwrap();
    let (person, _endpoint) = signed_in(directory.path(), |_| ()).await;
    write(&person.store, "ada-1").await;
    assert!(person.look().await.unwrap());
    let spelled = directory.path().join("x/../login.json");
    std::fs::create_dir(directory.path().join("x")).unwrap();
    let person = with_store(&person, store_at(&spelled));
    assert!(!person.has_moved());
    renew(&person).await;
    assert_eq!(in_store(directory.path()).await.unwrap(), "ada-2");
}
