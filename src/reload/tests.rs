use std::sync::Mutex;

use super::*;

#[test]
fn looks_that_overlap_are_told_as_one() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell: Arc<dyn Fn(Progress) + Send + Sync> = {
        let told = Arc::clone(&told);
        Arc::new(move |now| told.lock().unwrap().push(now))
    };
    let under_way = Arc::default();
    let (first, second) = (counted(&tell, &under_way), counted(&tell, &under_way));
    first(Progress::Reloading);
    second(Progress::Reloading);
    first(Progress::Ready);
    second(Progress::Ready);
    first(Progress::Reloading);
    let told = told.lock().unwrap();
    assert_eq!(
        *told,
        [Progress::Reloading, Progress::Ready, Progress::Reloading]
    );
}
