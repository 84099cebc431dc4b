//! Requests to rules: by the API's own templates where it has one for a path, else exactly as it was asked for.
//! Pure. What it makes allows every request that it was given and could be put in a rule.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::compare::Judge;
use super::document::{Document, Segment, Template};
use super::{Request, Seen, Times};
use crate::config::{AccessRules, Rule};
use crate::guard::readable_path;

/// The rails that allow what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// Nothing but GET, HEAD and OPTIONS was seen, and nothing was upgraded.
    pub read_only: bool,
    /// What to allow, in the order of paths.
    pub allow: Vec<FoldedRule>,
    /// Parts of the API that a rule with a star would let in too, and that nobody asked for.
    pub deny: Vec<String>,
    /// What no rule can say.
    pub unwritable: Vec<Request>,
    /// What the rules for everyone refused.
    pub refused: Vec<Request>,
}

/// One rule to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedRule {
    /// `GET /api/v1/certificates/*`.
    pub rule: String,
    /// What a reader should know about it.
    pub notes: Vec<Cow<'static, str>>,
}

/// What is known of a rule while requests are put into it.
#[derive(Default)]
struct Rough {
    statuses: BTreeSet<u16>,
    notes: BTreeSet<&'static str>,
    /// By the method that it says, not only by HEAD.
    is_literal: bool,
}

const UNKNOWN: &str = "not in the document";
const WIDER: &str = "wider than asked for: a rule cannot say it";
const ONLY_HEAD: &str = "only HEAD was asked for, and a rule for GET is what allows it";
const MIXED: &str = "wider than the document: a star is a whole segment";

/// Folds what was seen. Without a document each path stands for itself.
#[must_use]
pub fn fold(seen: &Seen, document: Option<&Document>) -> Folded {
    let mut folded = Folded {
        read_only: true,
        ..Folded::default()
    };
    // By path, then method: so they are read best.
    let mut rules: BTreeMap<(String, String), Rough> = BTreeMap::new();
    let mut templates: BTreeMap<(String, String), &Template> = BTreeMap::new();
    for (request, times) in &seen.requests {
        if times.refused > 0 {
            folded.refused.push(request.clone());
        }
        if times.passed == 0 {
            continue;
        }
        let template = document.and_then(|document| {
            let path = readable_path(&request.path)?;
            document.template_of(&path)
        });
        let Some((rule, notes)) = rule_for(request, template, document.is_some()) else {
            folded.unwritable.push(request.clone());
            continue;
        };
        folded.read_only &= is_safe(request, times);
        if let Some(template) = template {
            templates.insert(rule.clone(), template);
        }
        let is_literal = rule.1 == request.method;
        let rough = rules.entry(rule).or_default();
        rough.is_literal |= is_literal;
        rough.statuses.extend(&times.statuses);
        rough.notes.extend(notes);
    }
    folded.read_only &= !rules.is_empty();
    folded.deny = unused_siblings(&rules, &templates, document, seen);
    folded.allow = rules.into_iter().map(FoldedRule::of).collect();
    folded
}

/// Path pattern and method, and what to say about it; none where no rule can name the request.
fn rule_for(
    request: &Request,
    template: Option<&Template>,
    has_document: bool,
) -> Option<((String, String), Vec<&'static str>)> {
    let method = match &*request.method {
        "HEAD" => "GET",
        other => other,
    };
    let mut notes = Vec::new();
    let pattern = if let Some(template) = template {
        pattern_of(template, &mut notes)
    } else {
        notes.extend(has_document.then_some(UNKNOWN));
        exact(&readable_path(&request.path)?, &mut notes)
    };
    Rule::parse(&format!("{method} {pattern}")).ok()?;
    Some(((pattern, method.to_owned()), notes))
}

fn pattern_of(template: &Template, notes: &mut Vec<&'static str>) -> String {
    let mut pattern = String::new();
    for segment in &template.segments {
        pattern.push('/');
        pattern.push_str(match segment {
            Segment::Text(text) => sayable(text, notes),
            Segment::Mixed { .. } => {
                notes.push(MIXED);
                "*"
            }
            Segment::Parameter => "*",
        });
    }
    pattern
}

fn exact(path: &str, notes: &mut Vec<&'static str>) -> String {
    let mut pattern = String::new();
    for segment in path.split('/').skip(1) {
        pattern.push('/');
        pattern.push_str(sayable(segment, notes));
    }
    pattern
}

/// A blank ends a rule's path, and a star in it stands for anything.
fn sayable<'s>(segment: &'s str, notes: &mut Vec<&'static str>) -> &'s str {
    if segment.contains([' ', '*']) {
        notes.push(WIDER);
        return "*";
    }
    segment
}

/// Whether `read_only` lets it pass.
fn is_safe(request: &Request, times: &Times) -> bool {
    matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") && !times.statuses.contains(&101)
}

/// `GET /users/*` admits `/users/export` as well, which the API treats as something else: where nobody asked for
/// that, it is denied by name. Not where that would refuse what was asked for: deny knows no case.
fn unused_siblings(
    rules: &BTreeMap<(String, String), Rough>,
    templates: &BTreeMap<(String, String), &Template>,
    document: Option<&Document>,
    seen: &Seen,
) -> Vec<String> {
    let mut deny = BTreeSet::new();
    for ((_, method), template) in templates {
        let siblings = document.into_iter().flat_map(Document::templates);
        for sibling in
            siblings.filter(|one| one.methods.contains(method) && is_within(one, template))
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
        let judge = Judge::new(AccessRules {
            deny: vec![rule],
            ..AccessRules::default()
        });
        seen.admitted()
            .all(|(request, times)| judge.passes(request, times))
    });
    deny.into_iter().collect()
}

/// Whether every path of `inner` is one that `outer`'s rule lets in, and `inner` wins for it.
fn is_within(inner: &Template, outer: &Template) -> bool {
    inner.segments.len() == outer.segments.len()
        && inner.segments != outer.segments
        && inner
            .segments
            .iter()
            .zip(&outer.segments)
            .all(|pair| match pair {
                (_, Segment::Parameter | Segment::Mixed { .. }) => true,
                (inner, outer @ Segment::Text(_)) => inner == outer,
            })
        && inner.segments.iter().zip(&outer.segments).any(|pair| {
            matches!(
                pair,
                (Segment::Text(_), Segment::Parameter | Segment::Mixed { .. })
            )
        })
}

impl FoldedRule {
    fn of(((pattern, method), rough): ((String, String), Rough)) -> Self {
        let mut notes: Vec<Cow<'static, str>> =
            rough.notes.into_iter().map(Cow::Borrowed).collect();
        if !rough.is_literal {
            notes.push(ONLY_HEAD.into());
        }
        let failed = |status: &u16| *status >= 400;
        if rough.statuses.iter().all(failed) {
            notes.push(match rough.statuses.last() {
                Some(status) => format!("only ever answered {status}").into(),
                None => "never answered".into(),
            });
        }
        Self {
            rule: format!("{method} {pattern}"),
            notes,
        }
    }
}

#[cfg(test)]
mod tests;
