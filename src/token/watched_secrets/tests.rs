use std::sync::Mutex;

use super::*;
use crate::credentials::Secret;

/// Reads whatever is set; `None` cannot be read.
fn watched() -> (WatchedSecrets, Arc<Mutex<Option<&'static str>>>) {
    let held = Arc::new(Mutex::new(Some("first")));
    let read = Arc::clone(&held);
    let read: ReadSecrets = Arc::new(move |_| {
        let held = *read.lock().unwrap();
        Box::pin(async move {
            let secret = held.ok_or_else(|| UnreadableSecret {
                what: "token.client_secret",
                is_renewed: false,
                cause: "no such file".into(),
            })?;
            Ok(RequestSecrets::of_client(Secret::new(secret)))
        })
    });
    (WatchedSecrets::new(read, Some(Instant::now())), held)
}

#[tokio::test]
async fn the_first_reading_is_no_change_and_every_later_one_may_be() {
    let (mut secrets, held) = watched();
    assert_eq!(secrets.poll().await, None);
    assert_eq!(secrets.poll().await, None);
    *held.lock().unwrap() = Some("second");
    assert_eq!(secrets.poll().await, Some(SecretChange::Replaced));
}

#[tokio::test]
async fn the_first_reading_is_a_change_if_an_attempt_has_waited_for_it() {
    let (mut secrets, held) = watched();
    *held.lock().unwrap() = None;
    assert!(secrets.prepare().await.is_err());
    assert_eq!(secrets.poll().await, None);
    *held.lock().unwrap() = Some("there");
    assert_eq!(secrets.poll().await, Some(SecretChange::Replaced));
}
