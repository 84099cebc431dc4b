//! One check after the other, each with its number and its time, told as it begins and as it ends.

use tokio::time::Instant;

use super::finding::{Check, Finding, Outcome};

/// A check's two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
}

/// What whoever looks on is told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// This one has begun.
    Begins {
        /// Its number.
        number: usize,
        /// Its name.
        title: &'static str,
    },
    /// This one is done.
    Done(&'a Check),
}

/// All checks so far.
pub(super) struct Round<'a> {
    report: &'a mut dyn FnMut(Progress<'_>),
    checks: Vec<Check>,
}

impl<'a> Round<'a> {
    pub(super) fn new(report: &'a mut dyn FnMut(Progress<'_>)) -> Self {
        Self {
            report,
            checks: Vec::new(),
        }
    }

    /// Makes a check; passes on what later ones need of it.
    pub(super) async fn make<T>(
        &mut self,
        name: Name,
        check: impl Future<Output = (Finding, T)>,
    ) -> T {
        let number = self.checks.len() + 1;
        (self.report)(Progress::Begins {
            number,
            title: name.title,
        });
        let start = Instant::now();
        let (finding, passed_on) = check.await;
        let check = Check {
            number,
            id: name.id,
            title: name.title,
            took: start.elapsed(),
            finding,
        };
        (self.report)(Progress::Done(&check));
        self.checks.push(check);
        passed_on
    }

    /// The same for one that nothing else needs anything of.
    pub(super) async fn just(&mut self, name: Name, check: impl Future<Output = Finding>) {
        self.make(name, async { (check.await, ()) }).await;
    }

    /// One that is known at once.
    pub(super) async fn tell(&mut self, name: Name, finding: Finding) {
        self.just(name, async { finding }).await;
    }

    /// Whether the check of this name failed.
    pub(super) fn has_failed(&self, name: Name) -> bool {
        self.checks
            .iter()
            .any(|check| check.id == name.id && matches!(check.finding.outcome, Outcome::Failed(_)))
    }

    pub(super) fn end(self) -> Vec<Check> {
        self.checks
    }
}
