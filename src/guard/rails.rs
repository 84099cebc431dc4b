//! How far a request may go: `read_only`, `allow` and `deny`, on the path's one reading (`path`).
//!
//! Deny wins. A denied path is denied in any case and with or without a slash at its end; an allowed one is
//! allowed exactly as it is written. Method names likewise: methods have a case, but not every server knows.

use http::Method;

use super::fields::{Fields, Lines};
use super::{Refusal, path};
use crate::answer::{Reason, shown};
use crate::config::{self, Rule};

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
    pub(super) fn new(config: &config::Rails, table: impl Into<String>) -> Option<Self> {
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
            let method = shown(asked.method.as_str().as_bytes());
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
            shown(name.as_str().as_bytes())
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
    format!("{} {}", shown(method), shown(path))
}

fn refused(detail: String) -> Refusal {
    Refusal::new(Reason::RuleRefused, detail)
}

#[cfg(test)]
mod tests {
    use super::super::Guard;
    use super::super::tests::{OURS, Pairs, request, someone};

    fn guard(allow: Option<&[&str]>, deny: &[&str], read_only: bool) -> Guard {
        let lines = |rules: &[&str]| toml::Value::from(rules.to_vec()).to_string();
        let allow = allow.map(|allow| format!("guard.allow = {}", lines(allow)));
        let (allow, deny) = (allow.unwrap_or_default(), lines(deny));
        let text = format!("guard.read_only = {read_only}\nguard.deny = {deny}\n{allow}");
        Guard::new(&super::super::callers::tests::config(&text))
    }

    fn verdict(guard: &Guard, method: &str, target: &str, more: Pairs<'_>) -> &'static str {
        let fields = [&[OURS], more].concat();
        match guard.check(&request(method, target, &fields), &someone()) {
            Ok(_) => "passes",
            Err(refusal) => refusal.reason.name(),
        }
    }

    #[test]
    fn only_what_a_rule_allows_passes_and_head_goes_with_get() {
        let guard = guard(
            Some(&["GET /api/v1/**", "DELETE /api/v1/certificates/*", "* /any"]),
            &[],
            false,
        );
        for (method, target, expected) in [
            ("GET", "/api/v1/certificates", "passes"),
            ("GET", "/api/v1/certificates?limit=1;x=%2F", "passes"),
            ("HEAD", "/api/v1/certificates", "passes"),
            ("GET", "/api/v1", "passes"),
            ("GET", "/api/%76%31/x", "passes"),
            ("GET", "/API/v1/x", "rule_refused"),
            ("get", "/api/v1/x", "rule_refused"),
            ("OPTIONS", "/api/v1/x", "rule_refused"),
            ("POST", "/api/v1/certificates", "rule_refused"),
            ("DELETE", "/api/v1/certificates/one", "passes"),
            ("DELETE", "/api/v1/certificates/one/two", "rule_refused"),
            ("DELETE", "/api/v1/certificates/", "rule_refused"),
            ("GET", "/", "rule_refused"),
            ("PATCH", "/any", "passes"),
            ("PATCH", "/any/", "rule_refused"),
            ("GET", "/api/v1/../../admin", "rule_refused"),
            ("GET", "/api/v1/%2e%2e/%2e%2e/admin", "rule_refused"),
            ("GET", "/api/v1/..%2f..%2fadmin", "rule_refused"),
        ] {
            assert_eq!(
                verdict(&guard, method, target, &[]),
                expected,
                "{method} {target}"
            );
        }
    }

    #[test]
    fn deny_wins_and_knows_no_case() {
        let guard = guard(
            Some(&["* /**"]),
            &["* /admin/**", "DELETE /a/*", "GET /g"],
            false,
        );
        for (method, target, expected) in [
            ("GET", "/", "passes"),
            ("GET", "/admins", "passes"),
            ("GET", "/admin", "rule_refused"),
            ("GET", "/admin/", "rule_refused"),
            ("GET", "/ADMIN/x/y", "rule_refused"),
            ("BREW", "/%41dmin/x", "rule_refused"),
            ("DELETE", "/a/b", "rule_refused"),
            ("delete", "/A/b/", "rule_refused"),
            ("DELETE", "/a/b/c", "passes"),
            ("PUT", "/a/b", "passes"),
            ("HEAD", "/g", "rule_refused"),
            ("head", "/g", "rule_refused"),
            ("POST", "/g", "passes"),
        ] {
            assert_eq!(
                verdict(&guard, method, target, &[]),
                expected,
                "{method} {target}"
            );
        }
    }

    #[test]
    fn read_only_lets_safe_methods_pass_and_no_upgrade() {
        let guard = guard(None, &[], true);
        let websocket = ("upgrade", "websocket");
        for (method, fields, expected) in [
            ("GET", &[][..], "passes"),
            ("HEAD", &[], "passes"),
            ("OPTIONS", &[], "passes"),
            ("POST", &[], "rule_refused"),
            ("PROPFIND", &[], "rule_refused"),
            ("get", &[], "rule_refused"),
            ("GET", &[websocket], "rule_refused"),
            ("GET", &[websocket, ("upgrade", "h2c")], "rule_refused"),
            ("GET", &[("upgrade", "h2c, websocket")], "rule_refused"),
            ("GET", &[("upgrade", "h2c")], "passes"),
        ] {
            assert_eq!(
                verdict(&guard, method, "/x", fields),
                expected,
                "{method} {fields:?}"
            );
        }
    }

    #[test]
    fn any_rail_refuses_fields_that_replace_method_or_path_and_none_lets_them_pass() {
        let rails = [
            guard(None, &[], true),
            guard(Some(&["* /**"]), &[], false),
            guard(None, &["* /admin"], false),
        ];
        for name in [
            "x-http-method-override",
            "x-http-method",
            "x-method-override",
            "x_http_method_override",
            "x-http_method-override",
            "x-original-url",
            "x-rewrite-url",
        ] {
            let fields = [(name, "DELETE")];
            for guard in &rails {
                assert_eq!(
                    verdict(guard, "GET", "/x", &fields),
                    "rule_refused",
                    "{name}"
                );
            }
            assert_eq!(
                verdict(&guard(None, &[], false), "GET", "/x", &fields),
                "passes"
            );
        }
    }

    #[test]
    fn without_rails_every_path_passes() {
        let guard = guard(None, &[], false);
        for target in ["/a%2Fb", "/a;b", "//a", "/a/../b", "/a%"] {
            assert_eq!(verdict(&guard, "GET", target, &[]), "passes", "{target}");
        }
    }

    #[test]
    fn a_refusal_names_the_key_and_what_was_asked() {
        let guard = guard(Some(&["GET /a"]), &["* /admin"], false);
        let detail = |method, target| {
            guard
                .check(&request(method, target, &[OURS]), &someone())
                .unwrap_err()
                .detail
        };
        assert_eq!(
            detail("POST", "/b"),
            "POST /b is in no rule of guard.allow."
        );
        assert_eq!(detail("GET", "/admin"), "GET /admin is in guard.deny.");
    }
}
