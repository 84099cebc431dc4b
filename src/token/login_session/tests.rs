use super::super::stored_session::StoredPerson;
use super::*;
use crate::config::LoginStore;

fn session(token: &str) -> StoredSession {
    StoredSession {
        refresh_token: Secret::new(token),
        person: StoredPerson::default(),
    }
}

#[test]
fn whoever_has_signed_out_is_not_signed_in_again_from_a_store_that_could_not_be_emptied() {
    let store = Arc::new(SessionStore::new(&LoginStore::Memory, "a"));
    let known = LoginSession::default();
    known.begin(Some(session("one")), None, || ());
    known.begin(None, None, || ());
    let look = || known.follow(known.number(), &store, Some(session("one")));
    assert_eq!(look(), SessionSource::Memory);
    assert!(known.current().is_none() && !known.can_renew());
    known.trust_store();
    assert_eq!(look(), SessionSource::Store, "another process has begun it");
    known.begin(None, None, || ());
    known.begin(Some(session("two")), None, || ());
    known.expire(known.number());
    assert_eq!(look(), SessionSource::Memory, "it could not be replaced");
    known.begin(Some(session("three")), None, || ());
    known.trust_store();
    known.expire(known.number());
    assert_eq!(look(), SessionSource::Store);
}
