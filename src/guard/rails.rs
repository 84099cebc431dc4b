//! How far a request may go: `read_only`, `allow` and `deny`, on the path's one reading (`path`).
//!
//! Deny wins. A denied path is denied in any case and with or without a slash at its end; an allowed one is
//! allowed exactly as it is written. Method names likewise: methods have a case, but not every server knows.

use http::Method;

use super::fields::{Fields, Lines};
use super::{Refusal, path};
use crate::config::{self, Rule};
use crate::problem::Reason;
use crate::text::quotable;

/// The rails of everyone or of one caller.
#[derive(Debug, Clone)]
pub(super) struct Rails {
    read_only: bool,
    allow: Option<Vec<Rule>>,
    deny: Vec<Rule>,
    /// `guard`, or `guard.callers.NAME`: what stands before the key in a refusal.
    table: String,
}

/// What rails look at.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) fields: &'a Fields<'a>,
}

impl Rails {
    /// `None` where nobody is held back.
    pub(super) fn new(config: &config::AccessRules, table: impl Into<String>) -> Option<Self> {
        (!config.are_none()).then(|| Self {
            read_only: config.read_only,
            allow: config.allow.clone(),
            deny: config.deny.clone(),
            table: table.into(),
        })
    }

    /// `path` is what [`path::read`] made of it.
    fn check(&self, asked: Asked<'_>, path: &str) -> Result<(), Refusal> {
        if self.read_only {
            self.check_read_only(asked)?;
        }
        if self
            .deny
            .iter()
            .any(|rule| denies(rule, asked.method, path))
        {
            return Err(self.denied(asked));
        }
        match &self.allow {
            Some(rules) if !rules.iter().any(|rule| allows(rule, asked.method, path)) => {
                Err(self.not_allowed(asked))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The safe methods (RFC 9110 section 9.2.1); an upgrade could write whatever it likes.
    fn check_read_only(&self, asked: Asked<'_>) -> Result<(), Refusal> {
        let table = &self.table;
        if !matches!(*asked.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            let method = quotable(asked.method.as_str().as_bytes());
            return Err(refused(format!(
                "{method} may change something, and {table}.read_only is set."
            )));
        }
        match asked.fields.upgrade {
            Lines::Absent => Ok(()),
            // Never passed on, and part of every request of Java's client.
            Lines::One(to) if to.as_bytes().eq_ignore_ascii_case(b"h2c") => Ok(()),
            Lines::One(_) | Lines::Several => Err(refused(format!(
                "What passes after an upgrade cannot be seen, and {table}.read_only is set."
            ))),
        }
    }

    #[cold]
    fn denied(&self, asked: Asked<'_>) -> Refusal {
        let (what, table) = (named(asked), &self.table);
        refused(format!("{what} is in {table}.deny."))
    }

    #[cold]
    fn not_allowed(&self, asked: Asked<'_>) -> Refusal {
        let (what, table) = (named(asked), &self.table);
        refused(format!("{what} is in no rule of {table}.allow."))
    }
}

/// All rails that hold this request, read once.
pub(super) fn check<'r>(
    rails: impl IntoIterator<Item = &'r Rails>,
    asked: Asked<'_>,
) -> Result<(), Refusal> {
    let mut path = None;
    for one in rails {
        let path = match &path {
            Some(path) => path,
            None => path.insert(unambiguous(asked)?),
        };
        one.check(asked, path)?;
    }
    Ok(())
}

/// What must hold wherever there are rules.
fn unambiguous(asked: Asked<'_>) -> Result<std::borrow::Cow<'_, str>, Refusal> {
    if let Some(name) = asked.fields.override_field {
        let detail = format!(
            "{} makes another request of this one on some servers, so it never passes where read_only, allow or deny is set.",
            quotable(name.as_str().as_bytes())
        );
        return Err(refused(detail));
    }
    path::read(asked.path).map_err(path::Doubt::refusal)
}

fn denies(rule: &Rule, method: &Method, path: &str) -> bool {
    let of_method = rule.method.as_ref().is_none_or(|of_rule| {
        let is = |name: &Method| method.as_str().eq_ignore_ascii_case(name.as_str());
        is(of_rule) || (*of_rule == Method::GET && is(&Method::HEAD))
    });
    of_method && rule.path.matches_loosely(path)
}

fn allows(rule: &Rule, method: &Method, path: &str) -> bool {
    let of_method = rule.method.as_ref().is_none_or(|of_rule| {
        of_rule == method || (*of_rule == Method::GET && *method == Method::HEAD)
    });
    of_method && rule.path.matches(path)
}

fn named(asked: Asked<'_>) -> String {
    let (method, path) = (asked.method.as_str().as_bytes(), asked.path.as_bytes());
    format!("{} {}", quotable(method), quotable(path))
}

fn refused(detail: String) -> Refusal {
    Refusal::new(Reason::RuleRefused, detail)
}

#[cfg(test)]
mod tests;
