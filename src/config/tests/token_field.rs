//! How requests carry the token: which fields and prefixes are accepted.

use super::*;

fn field(text: &str) -> TokenField {
    match from_bytes(text.as_bytes(), &with(&[])) {
        Ok(loaded) => loaded.config.token.field().clone(),
        Err(problems) => panic!("{text}: {problems}"),
    }
}

#[test]
fn a_token_is_sent_as_authorization_bearer_by_default() {
    let expected = TokenField {
        name: http::header::AUTHORIZATION,
        shown_name: "Authorization".to_owned(),
        prefix: "Bearer".to_owned(),
        keeps_authorization: false,
    };
    assert_eq!(field(""), expected);
    assert_eq!(TokenField::default(), expected);
}

#[test]
fn another_field_may_carry_the_token_and_the_prefix_may_be_empty() {
    let written =
        field("[token]\nheader = \"X-Api-Key\"\nprefix = \"\"\nkeep_authorization = true\n");
    assert_eq!(written.name, "x-api-key");
    assert_eq!(written.shown_name, "X-Api-Key");
    assert_eq!(written.prefix, "");
    assert!(written.keeps_authorization);

    let loaded = load(
        &Overrides::default(),
        &with(&[("CUPBEARER_TOKEN__PREFIX", "")]),
    );
    assert_eq!(loaded.unwrap().config.token.field().prefix, "");
    let loaded = load(&flags(&[("token.prefix", "")]), &with(&[]));
    assert_eq!(loaded.unwrap().config.token.field().prefix, "");
}

/// Each of them would change how a request is read, who it is said to come from, or what cupbearer does with it.
#[test]
fn a_field_with_a_meaning_of_its_own_cannot_carry_the_token() {
    let is_refused = |name: &&str| {
        let expected = format!(
            "token.header: {name} has a meaning of its own and cannot carry the token: write the field from which the \
             API reads the token, such as \"X-Api-Key\"\n"
        );
        complaints(&format!("token.header = \"{name}\"\n")) == expected
    };
    let names = [
        "Access-Control-Allow-Origin",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "DPoP",
        "Date",
        "Expect",
        "Forwarded",
        "HTTP2-Settings",
        "Host",
        "Keep-Alive",
        "Origin",
        "Proxy-Authorization",
        "Referer",
        "Sec-Fetch-Site",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Via",
        "X-Cupbearer",
        "X-Cupbearer-Key",
        "X-Forwarded-For",
        "X_Forwarded_Host",
        "X-HTTP-Method",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-Original-URL",
        "X-Real-IP",
        "X-Request-Id",
        "X-Rewrite-URL",
    ];
    let accepted: Vec<_> = names.iter().filter(|name| !is_refused(name)).collect();
    assert!(accepted.is_empty(), "{accepted:?}");
    for name in ["X Api Key", "X-Api-Key:", "X-Äpi", "X\\r\\nY"] {
        let said = complaints(&format!("token.header = \"{name}\"\n"));
        assert!(said.contains("is not a valid header name"), "{said}");
    }
    let said = complaints("token.header = \"\"\n");
    assert!(said.contains("token.header: is empty"), "{said}");
}

#[test]
fn a_fixed_header_cannot_carry_the_token_too() {
    for fixed in ["X-Api-Key", "x_api_key"] {
        let said = complaints(&format!(
            "token.header = \"X-Api-Key\"\nupstream.headers = {{ {fixed} = \"a\" }}\n"
        ));
        assert!(
            said.contains("token.header: X-Api-Key is set by upstream.headers too"),
            "{said}"
        );
    }
}

#[test]
fn a_prefix_is_printable_text_on_one_line() {
    for prefix in [
        "Bearer\\r\\nX: y",
        "\\n",
        "a\\tb",
        " Bearer",
        "Bearer ",
        "Träger",
        "\\u007f",
    ] {
        let said = complaints(&format!("token.prefix = \"{prefix}\"\n"));
        assert!(
            said.contains("cannot stand before the token: write printable ASCII"),
            "{prefix}: {said}"
        );
    }
    assert_eq!(
        field("token.prefix = \"Some Scheme\"\n").prefix,
        "Some Scheme"
    );
}

#[test]
fn the_callers_authorization_cannot_be_kept_in_the_tokens_own_field() {
    for header in ["", "token.header = \"authorization\"\n"] {
        let said = complaints(&format!("{header}token.keep_authorization = true\n"));
        assert!(
            said.contains("token.keep_authorization: cannot be true, because the token is sent as"),
            "{said}"
        );
        assert!(said.contains("set token.header"), "{said}");
    }
}
