use super::*;

#[test]
fn a_sample_has_what_was_added_since_the_one_before_and_old_ones_are_forgotten() {
    let history = History::default();
    for requests in 1..=KEPT as u64 + 2 {
        history.add(TrafficTotals {
            by_class: [0, 0, requests * 10, 0, 0, requests],
            by_time: vec![requests, 0],
            bytes_in: requests * 3,
            ..TrafficTotals::default()
        });
    }
    let all = history.newer_than(0);
    assert_eq!((all.samples.len(), all.taken), (KEPT, KEPT as u64 + 2));
    assert_eq!(all.samples[0].added.by_class, [0, 0, 10, 0, 0, 1]);
    assert_eq!(all.samples[0].added.by_time, [1, 0]);
    assert_eq!(all.samples[0].added.bytes_in, 3);
    assert_eq!(history.newer_than(all.taken - 1).samples.len(), 1);
    assert_eq!(history.newer_than(all.taken).samples.len(), 0);
}
