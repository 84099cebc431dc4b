//! Checks what a caller may do: `read_only`, `allow` and `deny`, on the decoded path (`path`).
//!
//! `deny` wins. It ignores case and a slash at the end of a path or of the rule, while `allow` matches exactly as
//! written. The same holds for methods: they are case-sensitive, but some servers ignore their case.

use http::Method;

use super::fields::GuardFields;
use super::path::{PathAmbiguity, decode_path};
use super::rejection::Rejection;
use crate::config::{AccessRules, LoosePath, LoosePattern, Rule};
use crate::problem::Reason;
use crate::text::{quotable, without_user_info};

/// The rules for every request, or for those of one caller.
#[derive(Debug, Clone)]
pub(super) struct RuleSet {
    read_only: bool,
    allow: Option<Vec<Rule>>,
    deny: Vec<DenyRule>,
    /// `guard` or `guard.callers.NAME`, to name the key in a rejection.
    table: String,
}

/// A rule of `deny`, which ignores what some servers ignore.
#[derive(Debug, Clone)]
struct DenyRule {
    method: Option<Method>,
    path: LoosePattern,
}

/// The parts of a request that rules check.
#[derive(Clone, Copy)]
pub(super) struct RuleInput<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) fields: &'a GuardFields<'a>,
}

impl RuleSet {
    /// `None` if nothing is restricted.
    pub(super) fn new(config: &AccessRules, table: impl Into<String>) -> Option<Self> {
        (!config.are_none()).then(|| Self {
            read_only: config.read_only,
            allow: config.allow.clone(),
            deny: config.deny.iter().map(DenyRule::new).collect(),
            table: table.into(),
        })
    }

    /// Checks a request whose decoded path is `path`.
    fn check(&self, input: RuleInput<'_>, path: &str) -> Result<(), Rejection> {
        if self.read_only {
            self.check_read_only(input)?;
        }
        if !self.deny.is_empty() {
            let path = LoosePath::new(path);
            let mut rules = self.deny.iter();
            if rules.any(|rule| rule.matches(input.method, &path)) {
                return Err(self.denied(input));
            }
        }
        match &self.allow {
            Some(rules) if !rules.iter().any(|rule| allows(rule, input.method, path)) => {
                Err(self.not_allowed(input))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Allows only safe methods (RFC 9110 section 9.2.1) and no upgrade, which could write anything.
    fn check_read_only(&self, input: RuleInput<'_>) -> Result<(), Rejection> {
        let table = &self.table;
        if !matches!(*input.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            let method = quotable(input.method.as_str().as_bytes());
            return Err(rejected(format!(
                "{method} may change data, and {table}.read_only is set."
            )));
        }
        if input.fields.asks_upgrade() {
            return Err(rejected(format!(
                "Traffic after an upgrade cannot be checked, and {table}.read_only is set."
            )));
        }
        Ok(())
    }

    #[cold]
    fn denied(&self, input: RuleInput<'_>) -> Rejection {
        let (what, table) = (describe(input), &self.table);
        rejected(format!("{what} matches a rule of {table}.deny."))
    }

    #[cold]
    fn not_allowed(&self, input: RuleInput<'_>) -> Rejection {
        let (what, table) = (describe(input), &self.table);
        rejected(format!("{what} matches no rule of {table}.allow."))
    }
}

/// Checks a request against every set of rules that applies to it. Decodes its path once.
pub(super) fn check<'r>(
    rule_sets: impl IntoIterator<Item = &'r RuleSet>,
    input: RuleInput<'_>,
) -> Result<(), Rejection> {
    let mut path = None;
    for rules in rule_sets {
        let path = match &path {
            Some(path) => path,
            None => path.insert(unambiguous_path(input)?),
        };
        rules.check(input, path)?;
    }
    Ok(())
}

/// The decoded path of a request that all servers interpret in the same way.
fn unambiguous_path(input: RuleInput<'_>) -> Result<std::borrow::Cow<'_, str>, Rejection> {
    if let Some(name) = input.fields.override_field {
        let detail = format!(
            "Some servers let {} replace the method or the path, so it is rejected wherever read_only, allow or deny is set.",
            quotable(name)
        );
        return Err(rejected(detail));
    }
    decode_path(input.path).map_err(PathAmbiguity::rejection)
}

impl DenyRule {
    fn new(rule: &Rule) -> Self {
        Self {
            method: rule.method.clone(),
            path: rule.path.loose(),
        }
    }

    fn matches(&self, method: &Method, path: &LoosePath<'_>) -> bool {
        let matches_method = self.method.as_ref().is_none_or(|own| {
            let matches = |name: &Method| method.as_str().eq_ignore_ascii_case(name.as_str());
            matches(own) || (*own == Method::GET && matches(&Method::HEAD))
        });
        matches_method && self.path.matches(path)
    }
}

fn allows(rule: &Rule, method: &Method, path: &str) -> bool {
    let matches_method = rule.method.as_ref().is_none_or(|rule_method| {
        rule_method == method || (*rule_method == Method::GET && *method == Method::HEAD)
    });
    matches_method && rule.path.matches(path)
}

fn describe(input: RuleInput<'_>) -> String {
    let (method, path) = (input.method.as_str(), without_user_info(input.path));
    format!(
        "{} {}",
        quotable(method.as_bytes()),
        quotable(path.as_bytes())
    )
}

fn rejected(detail: String) -> Rejection {
    Rejection::new(Reason::RuleRefused, detail)
}

#[cfg(test)]
mod tests;
