use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::*;

fn exchange<'a>(
    caller: Option<&'a str>,
    path: &'a str,
    status: u16,
    reason: Option<&'static str>,
) -> Exchange<'a> {
    Exchange {
        method: &Method::GET,
        path,
        status: Some(status),
        reason,
        caller,
        request_id: "i",
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
    }
}

#[test]
fn only_the_watched_caller_is_kept_and_others_are_counted_by_what_turned_them_away() {
    let recorder = Recorder::new("ci");
    let watcher = recorder.watcher();
    watcher(&exchange(Some("ci"), "/a", 200, None));
    watcher(&exchange(Some("ci"), "/a", 404, None));
    watcher(&exchange(Some("ci"), "/b", 403, Some("rule_refused")));
    watcher(&exchange(Some("ci"), "/c", 503, Some("token_unavailable")));
    watcher(&exchange(Some("(learn)"), "/openapi.json", 200, None));
    watcher(&exchange(None, "/a", 401, Some("caller_unknown")));
    watcher(&exchange(None, "/preflight", 204, None));

    let seen = recorder.seen();
    let told: Vec<_> = seen
        .requests
        .iter()
        .map(|(request, times)| (&*request.path, times.passed, times.refused))
        .collect();
    assert_eq!(told, [("/a", 2, 0), ("/b", 0, 1), ("/c", 1, 0)]);
    assert_eq!(seen.passed(), 3);
    assert_eq!(seen.admitted().count(), 2);
    assert_eq!(seen.turned_away, BTreeMap::from([("caller_unknown", 1)]));
}

#[test]
fn memory_is_bounded_by_the_number_of_different_requests() {
    let recorder = Recorder::new("ci");
    let watcher = recorder.watcher();
    for number in 0..=KEPT {
        let path = format!("/{number}");
        watcher(&exchange(Some("ci"), &path, 200, None));
    }
    watcher(&exchange(Some("ci"), "/0", 200, None));
    let seen = recorder.seen();
    assert_eq!((seen.requests.len(), seen.dropped), (KEPT, 1));
}
