//! The doctor's checks for the live page: one run at a time, each check as it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// Starts the checks. Each text that it sends is one line of JSON; the place is dropped when the last check has ended.
pub type StartExamination = Box<dyn Fn(ExaminationPlace) -> mpsc::Receiver<String> + Send + Sync>;

/// Whether the checks run at the moment.
#[derive(Default)]
pub(super) struct Examinations(Arc<AtomicBool>);

/// Held while the checks run, whether anyone reads what they find or not.
pub struct ExaminationPlace(Arc<AtomicBool>);

impl Examinations {
    /// `None` if the checks run already.
    pub(super) fn begin(&self) -> Option<ExaminationPlace> {
        let is_free = !self.0.swap(true, Ordering::AcqRel);
        is_free.then(|| ExaminationPlace(Arc::clone(&self.0)))
    }
}

impl Drop for ExaminationPlace {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The body of the response: the lines of the checks.
pub struct ExaminationLines(pub(super) mpsc::Receiver<String>);

impl ExaminationLines {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        self.0.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::Examinations;

    #[test]
    fn the_checks_run_once_at_a_time() {
        let examinations = Examinations::default();
        let first = examinations.begin();
        assert!(first.is_some());
        assert!(examinations.begin().is_none());
        drop(first);
        assert!(examinations.begin().is_some());
    }
}
