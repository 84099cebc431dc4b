//! Requests to rules: by the API's own templates where it has one for a path, else exactly as it was asked for.
//! Pure. What it makes allows every request that it was given and could be put in a rule.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::compare::Judge;
use super::document::{Document, Segment, Template};
use super::{Request, Seen, Times};
use crate::config::{Rails, Rule};
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
        let judge = Judge::new(Rails {
            deny: vec![rule],
            ..Rails::default()
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
mod tests {
    use super::*;

    fn document(paths: &serde_json::Value) -> Document {
        let root = serde_json::json!({ "openapi": "3.1.0", "servers": [{ "url": "/api" }], "paths": paths });
        Document::parse(root.to_string().as_bytes(), "/openapi.json").unwrap()
    }

    fn rules(folded: &Folded) -> Vec<&str> {
        folded.allow.iter().map(|one| &*one.rule).collect()
    }

    fn notes<'f>(folded: &'f Folded, rule: &str) -> Vec<&'f str> {
        let one = folded.allow.iter().find(|one| one.rule == rule);
        one.into_iter()
            .flat_map(|one| &one.notes)
            .map(|note| &**note)
            .collect()
    }

    #[test]
    fn paths_fold_to_the_documents_templates_and_head_goes_with_get() {
        let operations = || serde_json::json!({ "get": {}, "delete": {} });
        let document = document(&serde_json::json!({
            "/certificates": operations(), "/certificates/{id}": operations(), "/files/{name}.json": operations(),
        }));
        let seen = Seen::of(&[
            ("GET", "/api/certificates", 200),
            ("GET", "/api/certificates/1", 200),
            ("HEAD", "/api/certificates/%32", 200),
            ("DELETE", "/api/certificates/2", 204),
            ("DELETE", "/api/certificates/3", 404),
            ("GET", "/api/files/a.json", 404),
            ("PUT", "/api/nowhere/x", 405),
            ("GET", "/API/certificates", 404),
        ]);
        let folded = fold(&seen, Some(&document));
        assert_eq!(
            rules(&folded),
            [
                "GET /API/certificates",
                "GET /api/certificates",
                "DELETE /api/certificates/*",
                "GET /api/certificates/*",
                "GET /api/files/*",
                "PUT /api/nowhere/x",
            ]
        );
        assert_eq!(notes(&folded, "DELETE /api/certificates/*"), [""; 0]);
        assert_eq!(
            notes(&folded, "GET /api/files/*"),
            [MIXED, "only ever answered 404"]
        );
        assert_eq!(
            notes(&folded, "PUT /api/nowhere/x"),
            [UNKNOWN, "only ever answered 405"]
        );
        assert!(!folded.read_only);
    }

    #[test]
    fn a_rule_for_get_says_where_only_head_was_asked_for() {
        let seen = Seen::of(&[("HEAD", "/a", 200), ("HEAD", "/b", 200), ("GET", "/b", 200)]);
        let folded = fold(&seen, None);
        assert_eq!(rules(&folded), ["GET /a", "GET /b"]);
        assert_eq!(notes(&folded, "GET /a"), [ONLY_HEAD]);
        assert_eq!(notes(&folded, "GET /b"), [""; 0]);
    }

    #[test]
    fn without_a_document_each_path_stands_for_itself() {
        let seen = Seen::of(&[
            ("GET", "/", 200),
            ("GET", "/a/1", 200),
            ("GET", "/a/2/", 200),
            ("GET", "/b%20c/d", 200),
        ]);
        let folded = fold(&seen, None);
        assert_eq!(
            rules(&folded),
            ["GET /", "GET /*/d", "GET /a/1", "GET /a/2/"]
        );
        assert_eq!(notes(&folded, "GET /*/d"), [WIDER]);
        assert_eq!(notes(&folded, "GET /a/1"), [""; 0]);
    }

    #[test]
    fn what_is_written_beside_a_parameter_is_denied_unless_it_was_asked_for() {
        let document = document(&serde_json::json!({
            "/users/{id}": { "get": {}, "delete": {} }, "/users/me": { "get": {} }, "/users/all": { "delete": {} },
            "/users/export": { "get": {} }, "/users/{id}/keys": { "get": {} },
        }));
        let asked = |more: &[(&str, &str, u16)]| {
            fold(
                &Seen::of(
                    &[
                        &[("GET", "/api/users/1", 200), ("GET", "/api/users/me", 200)],
                        more,
                    ]
                    .concat(),
                ),
                Some(&document),
            )
        };
        assert_eq!(asked(&[]).deny, ["GET /api/users/export"]);
        assert_eq!(
            asked(&[("DELETE", "/api/users/1", 204)]).deny,
            ["DELETE /api/users/all", "GET /api/users/export"]
        );
        // Somebody of that name: deny knows no case.
        assert_eq!(asked(&[("GET", "/api/users/Export", 200)]).deny, [""; 0]);
    }

    #[test]
    fn a_run_that_only_read_is_read_only_unless_something_was_upgraded() {
        for (requests, expected) in [
            (
                &[
                    ("GET", "/a", 200),
                    ("HEAD", "/a", 200),
                    ("OPTIONS", "/a", 200),
                ][..],
                true,
            ),
            (&[("GET", "/a", 101)], false),
            (&[("GET", "/a", 200), ("POST", "/a", 200)], false),
            (&[], false),
        ] {
            assert_eq!(
                fold(&Seen::of(requests), None).read_only,
                expected,
                "{requests:?}"
            );
        }
    }

    #[test]
    fn what_no_rule_can_say_is_told_apart() {
        let mut seen = Seen::of(&[("BREW", "/pot", 418), ("GET", "/a", 200)]);
        let refused = Request {
            path: "/a%2Fb".to_owned(),
            method: "GET".to_owned(),
        };
        seen.requests.insert(
            refused.clone(),
            Times {
                refused: 1,
                ..Times::default()
            },
        );
        let folded = fold(&seen, None);
        assert_eq!(rules(&folded), ["GET /a"]);
        assert_eq!(
            folded.unwritable,
            [Request {
                path: "/pot".to_owned(),
                method: "BREW".to_owned()
            }]
        );
        assert_eq!(folded.refused, [refused]);
    }
}
