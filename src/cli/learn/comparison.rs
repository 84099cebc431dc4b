//! Shows how the requests of a run differ from existing rules.

use crate::learn::{Comparison, ObservedRequest, ObservedRequests};
use crate::text::{Unprintable, counted, sanitize};

/// The text, and whether the rules allow all requests that they apply to.
pub(super) fn describe(
    name: &str,
    comparison: &Comparison,
    seen: &ObservedRequests,
) -> (String, bool) {
    let mut lines = Vec::new();
    let mut list = |title: String, requests: &[ObservedRequest]| {
        if !requests.is_empty() {
            lines.push(title);
            lines.extend(requests.iter().map(|request| {
                format!(
                    "  {} {}",
                    sanitize(&request.method, Unprintable::Mark),
                    sanitize(&request.path, Unprintable::Mark)
                )
            }));
        }
    };
    list(
        format!("refused by guard.callers.{name}:"),
        &comparison.rejected,
    );
    list(
        "refused by [guard], or because servers could read the path or a field in different ways:"
            .to_owned(),
        &comparison.rejected_by_guard,
    );
    list(
        "not compared, since what stands before an @ may be a password and is not recorded:"
            .to_owned(),
        &comparison.cut,
    );
    if seen.dropped > 0 {
        lines.push(format!(
            "not compared, since there were too many different ones: {}",
            counted(seen.dropped, "request")
        ));
    }
    let allows_all = lines.is_empty();
    if allows_all {
        let which = if seen.rejected_by_reason.is_empty() {
            "all requests of this run"
        } else {
            "all requests of this run that rules apply to"
        };
        lines.push(format!("guard.callers.{name} allows {which}"));
    }
    if comparison.has_no_allow {
        lines.push(format!(
            "guard.callers.{name} has no allow: it permits more than these requests"
        ));
    }
    if !comparison.unused.is_empty() {
        lines.push("allowed, but not used in this run:".to_owned());
        lines.extend(comparison.unused.iter().map(|rule| format!("  {rule}")));
    }
    (lines.join("\n"), allows_all)
}
