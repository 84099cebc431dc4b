//! `token.grant = "paste"`, and who else may use a person's token.

use super::{complaints, environment, from_bytes, said, with};
use crate::config::{Loaded, role_doubts};

fn loaded(text: &str) -> Loaded {
    let result = from_bytes(text.as_bytes(), &environment(&[]));
    result.unwrap_or_else(|problems| panic!("{problems}"))
}

fn login_url(upstream: &str, more: &str) -> Option<String> {
    let text = format!("[upstream]\nurl = \"{upstream}\"\n[token]\ngrant = \"paste\"\n{more}");
    let loaded = loaded(&text);
    let sign_in = loaded.config.token.sign_in().unwrap();
    sign_in.login_url.as_ref().map(ToString::to_string)
}

#[test]
fn the_page_to_sign_in_on_is_known_for_pingone_advanced_services() {
    const HOST: &str = "dev-example.eu1.ping.cloud";
    for (api, application) in [
        ("self-service-api", "self-service"),
        ("pingaccess-admin-api", "pingaccess"),
        ("pingfederate-admin-api", "pingfederate"),
    ] {
        assert_eq!(
            login_url(&format!("https://{api}.{HOST}"), ""),
            Some(format!(
                "https://self-service-api.{HOST}/api/v1/auth/login/{application}"
            ))
        );
    }
    assert_eq!(login_url("https://api.example.com", ""), None);
    assert_eq!(login_url("https://self-service-api.example.com", ""), None);
    let own = "login_url = \"https://sso.example.com/copy\"\n";
    assert_eq!(
        login_url(&format!("https://self-service-api.{HOST}"), own).as_deref(),
        Some("https://sso.example.com/copy")
    );
}

#[test]
fn a_login_url_must_be_encrypted_and_complete() {
    for (url, problem) in [
        ("http://sso.example.com/", "is not encrypted"),
        ("sso.example.com", "is not a URL"),
        ("javascript:alert(1)", "is not an https address"),
        ("https://user:pw@sso.example.com/", "contains a user name"),
    ] {
        let text = format!("[token]\ngrant = \"paste\"\nlogin_url = \"{url}\"\n");
        let found = complaints(&text);
        assert!(
            found.contains("token.login_url") && found.contains(problem),
            "{found}"
        );
    }
    let local = "[token]\ngrant = \"paste\"\nlogin_url = \"http://localhost:1234/copy\"\n";
    assert_eq!(complaints(local), "");
}

#[test]
fn a_persons_token_is_not_shared_unless_it_is_set() {
    let shared = "guard.share_login = true";
    let mut refused = vec![
        (
            "listen = \"0.0.0.0:6749\"\nguard.network = \"open\"",
            "listen: ",
        ),
        (
            "listen = \"unix:/tmp/x.sock\"\nlisten_mode = \"0660\"",
            "listen_mode: ",
        ),
        (
            "listen = \"unix:/tmp/x.sock\"\nlisten_mode = \"0666\"",
            "listen_mode: ",
        ),
    ];
    if cfg!(target_os = "linux") {
        refused.extend([
            ("guard.local_users = \"any\"", "guard.local_users: "),
            ("guard.local_users = [0, 1000]", "guard.local_users: "),
            (
                "listen = \"unix:/tmp/x.sock\"\nguard.local_users = \"any\"",
                "guard.local_users: ",
            ),
        ]);
    }
    for (text, key) in refused {
        let paste = format!("{text}\n[token]\ngrant = \"paste\"\n");
        let found = complaints(&paste);
        assert!(found.starts_with(key), "{text}: {found}");
        assert!(found.contains(shared), "{text}: {found}");
        assert_eq!(complaints(&format!("{shared}\n{paste}")), "", "{text}");
        assert_eq!(complaints(text), "", "{text}: with another grant");
    }
    for text in [
        "",
        "listen = \"unix:/tmp/x.sock\"",
        "listen = \"127.0.0.1:6749\"",
    ] {
        assert_eq!(
            complaints(&format!("{text}\n[token]\ngrant = \"paste\"\n")),
            ""
        );
    }
}

#[test]
fn keys_that_have_no_effect_cause_a_warning() {
    let text =
        "upstream.url = \"https://api.example.com\"\n[token]\ngrant = \"paste\"\nscope = \"a\"\n";
    let warnings = loaded(text).warnings.join("\n");
    assert!(
        warnings.contains("token.scope is set, but token.grant = \"paste\" does not use it"),
        "{warnings}"
    );
    let other = "[token]\nlogin_url = \"https://sso.example.com/\"\n";
    let warnings = from_bytes(other.as_bytes(), &with(&[]))
        .unwrap()
        .warnings
        .join("\n");
    assert!(
        warnings.contains("token.login_url is set, but"),
        "{warnings}"
    );
    let both = "[token]\ngrant = \"paste\"\nsource = { file = \"/tmp/token\" }\n";
    assert!(
        said(from_bytes(both.as_bytes(), &environment(&[])))
            .contains("token.grant: cannot be used")
    );
}

#[test]
fn a_token_of_another_environment_is_doubtful() {
    let text = "[upstream]\nurl = \"https://self-service-api.dev-example.eu1.ping.cloud\"\n[token]\ngrant = \"paste\"\n";
    let loaded = loaded(text);
    let sign_in = loaded.config.token.sign_in().unwrap();
    let doubts = |groups: serde_json::Value| {
        let claims = serde_json::json!({ "groups": groups });
        role_doubts(sign_in.api.as_ref(), claims.as_object().unwrap()).join("\n")
    };
    assert_eq!(doubts(serde_json::json!(["dev-tls-admin"])), "");
    let found = doubts(serde_json::json!(["prod-tls-admin"]));
    assert!(
        found.contains("of the environment dev") && found.contains("\"prod-tls-admin\""),
        "{found}"
    );
    assert!(doubts(serde_json::json!("dev-tls-admin")).contains("one string"));
    assert!(doubts(serde_json::Value::Null).contains("not an array"));
}

#[test]
fn a_person_who_could_not_sign_in_for_want_of_a_listener_is_a_warning() {
    let paste = "token.grant = \"paste\"\n";
    let browser = "token.grant = \"authorization_code\"\ntoken.issuer = \"https://as.example.com\"\n\
                   token.client_id = \"id\"\ntoken.auth = \"none\"\n";
    let device = browser.replace("authorization_code", "device_code");
    for person in [paste, browser, &device] {
        let text = format!("upstream.url = \"https://api.example.com\"\n{person}");
        assert_eq!(loaded(&text).warnings, [""; 0], "{text}");
        let text = format!("admin.listen = \"off\"\n{text}");
        let warnings = loaded(&text).warnings;
        let [warning] = &warnings[..] else {
            panic!("{text}: {warnings:?}")
        };
        assert!(
            warning.starts_with("admin.listen is \"off\", so nobody can sign in to this proxy"),
            "{warning}"
        );
    }
    let machine = "admin.listen = \"off\"\nupstream.url = \"https://api.example.com\"\n\
                   token.source = { file = \"/run/token\" }\n";
    assert_eq!(loaded(machine).warnings, [""; 0]);
}
