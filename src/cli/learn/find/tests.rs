use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::learn::{ObservedRequest as Asked, RequestOutcomes};

#[tokio::test(start_paused = true)]
async fn a_search_among_paths_that_hang_ends_once_and_not_path_by_path() {
    // The system accepts; nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = Zeroizing::new("key".to_owned());
    let at = At {
        address: silent.local_addr().unwrap(),
        key: &key,
    };
    let patterns =
        ["/**/openapi.json", "/**/swagger.json"].map(|text| PathPattern::parse(text).unwrap());
    let mut seen = ObservedRequests::default();
    let request = Asked {
        path: "/api/v1/certificates".to_owned(),
        method: "GET".to_owned(),
    };
    let outcomes = RequestOutcomes {
        accepted: 1,
        ..RequestOutcomes::default()
    };
    seen.requests.insert(request, outcomes);
    assert!(candidate_paths(&patterns, &seen).len() > 2);

    let started = Instant::now();
    let searched = anywhere(&patterns, &seen, &at).await;

    assert_eq!(searched.err(), Some(TOO_SLOW));
    // Paused time moves by whole milliseconds.
    assert!(
        started.elapsed() < LIMIT + Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
}
