use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::learn::{ObservedRequest, RequestOutcomes};

/// A name that may be that of a file or of a path is not searched for JSON before it has been found.
#[tokio::test]
async fn a_document_that_does_not_exist_is_not_called_malformed() {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = Zeroizing::new("key".to_owned());
    let client = ProxyClient {
        address: api.local_addr().unwrap(),
        key: &key,
    };
    let responding = tokio::spawn(async move {
        let (mut stream, _) = api.accept().await.unwrap();
        let read = stream.read(&mut [0; 4096]).await.unwrap();
        let response = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(response.as_bytes()).await.unwrap();
        read
    });

    let file = named("none.json", &client).await.err().unwrap();
    let path = named("/none.json", &client).await.err().unwrap();

    assert_eq!(
        file,
        "--openapi: none.json is neither a file nor a path of the API, which begins with a slash"
    );
    assert_eq!(
        path,
        "--openapi: there is no file /none.json, and as a path of the API it is answered with 404 Not Found"
    );
    assert!(responding.await.unwrap() > 0);
}

#[tokio::test]
async fn what_exists_but_is_no_file_is_called_what_it_is() {
    let key = Zeroizing::new("key".to_owned());
    let client = ProxyClient {
        address: ([127, 0, 0, 1], 1).into(), // not asked
        key: &key,
    };
    let directory = named("src", &client).await.err().unwrap();
    assert_eq!(directory, "--openapi: src is a directory: name a file");
    if cfg!(target_os = "linux") {
        let device = named("../../../../../../../../dev/null", &client).await;
        let device = device.err().unwrap();
        assert!(
            device.contains("/dev/null is not a regular file: name a file"),
            "{device}"
        );
    }
}

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
