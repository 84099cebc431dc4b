//! Claims about memory: who shares it, who waits for it, and when it is released.

use http::uri::{Authority, Scheme};
use tokio::task::JoinSet;

use super::*;
use crate::guard::OwnScheme;

const LIMIT: usize = 1000;
const SOURCE: &str = r#"{"openapi":"3.1.0","servers":[{"url":"https://api.example.com"}]}"#;
const OTHER_API: &str = r#"{"openapi":"3.1.0","servers":[{"url":"https://other.example.com"}]}"#;

async fn read(store: Arc<DocumentStore>, source: &str, client: &str) -> Arc<StoredDocument> {
    let reservation = store.reserve(source.len(), LIMIT).await.unwrap();
    let source = Arc::new(StoredDocument::source(source.into(), reservation));
    let upstream = config::Origin {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("api.example.com"),
    };
    let client = ClientAddress {
        scheme: OwnScheme::Http,
        authority: client.to_owned(),
    };
    store
        .document(source, client, &upstream, &DocumentChanges::NONE)
        .await
}

fn used(store: &DocumentStore) -> usize {
    store.memory.used.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_hundred_readers_hold_one_copy_whether_it_was_rewritten_or_not() {
    for (source, is_rewritten) in [(SOURCE, true), (OTHER_API, false)] {
        let store = DocumentStore::new(None);
        let mut reading = JoinSet::new();
        for _ in 0..100 {
            reading.spawn(read(Arc::clone(&store), source, "localhost"));
        }
        let readers = reading.join_all().await;
        let first = &readers[0];
        assert!(readers.iter().all(|other| Arc::ptr_eq(first, other)));
        assert_eq!(first.is_rewritten, is_rewritten);
        assert_eq!(used(&store), first.bytes.len());
    }
}

#[tokio::test]
async fn clients_that_use_other_addresses_get_documents_of_their_own() {
    let store = DocumentStore::new(None);
    let one = read(Arc::clone(&store), SOURCE, "localhost:1").await;
    let other = read(Arc::clone(&store), SOURCE, "localhost:22").await;
    assert_eq!(one.bytes.len() + 1, other.bytes.len());
    assert_eq!(used(&store), one.bytes.len() + other.bytes.len());
}

#[tokio::test]
async fn what_nobody_reads_makes_room_and_what_somebody_reads_stays() {
    let store = DocumentStore::new(None);
    let content = read(Arc::clone(&store), SOURCE, "localhost")
        .await
        .content();
    read(Arc::clone(&store), OTHER_API, "localhost").await;
    let left = LIMIT - content.len();

    let rest = store.reserve(left, LIMIT).await.unwrap();

    assert_eq!(used(&store), LIMIT);
    drop(rest);
    let again = read(Arc::clone(&store), SOURCE, "localhost").await;
    assert_eq!(again.bytes.as_ptr(), content.as_ptr(), "the same copy");
}

#[tokio::test]
async fn at_most_16_documents_stay_that_nobody_reads() {
    let store = DocumentStore::new(None);
    for port in 0..50 {
        read(Arc::clone(&store), "{}", &format!("localhost:{port}")).await;
    }
    assert_eq!(store.documents().len(), KEPT);
    assert_eq!(used(&store), KEPT * 2);
}

#[tokio::test(start_paused = true)]
async fn a_document_waits_for_memory_2_s_at_most() {
    let store = DocumentStore::new(None);
    let start = Instant::now();
    assert!(store.reserve(LIMIT + 1, LIMIT).await.is_none());
    assert_eq!(start.elapsed(), Duration::ZERO, "it will never fit");

    let all = store.reserve(LIMIT, LIMIT).await.unwrap();
    assert!(store.reserve(1, LIMIT).await.is_none());
    let waited = start.elapsed();
    assert!(
        waited >= MEMORY_WAIT && waited < MEMORY_WAIT + Duration::from_millis(5),
        "{waited:?}"
    );

    let (reserved, ()) = tokio::join!(store.reserve(1, LIMIT), async {
        tokio::time::sleep(MEMORY_WAIT / 2).await;
        drop(all);
    });
    assert!(reserved.is_some());
    drop(reserved);
    assert_eq!(used(&store), 0);
}

/// The paused clock stands still while a document is rewritten, so the timeout expires only if none is.
#[tokio::test(start_paused = true)]
async fn one_document_is_rewritten_at_a_time() {
    let store = DocumentStore::new(None);
    let turn = Arc::clone(&store.turn).lock_owned().await;
    let mut reading = tokio::spawn(read(Arc::clone(&store), SOURCE, "localhost"));
    let waited = timeout(Duration::from_secs(1), &mut reading).await;
    assert!(waited.is_err(), "two are rewritten at the same time");
    assert!(store.documents().is_empty());
    drop(turn);
    assert!(reading.await.unwrap().is_rewritten);
}

/// Another thread holds what the rewriting needs, until this one has done something else or has waited for it in vain.
#[tokio::test]
async fn the_thread_that_serves_requests_does_not_wait_for_the_rewriting() {
    let store = DocumentStore::new(None);
    let (is_held, held) = std::sync::mpsc::channel();
    let (continues, other_work) = std::sync::mpsc::channel::<()>();
    let holding = Arc::clone(&store);
    let holder = std::thread::spawn(move || {
        let documents = holding.documents();
        is_held.send(()).unwrap();
        let was_done = other_work.recv_timeout(Duration::from_secs(10)).is_ok();
        drop(documents);
        was_done
    });
    held.recv().unwrap();
    let reading = tokio::spawn(read(Arc::clone(&store), SOURCE, "localhost"));
    while used(&store) == 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    let _ = continues.send(());
    assert!(reading.await.unwrap().is_rewritten);
    assert!(holder.join().unwrap(), "the thread was blocked");
}

#[tokio::test(start_paused = true)]
async fn documents_that_pass_unchanged_are_logged_once_a_minute() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Mutex::new(log.reopen().unwrap()))
        .finish();
    // With a single subscriber, tracing asks only the current thread whether an event is enabled.
    let _second = tracing::Dispatch::new(
        tracing_subscriber::fmt()
            .with_writer(std::io::sink)
            .finish(),
    );
    let _logging = tracing::subscriber::set_default(subscriber);
    let store = DocumentStore::new(Some("inventory"));
    let logged = || std::fs::read_to_string(log.path()).unwrap();
    for _ in 0..100 {
        assert!(store.reserve(LIMIT + 1, LIMIT).await.is_none());
    }
    assert_eq!(logged().lines().count(), 1, "{}", logged());
    assert!(logged().contains("upstream.openapi_memory"), "{}", logged());
    assert!(logged().contains("proxy=\"inventory\""), "{}", logged());
    tokio::time::advance(WARNING_INTERVAL).await;
    assert!(store.reserve(LIMIT + 1, LIMIT).await.is_none());
    assert_eq!(logged().lines().count(), 2, "{}", logged());
}
