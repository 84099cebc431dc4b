//! Makes the checks one after the other, and reports when each begins and ends.

use tokio::time::Instant;

use super::check_list::{CHECKS, CheckName};
use super::finding::{Check, Finding, Outcome};

/// What `examine` reports while it runs.
#[derive(Debug)]
pub enum CheckProgress<'a> {
    /// A check has begun.
    Started {
        /// Its number.
        number: usize,
        /// Its name for people.
        title: &'static str,
    },
    /// A check has ended.
    Finished(&'a Check),
}

/// The checks made so far. They are made in the order of [`CHECKS`].
pub(super) struct CheckRun<'a> {
    report: &'a mut dyn FnMut(CheckProgress<'_>),
    checks: Vec<Check>,
}

impl<'a> CheckRun<'a> {
    pub(super) fn new(report: &'a mut dyn FnMut(CheckProgress<'_>)) -> Self {
        Self {
            report,
            checks: Vec::new(),
        }
    }

    /// Makes a check, and returns what later checks need from it.
    pub(super) async fn check<T>(
        &mut self,
        name: CheckName,
        check: impl Future<Output = (Finding, T)>,
    ) -> T {
        debug_assert_eq!(CHECKS.get(self.checks.len()), Some(&name), "in order");
        let number = self.checks.len() + 1;
        (self.report)(CheckProgress::Started {
            number,
            title: name.title,
        });
        let start = Instant::now();
        let (finding, result) = check.await;
        let check = Check {
            number,
            id: name.id,
            title: name.title,
            took: start.elapsed(),
            finding,
        };
        (self.report)(CheckProgress::Finished(&check));
        self.checks.push(check);
        result
    }

    /// Makes a check from which later checks need nothing.
    pub(super) async fn check_only(
        &mut self,
        name: CheckName,
        check: impl Future<Output = Finding>,
    ) {
        self.check(name, async { (check.await, ()) }).await;
    }

    /// Records the result of a check that takes no time.
    pub(super) async fn record(&mut self, name: CheckName, finding: Finding) {
        self.check(name, async { (finding, ()) }).await;
    }

    /// Skips every check that has not been made yet, up to and including `last`.
    pub(super) async fn skip_through(&mut self, last: CheckName, reason: &str) {
        let end = CHECKS.iter().position(|name| *name == last);
        let end = end.map_or(0, |position| position + 1);
        while let Some(name) = CHECKS[..end].get(self.checks.len()) {
            self.record(*name, Finding::skipped(reason)).await;
        }
    }

    pub(super) fn has_failed(&self, name: CheckName) -> bool {
        self.checks
            .iter()
            .any(|check| check.id == name.id && matches!(check.finding.outcome, Outcome::Failed(_)))
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}
