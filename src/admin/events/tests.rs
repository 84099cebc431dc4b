use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::metrics::{FinishedRequest, RequestDetails};

fn finish(metrics: &Metrics, path: &str) {
    metrics.request_finished(&FinishedRequest {
        method: &Method::GET,
        path,
        status: Some(200),
        reason: None,
        caller: None,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
        details: RequestDetails::default(),
    });
}

fn stream(
    metrics: &Arc<Metrics>,
    places: &ViewerPlaces,
    is_admitted: &Arc<AtomicBool>,
) -> EventStream {
    let is_admitted = Arc::clone(is_admitted);
    let status = move || is_admitted.load(Ordering::Relaxed).then(|| "{}".to_owned());
    EventStream::new(
        std::iter::once(("one".to_owned(), Arc::clone(metrics))),
        Box::new(status),
        places.take().unwrap(),
    )
}

/// The data of the events with this name in the next texts of the stream, until there is one.
async fn next(stream: &mut EventStream, name: &str) -> Vec<Value> {
    loop {
        let text = poll_fn(|cx| stream.poll_next(cx)).await.unwrap();
        let found: Vec<Value> = text
            .split_terminator("\n\n")
            .filter_map(|event| event.strip_prefix("event: ")?.split_once("\ndata: "))
            .filter(|(event, _)| *event == name)
            .map(|(_, data)| serde_json::from_str(data).unwrap())
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_gets_what_is_known_and_then_what_is_new() {
    let metrics = Metrics::new(None);
    let admitted = Arc::new(AtomicBool::new(true));
    finish(&metrics, "/before\"\n");
    metrics.take_sample();
    let mut stream = stream(&metrics, &ViewerPlaces::default(), &admitted);

    let first = next(&mut stream, "requests").await;
    assert_eq!(first[0]["requests"][0]["path"], "/before\"%0A");
    assert_eq!(first[0]["requests"][0]["number"], 1);
    finish(&metrics, "/after");
    metrics.take_sample();
    let later = next(&mut stream, "requests").await;
    assert_eq!(later[0]["requests"].as_array().unwrap().len(), 1);
    assert_eq!(later[0]["requests"][0]["path"], "/after");
    assert_eq!(later[0]["omitted"], 0);
    metrics.take_sample();
    let samples = next(&mut stream, "samples").await;
    assert_eq!(
        samples[0]["samples"][0]["c"],
        serde_json::json!([0, 0, 0, 0, 0, 0])
    );
    assert_eq!(next(&mut stream, "status").await[0], serde_json::json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_reads_slowly_learns_how_many_requests_it_has_missed() {
    let metrics = Metrics::new(None);
    let admitted = Arc::new(AtomicBool::new(true));
    let mut stream = stream(&metrics, &ViewerPlaces::default(), &admitted);
    let _ = next(&mut stream, "status").await;
    for number in 0..1000 {
        finish(&metrics, &format!("/{number}"));
    }
    let requests = next(&mut stream, "requests").await;
    let sent = requests[0]["requests"].as_array().unwrap();
    assert_eq!(sent.len(), REQUESTS_PER_TICK);
    assert_eq!(sent.last().unwrap()["path"], "/999");
    assert_eq!(requests[0]["omitted"], 1000 - REQUESTS_PER_TICK);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_its_viewer_leaves_and_the_stream_ends_when_the_guard_says_so() {
    let metrics = Metrics::new(None);
    let admitted = Arc::new(AtomicBool::new(true));
    let places = ViewerPlaces::default();
    let mut streams: Vec<_> = (0..VIEWERS)
        .map(|_| stream(&metrics, &places, &admitted))
        .collect();
    assert!(places.take().is_none());
    drop(streams.pop());
    assert!(places.take().is_some());

    let mut last = streams.pop().unwrap();
    let _ = next(&mut last, "status").await;
    admitted.store(false, Ordering::Relaxed);
    assert_eq!(poll_fn(|cx| last.poll_next(cx)).await, None);
}
