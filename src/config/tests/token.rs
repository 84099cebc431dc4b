//! `token.*`: endpoints, audiences, credentials and grants.

use super::*;

#[test]
fn a_token_endpoint_needs_https_beyond_loopback() {
    for (url, allowed, good) in [
        ("http://as.example.com/t", "false", false),
        ("http://as.example.com/t", "true", true),
        ("http://127.0.0.1:1/t", "false", true),
        ("https://as.example.com/t?x=1", "false", true),
        ("https://as.example.com/t#x", "false", false),
    ] {
        let variables = with(&[
            ("CUPBEARER_TOKEN__URL", url),
            ("CUPBEARER_TOKEN__ALLOW_PLAINTEXT", allowed),
        ]);
        assert_eq!(
            load(&Overrides::default(), &variables).is_ok(),
            good,
            "{url} {allowed}"
        );
    }
}

#[test]
fn an_issuer_is_kept_as_written_and_needs_https_beyond_loopback() {
    for (issuer, expected) in [
        ("https://as.example.com", ""),
        ("https://as.example.com/tenant/", ""),
        ("http://127.0.0.1:1/as", ""),
        ("http://as.example.com", "would send the secret unencrypted"),
        ("https://as.example.com?x", "has a query or a fragment"),
        ("as.example.com", "has no scheme"),
        (
            "https://as.example.com/t/.well-known/openid-configuration",
            "write \"https://as.example.com/t\"",
        ),
    ] {
        let mut variables = ENOUGH.to_vec();
        variables[1] = ("CUPBEARER_TOKEN__ISSUER", issuer);
        let loaded = load(&Overrides::default(), &environment(&variables));
        if let Ok(loaded) = &loaded {
            assert_eq!(
                loaded.config.token.grant().unwrap().endpoint.as_str(),
                issuer
            );
            assert_eq!(
                loaded.config.token.grant().unwrap().assertion.audience,
                issuer
            );
        }
        let said = said(loaded);
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{issuer}: {said}"
        );
    }
}

#[test]
fn the_audience_of_an_assertion_is_the_issuer_where_it_is_known() {
    let id = "0123abcd-4567-89ab-cdef-0123456789ab";
    for (variables, audience) in [
        (&[ENOUGH[1]][..], "https://as.example.com/token".to_owned()),
        (
            &[ENOUGH[1], ("CUPBEARER_TOKEN__AUDIENCE", "urn:as")],
            "urn:as".to_owned(),
        ),
        (
            &[
                ("CUPBEARER_TOKEN__PINGONE__REGION", "eu"),
                ("CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID", id),
            ],
            format!("https://auth.pingone.eu/{id}/as"),
        ),
        (
            &[("CUPBEARER_TOKEN__PINGONE__DOMAIN", "auth.example.com")],
            "https://auth.example.com/as".to_owned(),
        ),
    ] {
        let all = [&[ENOUGH[0], ENOUGH[2], ENOUGH[3]], variables].concat();
        let loaded = load(&Overrides::default(), &environment(&all)).unwrap();
        assert_eq!(
            loaded.config.token.grant().unwrap().assertion.audience,
            audience
        );
    }
}

#[test]
fn a_credential_that_the_method_does_not_use_is_a_warning() {
    let loaded = load(
        &Overrides::default(),
        &with(&[("CUPBEARER_TOKEN__PRIVATE_KEY__FILE", "k.pem")]),
    )
    .unwrap();
    assert_eq!(
        loaded.warnings,
        ["token.private_key is set, but token.auth does not use it"]
    );
}

#[test]
fn pingone_is_a_region_with_an_environment_or_a_domain() {
    let id = "0123abcd-4567-89ab-cdef-0123456789ab";
    let endpoint = |more: &[(&str, &str)]| {
        let mut variables = ENOUGH.to_vec();
        variables.remove(1);
        variables.extend(more);
        load(&Overrides::default(), &environment(&variables))
            .map(|loaded| loaded.config.token.grant().unwrap().endpoint.to_string())
    };
    let region = ("CUPBEARER_TOKEN__PINGONE__REGION", "AP");
    let environment_id = ("CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID", id);
    let domain = ("CUPBEARER_TOKEN__PINGONE__DOMAIN", "auth.example.com");

    assert_eq!(
        endpoint(&[region, environment_id]).unwrap(),
        format!("https://auth.pingone.asia/{id}/as/token")
    );
    assert_eq!(
        endpoint(&[domain]).unwrap(),
        "https://auth.example.com/as/token"
    );
    for (more, key) in [
        (&[region][..], "token.pingone.environment_id"),
        (&[environment_id], "token.pingone.region"),
        (&[domain, region], "token.pingone.domain"),
        (&[], "token.url"),
    ] {
        let problems = endpoint(more).unwrap_err();
        assert_eq!(
            problems
                .iter()
                .map(|one| one.key.as_str())
                .collect::<Vec<_>>(),
            [key]
        );
    }
}

#[test]
fn a_grant_needs_what_it_is_requested_with_and_a_client_that_fits() {
    const ASSERTION: &str = "assertion = { file = \"a\" }\n";
    const KEY: &str = "private_key = { file = \"k\" }\n";
    for (lines, expected) in [
        (
            "auth = \"none\"\n",
            "token.auth: \"none\" cannot be used with",
        ),
        ("grant = \"jwt_bearer\"\n", "token.assertion: is not set"),
        (
            "grant = \"jwt_bearer\"\nauth = \"private_key_jwt\"\nprivate_key = { file = \"k\" }\n",
            "token.grant: jwt_bearer has no assertion",
        ),
        (
            "grant = \"jwt_bearer\"\nprivate_key = { file = \"k\" }\nclaims = { exp = \"1\" }\n",
            "token.claims: exp is new for each assertion",
        ),
        (
            "grant = \"token_exchange\"\nsubject_token = { file = \"s\" }\n",
            "token.subject_token_type: is missing",
        ),
        (
            "grant = \"token_exchange\"\nsubject_token = { file = \"s\" }\nsubject_token_type = \"x\"\nactor_token = { file = \"a\" }\n",
            "token.actor_token_type: is missing",
        ),
        ("accept_type = \"n_a\"\n", "token.accept_type: N_A means"),
        (
            "params = { assertion = \"x\" }\n",
            "token.params: assertion is set by",
        ),
        (&format!("grant = \"jwt_bearer\"\n{ASSERTION}"), ""),
        (
            &format!("grant = \"jwt_bearer\"\nauth = \"none\"\n{ASSERTION}"),
            "",
        ),
        (
            &format!("grant = \"jwt_bearer\"\n{KEY}claims = {{ iss = \"me\" }}\n"),
            "",
        ),
        (
            "auth = \"client_assertion\"\nclient_assertion = { file = \"a\" }\n",
            "",
        ),
    ] {
        let text = format!("[token]\n{lines}");
        let outcome = from_bytes(text.as_bytes(), &environment(&ENOUGH));
        let said = if outcome.is_ok() {
            String::new()
        } else {
            said(outcome)
        };
        let fits = if expected.is_empty() {
            said.is_empty()
        } else {
            said.contains(expected)
        };
        assert!(fits, "{lines}: {said}");
    }
}

#[test]
fn with_jwt_bearer_no_client_authenticates_unless_it_has_a_credential() {
    const WITHOUT_CLIENT: [(&str, &str); 2] = [ENOUGH[0], ENOUGH[1]];
    let load = |lines: &str| {
        let text = format!("[token]\n{lines}\n");
        from_bytes(text.as_bytes(), &environment(&WITHOUT_CLIENT))
    };
    for grant in [
        "grant = \"jwt_bearer\"\nassertion = { file = \"a\" }",
        "grant = \"jwt_bearer\"\nprivate_key = { file = \"k\" }\nclaims = { iss = \"me\" }",
    ] {
        let loaded = load(grant).unwrap();
        assert_eq!(loaded.warnings, [""; 0], "{grant}");
        let token = loaded.config.token.grant().unwrap();
        assert_eq!(
            (token.auth, token.client_id.as_str()),
            (ClientAuth::None, "")
        );
        let shown = row(&loaded, "token.auth");
        assert_eq!((&*shown.value, &*shown.source), ("\"none\"", "default"));

        let secret = "client_id = \"id\"\nclient_secret = { file = \"s\" }";
        let loaded = load(&format!("{grant}\n{secret}")).unwrap();
        assert_eq!(loaded.config.token.grant().unwrap().auth, ClientAuth::Basic);
        assert_eq!(row(&loaded, "token.auth").value, "\"client_secret_basic\"");

        for credential in [
            "client_assertion = { file = \"c\" }",
            "client_cert_file = \"c.pem\"\nclient_key_file = \"k.pem\"",
            "auth = \"client_secret_basic\"",
        ] {
            let said = said(load(&format!("{grant}\nclient_id = \"id\"\n{credential}")));
            assert!(said.contains("token.client_secret: is missing"), "{said}");
        }
    }
    // The key does not sign the assertion here, so the client may be meant to authenticate with it.
    let said = said(load(
        "grant = \"jwt_bearer\"\nassertion = { file = \"a\" }\nclient_id = \"id\"\nprivate_key = { file = \"k\" }",
    ));
    assert!(said.contains("token.client_secret: is missing"), "{said}");
}

#[test]
fn without_a_credential_a_token_exchange_is_told_of_none() {
    let exchange = "[token]\nclient_id = \"id\"\ngrant = \"token_exchange\"\nsubject_token = { file = \"s\" }\n\
                    subject_token_type = \"urn:x\"\n";
    let load = |more: &str| {
        let text = format!("{exchange}{more}");
        from_bytes(text.as_bytes(), &environment(&ENOUGH[..2]))
    };
    assert_eq!(
        said(load("")),
        "token.client_secret: is missing: write token.client_secret = { file = \"/run/secrets/client_secret\" }, or \
         token.auth = \"none\" if the server exchanges tokens without authentication of the client\n"
    );
    assert_eq!(said(load("auth = \"none\"\n")), "");
    let named = said(load("auth = \"client_secret_post\"\n"));
    assert!(!named.contains("none"), "{named}");
}

#[test]
fn what_a_grant_does_not_use_is_a_warning() {
    for (lines, unused) in [
        ("assertion = { file = \"a\" }\n", "token.assertion"),
        ("subject_token = { file = \"a\" }\n", "token.subject_token"),
        ("claims = { a = \"b\" }\n", "token.claims"),
        (
            "client_assertion = { file = \"a\" }\n",
            "token.client_assertion",
        ),
    ] {
        let text = format!("[token]\n{lines}");
        let loaded = from_bytes(text.as_bytes(), &environment(&ENOUGH)).unwrap();
        let warned = loaded.warnings.concat();
        assert!(
            warned.contains(&format!("{unused} is set, but")),
            "{warned}"
        );
    }
}
