use super::super::stored_session::StoredPerson;
use super::*;

fn session(token: &str) -> StoredSession {
    StoredSession {
        refresh_token: Secret::new(token),
        person: StoredPerson {
            who: Some("Ada".to_owned()),
            subject: Some("https://as.example.com 42".to_owned()),
            in_access_token: None,
        },
    }
}

fn in_file(directory: &Path, binding: &str) -> SessionStore {
    let path = directory.join("login.json");
    SessionStore::new(&LoginStore::File(path), binding)
}

fn token(found: Option<StoredSession>) -> Option<Vec<u8>> {
    found.map(|found| found.refresh_token.expose().to_vec())
}

#[tokio::test]
async fn each_client_finds_its_own_session_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (
        in_file(directory.path(), "a"),
        in_file(directory.path(), "b"),
    );
    let mut lock = ours.lock().await.unwrap();
    ours.prepare(&mut lock).await.unwrap();
    ours.write(&mut lock, &session("one")).await.unwrap();
    assert!(other.read().await.unwrap().is_none());
    drop(lock);
    let mut lock = other.lock().await.unwrap();
    other.write(&mut lock, &session("two")).await.unwrap();
    ours.remove(&mut lock).await.unwrap();
    assert!(ours.read().await.unwrap().is_none());
    let found = in_file(directory.path(), "b").read().await.unwrap();
    assert_eq!(found.as_ref().unwrap().person.who.as_deref(), Some("Ada"));
    assert_eq!(token(found).unwrap(), b"two");
}

#[tokio::test]
async fn what_is_corrupt_is_an_error_that_quotes_nothing_and_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = in_file(directory.path(), "a");
    let mut lock = store.lock().await.unwrap();
    store.write(&mut lock, &session("the-token")).await.unwrap();
    let path = directory.path().join("login.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for defect in [
        &text[..text.len() - 9],
        &text.replace("\"version\":1", "\"version\":2"),
        "client_secret",
    ] {
        std::fs::write(&path, defect).unwrap();
        let error = store.read().await.err().unwrap();
        assert!(matches!(error, StoreError::Corrupt { .. }));
        let said = error.chain();
        assert!(
            said.contains("login.json") && said.contains("sign in again"),
            "{said}"
        );
        assert!(!said.contains("the-token"), "{said}");
        assert!(store.write(&mut lock, &session("next")).await.is_err());
        assert!(store.remove(&mut lock).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), defect);
    }
    std::fs::write(&path, "").unwrap();
    store.write(&mut lock, &session("next")).await.unwrap();
    assert_eq!(token(store.read().await.unwrap()).unwrap(), b"next");
}

#[tokio::test]
async fn a_session_that_the_file_has_no_room_for_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = in_file(directory.path(), "a");
    let mut lock = store.lock().await.unwrap();
    store.write(&mut lock, &session("one")).await.unwrap();
    let long = session(&"x".repeat(270_000));
    let error = store.write(&mut lock, &long).await.err().unwrap();
    assert!(
        error.chain().contains("is longer than"),
        "{}",
        error.chain()
    );
    assert_eq!(token(store.read().await.unwrap()).unwrap(), b"one");
}

#[tokio::test]
async fn memory_keeps_nothing_for_another_process() {
    let store = SessionStore::new(&LoginStore::Memory, "a");
    let mut lock = store.lock().await.unwrap();
    store.write(&mut lock, &session("one")).await.unwrap();
    assert!(store.read().await.unwrap().is_none());
    assert!(!store.is_durable() && store.look_interval().is_none());
}
