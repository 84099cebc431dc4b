//! Tokens with each kind of problem in their claims, and without any.

use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::{ENVIRONMENT, config};
use crate::vendor::SetupStep;

fn token(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
}

fn decoded(claims: &Value) -> DecodedToken {
    decode(&token(claims)).unwrap()
}

fn groups_of(value: &Value) -> (Finding, Vec<String>) {
    let config = config(&[]);
    groups(
        &decoded(&json!({ "groups": value })),
        &DoctorContext::new(&config, None),
    )
}

fn role_at(upstream: &str, roles: &[&str]) -> Finding {
    let config = config(&[("upstream.url", upstream)]);
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    role(&roles, &DoctorContext::new(&config, None))
}

#[test]
fn a_jwt_has_three_parts_of_which_two_are_objects() {
    let config = config(&[]);
    let context = DoctorContext::new(&config, None);
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
            form(bad, &context).0.outcome,
            Outcome::Ok,
            "an opaque token is not a problem"
        );
    }
    assert_eq!(form(&good, &context).0.outcome, Outcome::Ok);
}

#[test]
fn a_token_that_leaves_too_little_room_in_a_head_is_noted_and_pingones_own_api_has_less() {
    // In base64url, they are a third longer.
    let (long, longer) = ("x".repeat(4 << 10), "x".repeat(6 << 10));
    for (upstream, text, expected) in [
        ("https://api.example.com", "x", None),
        ("https://api.example.com", &long, None),
        (
            "https://api.example.com",
            &longer,
            Some("servers that limit the head of a request to 8 KiB"),
        ),
        ("https://api.pingone.eu", "x", None),
        (
            "https://api.pingone.eu",
            &long,
            Some("PingOne's own API, which limits the head of a request to 6 KiB"),
        ),
    ] {
        let config = config(&[("upstream.url", upstream)]);
        let token = token(&json!({ "a": text }));
        let (finding, _) = form(&token, &DoctorContext::new(&config, None));
        let said = finding
            .remedies
            .first()
            .map(|remedy| remedy.action.as_str());
        assert_eq!(
            said.is_some(),
            expected.is_some(),
            "{upstream}, {} bytes",
            token.len()
        );
        assert!(
            said.unwrap_or_default()
                .contains(expected.unwrap_or_default()),
            "{said:?}"
        );
    }
}

#[test]
fn groups_must_be_an_array_of_strings_which_step_2_sets() {
    let (finding, roles) = groups_of(&json!(["dev-tls-admin", "x"]));
    assert_eq!(
        (finding.outcome, finding.message.as_str()),
        (Outcome::Ok, "dev-tls-admin, x")
    );
    assert_eq!(roles, ["dev-tls-admin", "x"]);
    for (value, words) in [
        (
            json!("{\"dev-tls-admin\"}"),
            "one string, entered as plain text",
        ),
        (
            json!("{\u{201c}dev-tls-admin\u{201d}}"),
            "one string, entered with curly quotes",
        ),
        (json!([]), "empty"),
        (json!(["dev-tls-admin", 1]), "not of strings"),
        (json!({"0": "dev-tls-admin"}), "not an array"),
        (json!(null), "not an array"),
    ] {
        let (finding, roles) = groups_of(&value);
        assert_eq!(
            finding.outcome,
            Outcome::Failed(FailureKind::Other),
            "{value}"
        );
        assert!(
            finding.message.contains(words),
            "{value}: {}",
            finding.message
        );
        assert_eq!(finding.remedies.len(), 1);
        assert_eq!(finding.remedies[0].step, Some(SetupStep::Attributes));
        assert!(roles.is_empty());
    }
    let pingone = config(&[]);
    let (missing, _) = groups(&decoded(&json!({})), &DoctorContext::new(&pingone, None));
    assert_eq!(missing.outcome, Outcome::Failed(FailureKind::Other));
    assert_eq!(missing.remedies[0].step, Some(SetupStep::Attributes));
}

#[test]
fn groups_are_not_checked_for_other_apis_and_other_servers() {
    for setting in [
        ("upstream.url", "https://api.example.com"),
        ("token.url", "https://as.example.com/token"),
    ] {
        let config = config(&[setting]);
        let (finding, _) = groups(&decoded(&json!({})), &DoctorContext::new(&config, None));
        assert_eq!(finding.outcome, Outcome::Skipped, "{setting:?}");
    }
}

#[test]
fn a_role_must_match_the_environment_and_the_api_in_the_host_name() {
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
            finding.message
        );
        if outcome == Outcome::Note {
            assert_eq!(finding.remedies[0].step, Some(SetupStep::Attributes));
        }
    }
    let reading = role_at(&of(own, "dev"), &["dev-tls-audit", "prod-tls-admin"]);
    assert_eq!(reading.message, "dev-tls-audit: for reading only");
}

#[test]
fn the_issuer_must_belong_to_the_token_endpoint() {
    let config = config(&[]);
    let context = DoctorContext::new(&config, None);
    let ours = format!("https://auth.pingone.eu/{ENVIRONMENT}/as");
    for (iss, outcome) in [
        (json!(ours), Outcome::Ok),
        (json!("https://auth.example.com/as"), Outcome::Note),
        (json!(null), Outcome::Note),
    ] {
        let finding = issuer(&decoded(&json!({ "iss": iss })), &context);
        assert_eq!(finding.outcome, outcome, "{iss}");
    }
}

#[test]
fn an_expired_token_and_a_lifetime_shorter_than_expires_in_are_noted() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let hour = Duration::from_hours(1);
    for (claims, outcome, words) in [
        (
            json!({"iat": 1_000_000, "exp": 1_003_600}),
            Outcome::Ok,
            "in 1h",
        ),
        (json!({"exp": 1_003_600}), Outcome::Ok, "in 1h"),
        (json!({}), Outcome::Ok, "the token endpoint said 1h"),
        (
            json!({"iat": 1_000_000, "exp": 1_000_300}),
            Outcome::Note,
            "expires_in says 1h",
        ),
        (json!({"exp": 992_800}), Outcome::Note, "2h ago"),
        (
            json!({"exp": 1_893_456_000_000_u64}),
            Outcome::Note,
            "probably in milliseconds",
        ),
        (json!({"exp": 1e18}), Outcome::Note, "after the year 9999"),
        (
            json!({"exp": 253_402_300_800_u64}),
            Outcome::Note,
            "after the year 9999",
        ),
    ] {
        let finding = expiry(&decoded(&claims), hour, now);
        assert_eq!(finding.outcome, outcome, "{claims}");
        assert!(
            finding.message.contains(words),
            "{claims}: {}",
            finding.message
        );
    }
}

#[test]
fn a_requested_scope_that_was_not_granted_is_noted_at_step_6() {
    let config = config(&[("token.scope", "a b")]);
    let context = DoctorContext::new(&config, None);
    let both = scope(&decoded(&json!({"scope": "b c a"})), &context);
    assert_eq!(both.outcome, Outcome::Ok);
    let one = scope(&decoded(&json!({"scope": "a"})), &context);
    assert_eq!(one.outcome, Outcome::Note);
    assert!(
        one.message.starts_with("b was requested"),
        "{}",
        one.message
    );
    assert_eq!(one.remedies[0].step, Some(SetupStep::Resources));
}

#[test]
fn scopes_are_read_from_a_text_or_a_list_in_either_claim_and_default_scopes_are_not_looked_for() {
    let config = config(&[("token.scope", "a b")]);
    let context = DoctorContext::new(&config, None);
    for claims in [
        json!({"scope": ["a", "b"]}),
        json!({"scp": ["a", "b"]}),
        json!({"scp": "a b"}),
    ] {
        let found = scope(&decoded(&claims), &context);
        assert_eq!(found.outcome, Outcome::Ok, "{claims}: {}", found.message);
    }
    let entra = self::config(&[("token.scope", "api://1/.default")]);
    let context = DoctorContext::new(&entra, None);
    for claims in [json!({"roles": ["x"]}), json!({"scp": "x"})] {
        let found = scope(&decoded(&claims), &context);
        assert_eq!(found.outcome, Outcome::Ok, "{claims}: {}", found.message);
    }
}
