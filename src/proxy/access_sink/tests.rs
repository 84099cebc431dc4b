use super::*;

fn admitted(rejections: &RejectionLines, reason: Reason, requests: usize) -> usize {
    (0..requests).filter(|_| rejections.admit(reason)).count()
}

#[test]
fn each_reason_has_its_own_lines_and_the_rest_is_counted() {
    let rejections = AccessSink::new(Metrics::new(None)).rejections;
    assert_eq!(admitted(&rejections, Reason::UserRefused, 1_000_000), 10);
    assert_eq!(admitted(&rejections, Reason::BadRequest, 10), 10);
    assert_eq!(admitted(&rejections, Reason::Internal, 3), 3);
    let omitted: Vec<_> = rejections.next_period().collect();
    assert_eq!(omitted, [(Reason::UserRefused, 999_990)]);

    assert_eq!(admitted(&rejections, Reason::UserRefused, 11), 10);
    let omitted: Vec<_> = rejections.next_period().collect();
    assert_eq!(omitted, [(Reason::UserRefused, 1)]);
    assert_eq!(rejections.next_period().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_minute_later_the_next_requests_get_lines() {
    let sink = Arc::new(AccessSink::new(Metrics::new(None)));
    let reporting = Arc::clone(&sink);
    tokio::spawn(async move { reporting.report_omitted().await });
    for _ in 0..3 {
        assert_eq!(admitted(&sink.rejections, Reason::HostRefused, 100), 10);
        tokio::time::sleep(PERIOD / 2).await;
        assert_eq!(admitted(&sink.rejections, Reason::HostRefused, 100), 0);
        tokio::time::sleep(PERIOD / 2 + Duration::from_secs(1)).await;
    }
}
