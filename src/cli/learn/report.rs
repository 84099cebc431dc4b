//! How a run differs from rules that are there, in words for people.

use crate::cli::{Exit, print};
use crate::learn::{Comparison, ObservedRequest};
use crate::text::{Unprintable, sanitize};

/// The comparison, and whether the rules hold.
pub(super) fn report(name: &str, found: &Comparison) -> Exit {
    let (text, holds) = compared(name, found);
    print(&text);
    if holds { Exit::Fine } else { Exit::Failed }
}

pub(super) fn compared(name: &str, found: &Comparison) -> (String, bool) {
    let mut lines = Vec::new();
    let mut list = |title: String, requests: &[ObservedRequest]| {
        if !requests.is_empty() {
            lines.push(title);
            lines.extend(requests.iter().map(|one| {
                format!(
                    "  {} {}",
                    sanitize(&one.method, Unprintable::Mark),
                    sanitize(&one.path, Unprintable::Mark)
                )
            }));
        }
    };
    list(format!("refused by guard.callers.{name}:"), &found.rejected);
    list(
        "refused by [guard], or since servers differ on the path or a field:".to_owned(),
        &found.rejected_by_guard,
    );
    let holds = lines.is_empty();
    if holds {
        lines.push(format!("guard.callers.{name} lets all of it pass"));
    }
    if found.has_no_allow {
        lines.push(format!(
            "guard.callers.{name} has no allow: it may do more than this"
        ));
    }
    if !found.unused.is_empty() {
        lines.push("allowed, and not used in this run:".to_owned());
        lines.extend(found.unused.iter().map(|rule| format!("  {rule}")));
    }
    (lines.join("\n"), holds)
}
