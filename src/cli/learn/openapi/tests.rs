use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::learn::{ObservedRequest, RequestOutcomes};

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_search_holds_for_all_paths_together() {
    // The system accepts the connection, but nothing responds.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = Zeroizing::new("key".to_owned());
    let client = ProxyClient {
        address: silent.local_addr().unwrap(),
        key: &key,
    };
    let patterns =
        ["/**/openapi.json", "/**/swagger.json"].map(|text| PathPattern::parse(text).unwrap());
    let mut seen = ObservedRequests::default();
    let request = ObservedRequest {
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
    let result = search(&patterns, &seen, &client).await;

    assert_eq!(result.err(), Some(SEARCH_TIMED_OUT));
    // Paused time advances in whole milliseconds.
    assert!(
        started.elapsed() < TIME_LIMIT + Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
}
