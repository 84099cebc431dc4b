use std::sync::Mutex;

use super::*;

#[test]
fn overlapping_reloads_are_reported_as_one() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let report: Arc<dyn Fn(ReloadProgress) + Send + Sync> = {
        let reported = Arc::clone(&reported);
        Arc::new(move |now| reported.lock().unwrap().push(now))
    };
    let in_progress = Arc::default();
    let (first, second) = (
        merge_overlapping(&report, &in_progress),
        merge_overlapping(&report, &in_progress),
    );
    first(ReloadProgress::Reloading);
    second(ReloadProgress::Reloading);
    first(ReloadProgress::Ready);
    second(ReloadProgress::Ready);
    first(ReloadProgress::Reloading);
    let reported = reported.lock().unwrap();
    assert_eq!(
        *reported,
        [
            ReloadProgress::Reloading,
            ReloadProgress::Ready,
            ReloadProgress::Reloading
        ]
    );
}
