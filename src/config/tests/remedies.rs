//! What a problem says to write instead is itself accepted.

use super::*;

/// The texts of a remedy that stand in quotation marks, and the numbers of a range.
fn proposed(remedy: &str) -> Vec<String> {
    let quoted = remedy.split('"').skip(1).step_by(2);
    let mut all: Vec<String> = quoted.map(|text| format!("\"{text}\"")).collect();
    if let Some(range) = remedy.strip_prefix("write ").filter(|_| all.is_empty()) {
        let numbers = range
            .split(" to ")
            .filter(|word| word.parse::<u64>().is_ok());
        all.extend(numbers.map(str::to_owned));
    }
    all
}

/// What must be set for the key to have a value at all.
fn setting(key: &str) -> Vec<(&'static str, &'static str)> {
    let mut variables = ENOUGH.to_vec();
    match key {
        "upstream.url" => drop(variables.remove(0)),
        "token.issuer" | "token.pingone.domain" | "token.url" => drop(variables.remove(1)),
        "token.client_id" => drop(variables.remove(2)),
        "token.auth" => variables.extend([
            ("CUPBEARER_TOKEN__GRANT", "jwt_bearer"),
            ("CUPBEARER_TOKEN__ASSERTION__FILE", "/assertion"),
        ]),
        _ => {}
    }
    variables
}

fn problem_of(key: &str, value: &str) -> Option<(String, String)> {
    let line = format!("{key} = {value}\n");
    let problems = from_bytes(line.as_bytes(), &environment(&setting(key))).err()?;
    let one = problems.iter().next().unwrap();
    Some((one.key.clone(), one.remedy.clone()))
}

/// Values that people write, most of them invalid for most keys.
const ODD: &[&str] = &[
    "0",
    "1",
    "-1",
    "1.5",
    "30",
    "1e9",
    "true",
    "[]",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"1.5\"",
    "\"11M\"",
    "\"10 S\"",
    "\"1day\"",
    "\"400d\"",
    "\"64\"",
    "\"1TiB\"",
    "\"soon\"",
    "\"Yes\"",
    "\"INFO \"",
    "\"https:api.example.com\"",
    "\"https:/api.example.com\"",
    "\"HTTPS://API.example.com\"",
    "\"//api.example.com/v1\"",
    "\"api.example.com/v1?x=1#y\"",
    "\"localhost:8080/x\"",
    "\"ftp://api.example.com/v1\"",
    "\"http://api.example.com/v1\"",
    "\"http://api.example.com\"",
    "\"HTTP://as.example.com/t\"",
    "\"http://as.example.com/.well-known/openid-configuration\"",
    "\"[fe80::1]:0\"",
    "[\"GET api/a%20b\"]",
    "[\"GET api/..\"]",
    "[\"* api/x;y\"]",
    "[\"GET x/~1\"]",
    "[\"GET https://h.example/v1/a%2fb\"]",
    "\"https://a..b.com\"",
    "\"https://*.example.com\"",
    "\"https://-a.example.com\"",
    "\"https://api.example.com/t#x\"",
    "\"https://as.example.com?x\"",
    "\"https://as.example.com?a=/.well-known/openid-configuration\"",
    "\"https://as.example.com/t/.well-known/openid-configuration\"",
    "\"https://a b\"",
    "\"::1\"",
    "\"0.0.0.0\"",
    "\"8080\"",
    "\":8080\"",
    "\"localhost\"",
    "\"box:99999\"",
    "\"unix:x\"",
    "\"proxy.example.com:3128\"",
    "\"socks5://proxy:1080\"",
    "\"0777\"",
    "\"600\"",
    "\"a b\"",
    "[\"*\"]",
    "[\"Box.Example.com:80\"]",
    "[\"https://A.example/\"]",
    "[\"a.example\"]",
    "[\"/x\"]",
    "[\"foo\"]",
    "[\"127.0.0.1\"]",
];

#[test]
fn every_proposed_value_is_accepted_for_its_key() {
    let mut tried = 0;
    for key in KEYS.iter().filter(|key| key.kind != ValueKind::Secret) {
        for odd in ODD {
            let Some((of, remedy)) = problem_of(key.path, odd) else {
                continue;
            };
            if of != key.path || !remedy.starts_with("write ") {
                continue;
            }
            for one in proposed(&remedy) {
                let value = match key.kind {
                    ValueKind::Texts => format!("[{one}]"),
                    _ => one,
                };
                // Another key may be missing then, and a remedy may ask for that one.
                let again = problem_of(key.path, &value)
                    .filter(|(of, remedy)| of == key.path && !remedy.starts_with("set "));
                assert_eq!(again, None, "{} = {odd}: {remedy}: {value}", key.path);
                tried += 1;
            }
        }
    }
    assert!(tried > 400, "{tried}");
}

#[test]
fn what_to_write_instead_is_complete() {
    for (key, value, expected) in [
        ("guard.allow", "[\"GET api/v1\"]", "write \"GET /api/v1\""),
        (
            "token.issuer",
            "\"https://as.example.com/.well-known/oauth-authorization-server/tenant1\"",
            "write \"https://as.example.com/tenant1\"",
        ),
        (
            "token.issuer",
            "\"https://as.example.com/t/.well-known/openid-configuration?x\"",
            "write \"https://as.example.com/t\"",
        ),
        (
            "token.url",
            "\"http://h.example/a#f\"",
            "write \"https://h.example/a\"",
        ),
        (
            "upstream.url",
            "\"a\u{200b}b.com\"",
            "write \"https://ab.com\"",
        ),
    ] {
        let (_, remedy) = problem_of(key, value).unwrap_or_default();
        assert!(remedy.starts_with(expected), "{key} = {value}: {remedy}");
    }
}

#[test]
fn no_remedy_writes_a_restriction_as_if_nothing_were_restricted() {
    for (variable, value, expected) in [
        (
            "CUPBEARER_GUARD__READ_ONLY",
            "True",
            "guard.read_only = true",
        ),
        (
            "CUPBEARER_GUARD__DENY",
            "DELETE /**",
            "guard.deny = [\"DELETE /**\"]",
        ),
        (
            "CUPBEARER_GUARD__CALLERS__CI__READ_ONLY",
            "1",
            "guard.callers.ci.read_only = true",
        ),
        (
            "CUPBEARER_TLS__REQUIRE_CLIENT",
            "yes",
            "tls.require_client = true",
        ),
    ] {
        let said = said(load(&Overrides::default(), &with(&[(variable, value)])));
        assert!(said.contains(expected), "{variable}: {said}");
        assert!(
            !said.contains("= false") && !said.contains("= []"),
            "{said}"
        );
    }
}
