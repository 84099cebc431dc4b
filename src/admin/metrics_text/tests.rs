use super::*;

#[tokio::test(start_paused = true)]
async fn a_flood_of_requests_builds_the_text_twenty_times_a_second() {
    let text = MetricsText::default();
    let mut builds = 0;
    let mut get = || {
        text.get(|| {
            builds += 1;
            builds.to_string()
        })
    };
    for request in 1..=20 {
        assert_eq!(
            get(),
            request.to_string(),
            "a single reader gets current values"
        );
    }
    for _ in 0..1000 {
        assert_eq!(get(), "20");
    }
    tokio::time::advance(PERIOD).await;
    assert_eq!(get(), "21");
}
