//! `token.grant = "authorization_code"`.

use super::{environment, from_bytes, said};
use crate::config::{ConfigProblems, Endpoint, Loaded};

const GIVEN: &str = "upstream.url = \"https://api.example.com\"\ntoken.grant = \"authorization_code\"\n\
                     token.client_id = \"id\"\ntoken.auth = \"none\"\n";

fn read(more: &str) -> Result<Loaded, ConfigProblems> {
    read_all(&format!("{GIVEN}{more}"))
}

fn read_all(text: &str) -> Result<Loaded, ConfigProblems> {
    from_bytes(text.as_bytes(), &environment(&[]))
}

#[test]
fn an_issuer_names_every_endpoint_and_a_token_url_needs_the_address_where_a_person_signs_in() {
    let loaded = read("token.issuer = \"https://as.example.com\"").unwrap();
    let login = loaded.config.token.login().unwrap();
    assert_eq!(login.issuer.as_deref(), Some("https://as.example.com"));
    assert_eq!(
        login.redirect_url.as_str(),
        "http://127.0.0.1:6753/callback"
    );
    assert!(loaded.config.token.is_of_person());
    let pingone = "token.pingone.region = \"eu\"\n\
                   token.pingone.environment_id = \"0b1c5e6a-7d0f-4f0e-9c52-3a1de0c0ffee\"";
    let loaded = read(pingone).unwrap();
    let grant = loaded.config.token.grant().unwrap();
    assert!(matches!(&grant.endpoint, Endpoint::Issuer { issuer, .. } if issuer.ends_with("/as")));
    let url = "token.url = \"https://as.example.com/token\"\n";
    let alone = said(read(url));
    assert!(alone.contains("token.authorization_url"), "{alone}");
    let given = format!("{url}token.authorization_url = \"https://as.example.com/authorize\"");
    let loaded = read(&given).unwrap();
    assert!(
        loaded
            .config
            .token
            .login()
            .unwrap()
            .authorization_url
            .is_some()
    );
}

#[test]
fn the_redirect_must_be_an_address_of_its_own_on_this_machine() {
    for (redirect, complaint) in [
        ("https://127.0.0.1:6753/callback", "loopback"),
        ("http://192.0.2.1:6753/callback", "loopback"),
        ("http://127.0.0.1/callback", "no port"),
        ("http://127.0.0.1:6753/callback?x=1", "more than"),
        ("http://127.0.0.1:6753/", "path of its own"),
        ("http://127.0.0.1:6753/start/x", "path of its own"),
        ("http://127.0.0.1:6753/rejected", "path of its own"),
        ("http://127.0.0.1:6753/callback;x", "semicolon"),
        ("http://127.0.0.1:6749/callback", "this proxy itself"),
        ("http://localhost:6750/callback", "admin listener"),
    ] {
        let text = format!(
            "token.issuer = \"https://as.example.com\"\ntoken.redirect_url = \"{redirect}\""
        );
        let found = said(read(&text));
        assert!(found.contains(complaint), "{redirect}: {found}");
    }
}

#[test]
fn whoever_else_may_connect_would_act_as_the_person() {
    let issuer = "token.issuer = \"https://as.example.com\"\n";
    let open = said(read(&format!("{issuer}guard.local_users = \"any\"")));
    if cfg!(target_os = "linux") {
        assert!(open.contains("guard.share_login"), "{open}");
    }
    let network = format!("{issuer}listen = \"0.0.0.0:6749\"\nguard.network = \"open\"");
    assert!(said(read(&network)).contains("guard.share_login"));
    assert!(read(&format!("{network}\nguard.share_login = true")).is_ok());
    let without_id = GIVEN.replace("token.client_id = \"id\"\n", "");
    let missing = said(read_all(&format!("{without_id}{issuer}")));
    assert!(missing.contains("token.client_id"), "{missing}");
}

#[test]
fn a_code_for_another_device_needs_an_address_to_request_it_and_no_redirect() {
    let given = GIVEN.replace("authorization_code", "device_code");
    let read = |more: &str| read_all(&format!("{given}{more}"));
    let loaded = read("token.issuer = \"https://as.example.com\"").unwrap();
    let token = &loaded.config.token;
    assert!(token.is_of_person());
    assert!(token.login().unwrap().is_device_only);
    let url = "token.url = \"https://as.example.com/token\"\n";
    let alone = said(read(url));
    assert!(alone.contains("token.device_url"), "{alone}");
    let plain = said(read(&format!(
        "{url}token.device_url = \"http://as.example.com/device\""
    )));
    assert!(plain.contains("token.device_url"), "{plain}");
    let given = format!("{url}token.device_url = \"https://as.example.com/device\"");
    assert!(read(&given).is_ok());
    // Nothing listens there.
    let own = format!("{given}\nlisten = \"127.0.0.1:6753\"");
    assert!(read(&own).is_ok());
    let unused = read(&format!(
        "{given}\ntoken.redirect_url = \"http://127.0.0.1:1/x\""
    ));
    let warnings = unused.unwrap().warnings.join("\n");
    assert!(warnings.contains("token.redirect_url"), "{warnings}");
}
