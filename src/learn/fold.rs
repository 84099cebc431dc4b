//! Derives rules from requests: from the API's own path templates where one matches, otherwise from the exact path.
//!
//! Pure. The rules allow every given request that a rule can express.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::compare::RailsGuard;
use super::document::{OpenApiDocument, PathTemplate, TemplateSegment};
use super::record::{ObservedRequest, ObservedRequests, RequestOutcomes};
use crate::config::{AccessRules, Rule};
use crate::guard::readable_path;

/// The rails that allow the observed requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoldedRules {
    /// Only GET, HEAD and OPTIONS were observed, and no request asked for an upgrade.
    pub read_only: bool,
    /// What to allow, in the order of the paths.
    pub allow: Vec<FoldedRule>,
    /// Operations of the API that a rule with `*` would allow too, and that were not requested.
    pub deny: Vec<String>,
    /// Requests that no rule can express.
    pub inexpressible: Vec<ObservedRequest>,
    /// Requests that the rules for all callers rejected.
    pub rejected: Vec<ObservedRequest>,
}

/// A rule with its notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedRule {
    /// `GET /api/v1/certificates/*`.
    pub rule: String,
    /// What a reader should know about the rule.
    pub notes: Vec<Cow<'static, str>>,
}

/// A rule while requests are added to it.
#[derive(Default)]
struct RuleDraft {
    statuses: BTreeSet<u16>,
    notes: BTreeSet<&'static str>,
    /// Whether a request had the method of the rule, rather than HEAD for a GET rule.
    is_literal: bool,
}

const UNDOCUMENTED: &str = "not in the OpenAPI document";
const WIDER: &str = "matches more than the requested path, which a rule cannot express";
const ONLY_HEAD: &str = "only HEAD was requested, which a rule for GET allows";
const MIXED: &str = "matches more than the OpenAPI path: * is a whole segment";

/// Derives rules from the observed requests. Without a document, each rule has the exact path of a request.
#[must_use]
pub fn fold(observed: &ObservedRequests, document: Option<&OpenApiDocument>) -> FoldedRules {
    let mut folded = FoldedRules {
        read_only: true,
        ..FoldedRules::default()
    };
    // Keyed by path, then method, since that order is the easiest to read.
    let mut rules: BTreeMap<(String, String), RuleDraft> = BTreeMap::new();
    for (request, outcomes) in &observed.requests {
        if outcomes.rejected > 0 {
            folded.rejected.push(request.clone());
        }
        if outcomes.accepted == 0 {
            continue;
        }
        let template = document.and_then(|document| {
            let path = readable_path(&request.path)?;
            document.template_of(&path)
        });
        let Some((rule, notes)) = rule_for(request, template, document.is_some()) else {
            folded.inexpressible.push(request.clone());
            continue;
        };
        folded.read_only &= is_safe(request, outcomes);
        let is_literal = rule.1 == request.method;
        let draft = rules.entry(rule).or_default();
        draft.is_literal |= is_literal;
        draft.statuses.extend(&outcomes.statuses);
        draft.notes.extend(notes);
    }
    folded.read_only &= !rules.is_empty();
    folded.deny = unused_siblings(&rules, document, observed);
    folded.allow = rules.into_iter().map(FoldedRule::from_draft).collect();
    folded
}

/// The path pattern and method of the rule for a request, with its notes; `None` if no rule can express the request.
fn rule_for(
    request: &ObservedRequest,
    template: Option<&PathTemplate>,
    has_document: bool,
) -> Option<((String, String), Vec<&'static str>)> {
    let method = match &*request.method {
        // A rule would take it for any method.
        "*" => return None,
        "HEAD" => "GET",
        other => other,
    };
    if request.is_cut() {
        return None;
    }
    let mut notes = Vec::new();
    let pattern = if let Some(template) = template {
        pattern_of(template, &mut notes)
    } else {
        notes.extend(has_document.then_some(UNDOCUMENTED));
        exact(&readable_path(&request.path)?, &mut notes)
    };
    Rule::parse(&format!("{method} {pattern}")).ok()?;
    Some(((pattern, method.to_owned()), notes))
}

fn pattern_of(template: &PathTemplate, notes: &mut Vec<&'static str>) -> String {
    let mut pattern = String::new();
    for segment in &template.segments {
        pattern.push('/');
        pattern.push_str(match segment {
            TemplateSegment::Text(text) => expressible(text, notes),
            TemplateSegment::Mixed { .. } => {
                notes.push(MIXED);
                "*"
            }
            TemplateSegment::Parameter => "*",
        });
    }
    pattern
}

fn exact(path: &str, notes: &mut Vec<&'static str>) -> String {
    let mut pattern = String::new();
    for segment in path.split('/').skip(1) {
        pattern.push('/');
        pattern.push_str(expressible(segment, notes));
    }
    pattern
}

/// A segment as it can be written in a rule, in which `*` has another meaning.
fn expressible<'s>(segment: &'s str, notes: &mut Vec<&'static str>) -> &'s str {
    if segment.contains('*') {
        notes.push(WIDER);
        return "*";
    }
    segment
}

/// Whether `read_only` accepts the request.
fn is_safe(request: &ObservedRequest, outcomes: &RequestOutcomes) -> bool {
    matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") && !outcomes.asks_upgrade
}

/// The operations to deny by name. `GET /users/*` also allows `/users/export`, which is a different operation of the
/// API; if it was not requested, it is denied. A rule is left out if it would reject an observed request, which is
/// possible because `deny` ignores case, or because no rule can tell the two apart (`/users/{id}.csv`).
fn unused_siblings(
    rules: &BTreeMap<(String, String), RuleDraft>,
    document: Option<&OpenApiDocument>,
    observed: &ObservedRequests,
) -> Vec<String> {
    let mut deny = BTreeSet::new();
    for (allowed, method) in rules.keys() {
        let siblings = document.into_iter().flat_map(OpenApiDocument::templates);
        for sibling in siblings.filter(|one| has_operation(one, method) && is_within(one, allowed))
        {
            let pattern = pattern_of(sibling, &mut Vec::new());
            if !rules.contains_key(&(pattern.clone(), method.clone())) {
                deny.insert(format!("{method} {pattern}"));
            }
        }
    }
    deny.retain(|rule| {
        let Ok(rule) = Rule::parse(rule) else {
            return false;
        };
        let guard = RailsGuard::new(AccessRules {
            deny: vec![rule],
            ..AccessRules::default()
        });
        observed
            .accepted()
            .all(|(request, outcomes)| guard.accepts(request, outcomes))
    });
    deny.into_iter().collect()
}

/// Whether a rule for this method allows an operation of the template.
fn has_operation(template: &PathTemplate, method: &str) -> bool {
    let methods = &template.methods;
    methods.contains(method) || method == "GET" && methods.contains("HEAD")
}

/// Whether a rule with the path `allowed` allows every path of `inner`, which is more specific.
fn is_within(inner: &PathTemplate, allowed: &str) -> bool {
    let pattern = pattern_of(inner, &mut Vec::new());
    let inner: Vec<&str> = pattern.split('/').collect();
    let allowed: Vec<&str> = allowed.split('/').collect();
    let both = || inner.iter().zip(&allowed);
    inner.len() == allowed.len()
        && both().all(|(inner, allowed)| *allowed == "*" || inner == allowed)
        && both().any(|(inner, allowed)| inner != allowed)
}

impl FoldedRule {
    fn from_draft(((pattern, method), draft): ((String, String), RuleDraft)) -> Self {
        let mut notes: Vec<Cow<'static, str>> =
            draft.notes.into_iter().map(Cow::Borrowed).collect();
        if !draft.is_literal {
            notes.push(ONLY_HEAD.into());
        }
        if draft.statuses.is_empty() {
            notes.push("no response was received".into());
        } else if draft.statuses.iter().all(|status| *status >= 400) {
            let statuses: Vec<String> = draft.statuses.iter().map(u16::to_string).collect();
            notes.push(format!("every response was an error ({})", statuses.join(", ")).into());
        }
        Self {
            rule: format!("{method} {pattern}"),
            notes,
        }
    }
}

#[cfg(test)]
mod tests;
