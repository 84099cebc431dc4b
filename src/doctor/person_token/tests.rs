use serde_json::{Value, json};

use super::*;
use crate::doctor::claims;
use crate::doctor::context::DoctorContext;
use crate::doctor::finding::Outcome;
use crate::doctor::sample::config;

fn token_in(sign_in: &Value, usable_for_s: u64) -> Option<PersonToken> {
    let status = json!({
        "name": "cupbearer",
        "listens_on": [],
        "upstream": "https://api.example.com",
        "token": { "state": "fresh", "usable_for_s": usable_for_s, "lifetime_s": 3600, "sign_in": sign_in },
    });
    PersonToken::in_status(serde_json::from_value(status).unwrap())
}

#[test]
fn the_status_says_who_is_signed_in_and_what_the_token_contains() {
    assert!(token_in(&Value::Null, 60).is_none());
    assert!(token_in(&json!({ "is_signed_in": false, "who": "Ada" }), 60).is_none());

    let claims = json!({ "iss": "https://as.example.com", "groups": ["dev-tls-admin"] });
    let ada = json!({ "is_signed_in": true, "who": "Ada\u{1b}[2J", "claims": claims });
    let token = token_in(&ada, 60).unwrap();
    let person = token.person();
    assert_eq!(person.outcome, Outcome::Ok);
    assert!(person.message.starts_with("Ada") && !person.message.contains('\u{1b}'));
    assert!(
        person.message.ends_with("usable for another 1m"),
        "{}",
        person.message
    );
    assert_eq!(token.form().message, "a JWT");
    assert_eq!(
        token.content.unwrap().text("iss"),
        Some("https://as.example.com")
    );

    let opaque = token_in(&json!({ "is_signed_in": true }), 60).unwrap();
    assert!(opaque.person().message.starts_with("a person is signed in"));
    assert!(opaque.form().message.starts_with("an opaque token"));
    let none = token_in(&json!({ "is_signed_in": true }), 0).unwrap();
    assert_eq!(none.person().outcome, Outcome::Note);
    assert_eq!(none.form().outcome, Outcome::Skipped);
}

#[test]
fn a_pasted_token_for_advanced_services_needs_groups_and_the_remedy_is_the_users_attribute() {
    let paste = config(&[("token.url", "https://as.example.com/token")]);
    let context = DoctorContext::new(&paste, None);
    let of = |claims: Value, context: &DoctorContext<'_>| {
        let token = DecodedToken {
            header: Map::new(),
            claims: claims.as_object().unwrap().clone(),
        };
        claims::groups(&token, context)
    };
    // A machine's token of another authorization server: what it contains is only shown.
    let (shown, roles) = of(json!({ "groups": ["a"], "roles": ["b", "c"] }), &context);
    assert_eq!((shown.outcome, &*shown.message), (Outcome::Ok, "a, b, c"));
    assert!(roles.is_empty());
    assert_eq!(of(json!({}), &context).0.outcome, Outcome::Skipped);

    let paste = person("https://self-service-api.dev-x.us1.ping.cloud");
    let context = DoctorContext::new(&paste, None);
    let (missing, _) = of(json!({ "roles": ["b"] }), &context);
    assert!(matches!(missing.outcome, Outcome::Failed(_)));
    assert_eq!(missing.message, "the token has no claim groups");
    assert!(
        missing.remedies[0]
            .action
            .contains("an attribute of your user")
    );
    let (found, roles) = of(json!({ "groups": ["dev-tls-admin"] }), &context);
    assert_eq!(found.outcome, Outcome::Ok);
    assert_eq!(roles, ["dev-tls-admin"]);
    assert_eq!(claims::role(&roles, &context).outcome, Outcome::Ok);
}

/// A configuration with a person who copies tokens.
fn person(upstream: &str) -> Config {
    use crate::config::{Overrides, Surroundings, load_text};
    let text = format!("upstream.url = \"{upstream}\"\ntoken.grant = \"paste\"\n");
    let loaded = load_text(&text, &Overrides::default(), &Surroundings::default());
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}
