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
        Err(rejection) => rejection.reason.name(),
    }
}

/// Each request is a method, a target, and the expected verdict.
fn assert_verdicts(guard: &Guard, requests: &[(&str, &str, &str)]) {
    for (method, target, expected) in requests {
        let verdict = verdict(guard, method, target, &[]);
        assert_eq!(verdict, *expected, "{method} {target}");
    }
}

#[test]
fn only_what_a_rule_allows_passes_and_get_includes_head() {
    let guard = guard(
        Some(&["GET /api/v1/**", "DELETE /api/v1/certificates/*", "* /any"]),
        &[],
        false,
    );
    let expected = [
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
    ];
    assert_verdicts(&guard, &expected);
}

#[test]
fn deny_wins_and_ignores_case() {
    let guard = guard(
        Some(&["* /**"]),
        &["* /admin/**", "DELETE /a/*", "GET /g"],
        false,
    );
    let expected = [
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
    ];
    assert_verdicts(&guard, &expected);
}

#[test]
fn deny_ignores_a_slash_at_the_end_of_a_rule() {
    for path in ["/users/*", "/users/**", "/**/7", "/users/7", "/*/7"] {
        for slash in ["", "/"] {
            let rule = format!("DELETE {path}{slash}");
            let guard = guard(None, &[&rule], false);
            for target in ["/users/7", "/users/7/", "/USERS/7/"] {
                assert_eq!(
                    verdict(&guard, "DELETE", target, &[]),
                    "rule_refused",
                    "{rule}"
                );
                assert_eq!(verdict(&guard, "GET", target, &[]), "passes", "{rule}");
            }
            let other = verdict(&guard, "DELETE", "/other/8", &[]);
            assert_eq!(other, "passes", "{rule}");
        }
    }
}

#[test]
fn deny_ignores_case_in_every_alphabet_and_letters_that_fold_to_others_are_rejected() {
    let guard = guard(None, &["* /οδος", "* /µ", "* /password", "* /ÉTÉ/*"], false);
    for target in [
        "/%CE%9F%CE%94%CE%9F%CE%A3",
        "/%CE%BC",
        "/pa%C3%9Fword",
        "/pa%E1%BA%9Eword",
        "/%C3%A9t%C3%A9/1",
        "/unrelated/%C3%9F",
    ] {
        assert_eq!(
            verdict(&guard, "GET", target, &[]),
            "rule_refused",
            "{target}"
        );
    }
    assert_eq!(verdict(&guard, "GET", "/%C3%A9t%C3%A9", &[]), "passes");
}

#[test]
fn read_only_allows_safe_methods_and_no_upgrade() {
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
        ("GET", &[("upgrade", "H2C/2")], "passes"),
        ("GET", &[("upgrade", "http/2.0")], "passes"),
    ] {
        assert_eq!(
            verdict(&guard, method, "/x", fields),
            expected,
            "{method} {fields:?}"
        );
    }
}

#[test]
fn any_rule_rejects_fields_that_replace_the_method_or_the_path() {
    let restricted = [
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
        for guard in &restricted {
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
fn any_rule_rejects_a_request_that_announces_such_a_field_as_a_trailer() {
    let restricted = guard(None, &["DELETE /**"], false);
    for names in [
        "x-http-method-override",
        "X-Sum, X-HTTP-Method-Override",
        "X-Sum ,\tX_Rewrite_URL,",
    ] {
        let fields = [("trailer", names)];
        assert_eq!(verdict(&restricted, "POST", "/x", &fields), "rule_refused");
        assert_eq!(
            verdict(
                &restricted,
                "POST",
                "/x",
                &[("trailer", "X-Sum"), fields[0]]
            ),
            "rule_refused"
        );
        let open = guard(None, &[], false);
        assert_eq!(verdict(&open, "POST", "/x", &fields), "passes");
    }
    let harmless = [("trailer", "X-Sum, X-HTTP-Method-Overrides")];
    assert_eq!(verdict(&restricted, "POST", "/x", &harmless), "passes");
}

#[test]
fn without_rules_every_path_passes() {
    let guard = guard(None, &[], false);
    for target in ["/a%2Fb", "/a;b", "//a", "/a/../b", "/a%"] {
        assert_eq!(verdict(&guard, "GET", target, &[]), "passes", "{target}");
    }
}

#[test]
fn a_rejection_names_the_key_and_the_request() {
    let guard = guard(Some(&["GET /a"]), &["* /admin"], false);
    let detail = |method, target| {
        guard
            .check(&request(method, target, &[OURS]), &someone())
            .unwrap_err()
            .detail
    };
    assert_eq!(
        detail("POST", "/b"),
        "POST /b matches no rule of guard.allow."
    );
    assert_eq!(
        detail("GET", "/admin"),
        "GET /admin matches a rule of guard.deny."
    );
}

#[test]
fn a_rejection_repeats_no_password_of_a_url_in_the_path() {
    let guard = guard(Some(&["GET /a"]), &[], false);
    let target = "/http:/x:KEY@localhost/p";
    let rejection = guard
        .check(&request("GET", target, &[OURS]), &someone())
        .unwrap_err();
    assert!(
        rejection.detail.contains("/http:/...@localhost/p"),
        "{}",
        rejection.detail
    );
}
