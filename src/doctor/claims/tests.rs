//! Tokens with every kind of problem in their claims, and without.

use serde_json::json;

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::{ENVIRONMENT, config};

fn token(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
}

fn decoded(claims: &Value) -> Decoded {
    decode(&token(claims)).unwrap()
}

fn groups_of(value: &Value) -> (Finding, Vec<String>) {
    let config = config(&[]);
    groups(
        &decoded(&json!({ "groups": value })),
        &Scene::of(&config, None),
    )
}

fn role_at(upstream: &str, roles: &[&str]) -> Finding {
    let config = config(&[("upstream.url", upstream)]);
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    role(&roles, &Scene::of(&config, None))
}

#[test]
fn only_three_parts_with_two_objects_are_a_jwt() {
    let good = token(&json!({"a": 1}));
    assert_eq!(decode(&good).unwrap().claims["a"], 1);
    let padded = good.replacen('.', "=.", 1);
    assert!(decode(&padded).is_some());
    let two = good.rsplit_once('.').unwrap().0.to_owned();
    let parts: Vec<&str> = good.split('.').collect();
    for bad in [
        "",
        "opaque",
        &two,
        &format!("{good}.x"),
        &format!("{}.W10.x", parts[0]),
        "a.b.c",
    ] {
        assert_eq!(decode(bad), None, "{bad}");
        assert_eq!(
            form(bad).0.outcome,
            Outcome::Ok,
            "an opaque token is no fault"
        );
    }
    assert_eq!(form(&good).0.outcome, Outcome::Ok);
    let large = token(&json!({"a": "x".repeat(LARGE)}));
    assert_eq!(form(&large).0.outcome, Outcome::Note);
}

#[test]
fn groups_must_be_an_array_of_strings_and_step_2_is_where_that_is_set() {
    let (finding, roles) = groups_of(&json!(["dev-tls-admin", "x"]));
    assert_eq!(
        (finding.outcome, finding.said.as_str()),
        (Outcome::Ok, "dev-tls-admin, x")
    );
    assert_eq!(roles, ["dev-tls-admin", "x"]);
    for (value, words) in [
        (
            json!("{\"dev-tls-admin\"}"),
            "one string, typed as plain text",
        ),
        (
            json!("{\u{201c}dev-tls-admin\u{201d}}"),
            "one string, pasted with curly quotes",
        ),
        (json!([]), "empty"),
        (json!(["dev-tls-admin", 1]), "not of strings"),
        (json!({"0": "dev-tls-admin"}), "not an array"),
        (json!(null), "not an array"),
    ] {
        let (finding, roles) = groups_of(&value);
        assert_eq!(finding.outcome, Outcome::Failed(Blame::Other), "{value}");
        assert!(finding.said.contains(words), "{value}: {}", finding.said);
        assert_eq!(finding.ways.len(), 1);
        assert_eq!(finding.ways[0].step, Some(Step::Attributes));
        assert!(roles.is_empty());
    }
    let pingone = config(&[]);
    let (missing, _) = groups(&decoded(&json!({})), &Scene::of(&pingone, None));
    assert_eq!(missing.outcome, Outcome::Failed(Blame::Other));
    assert_eq!(missing.ways[0].step, Some(Step::Attributes));
}

#[test]
fn other_apis_and_other_servers_are_not_asked_for_groups() {
    for setting in [
        ("upstream.url", "https://api.example.com"),
        ("token.url", "https://as.example.com/token"),
    ] {
        let config = config(&[setting]);
        let (finding, _) = groups(&decoded(&json!({})), &Scene::of(&config, None));
        assert_eq!(finding.outcome, Outcome::Skipped, "{setting:?}");
    }
}

#[test]
fn a_role_fits_the_environment_and_the_api_of_the_upstreams_name() {
    let of = |api: &str, environment: &str| format!("https://{api}.{environment}-x.us1.ping.cloud");
    let (own, access, federate) = (
        "self-service-api",
        "pingaccess-admin-api",
        "pingfederate-admin-api",
    );
    for (upstream, role, outcome) in [
        (of(own, "dev"), "dev-tls-admin", Outcome::Ok),
        (of(own, "dev"), "all-tls-audit", Outcome::Ok),
        (of(own, "prod"), "all-ss-admin", Outcome::Ok),
        (of(own, "prod"), "dev-tls-admin", Outcome::Note),
        (of(own, "dev"), "dev-pa-admin", Outcome::Note),
        (of(own, "dev"), "dev-tls", Outcome::Note),
        (of(access, "test"), "test-pa-admin", Outcome::Ok),
        (of(access, "test"), "all-ss-admin", Outcome::Note),
        (of(federate, "stage"), "stage-pf-audit", Outcome::Ok),
        (of(own, "qa"), "dev-tls-admin", Outcome::Skipped),
    ] {
        let finding = role_at(&upstream, &["unrelated", role]);
        assert_eq!(
            finding.outcome, outcome,
            "{upstream} {role}: {}",
            finding.said
        );
        if outcome == Outcome::Note {
            assert_eq!(finding.ways[0].step, Some(Step::Attributes));
        }
    }
    let reading = role_at(&of(own, "dev"), &["dev-tls-audit", "prod-tls-admin"]);
    assert_eq!(reading.said, "dev-tls-audit: for reading only");
}

#[test]
fn the_issuer_is_the_one_that_the_endpoint_stands_for() {
    let config = config(&[]);
    let scene = Scene::of(&config, None);
    let ours = format!("https://auth.pingone.eu/{ENVIRONMENT}/as");
    for (iss, outcome) in [
        (json!(ours), Outcome::Ok),
        (json!("https://auth.example.com/as"), Outcome::Note),
        (json!(null), Outcome::Note),
    ] {
        let finding = issuer(&decoded(&json!({ "iss": iss })), &scene);
        assert_eq!(finding.outcome, outcome, "{iss}");
    }
}

#[test]
fn a_token_that_is_over_or_shorter_than_said_is_noted() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let hour = Duration::from_hours(1);
    for (claims, outcome, words) in [
        (
            json!({"iat": 1_000_000, "exp": 1_003_600}),
            Outcome::Ok,
            "in 1h",
        ),
        (json!({"exp": 1_003_600}), Outcome::Ok, "in 1h"),
        (json!({}), Outcome::Ok, "the answer said 1h"),
        (
            json!({"iat": 1_000_000, "exp": 1_000_300}),
            Outcome::Note,
            "expires_in says 1h",
        ),
        (json!({"exp": 992_800}), Outcome::Note, "2h ago"),
    ] {
        let finding = expiry(&decoded(&claims), hour, now);
        assert_eq!(finding.outcome, outcome, "{claims}");
        assert!(finding.said.contains(words), "{claims}: {}", finding.said);
    }
}

#[test]
fn a_scope_that_was_asked_for_and_not_granted_is_noted_at_step_6() {
    let config = config(&[("token.scope", "a b")]);
    let scene = Scene::of(&config, None);
    let both = scope(&decoded(&json!({"scope": "b c a"})), &scene);
    assert_eq!(both.outcome, Outcome::Ok);
    let one = scope(&decoded(&json!({"scope": "a"})), &scene);
    assert_eq!(one.outcome, Outcome::Note);
    assert!(one.said.starts_with("b was asked for"), "{}", one.said);
    assert_eq!(one.ways[0].step, Some(Step::Resources));
}
