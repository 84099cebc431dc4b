//! `token.*`: which endpoint, as whom, asking for what.

use std::collections::BTreeMap;

use url::Url;

use crate::config::problems::quoted;
use crate::config::values::Values;
use crate::config::{ClientAuth, Token, address, pingone};

/// The whole table.
pub(super) fn token(values: &mut Values) -> Option<Token> {
    let endpoint = token_endpoint(values);
    let client_id = client_id(values);
    values.missing("token.client_secret");
    let client_secret = values.secret("token.client_secret");
    let auth = values.choice("token.auth", &[ClientAuth::Basic, ClientAuth::Post]);
    let scope = scope(values);
    let params = params(values);
    let default_lifetime = values.duration("token.default_lifetime");
    let wait = values.duration("token.wait");
    Some(Token {
        endpoint: endpoint?,
        client_id: client_id?,
        client_secret: client_secret?,
        auth: auth?,
        scope,
        params: params?,
        default_lifetime: default_lifetime?,
        wait: wait?,
    })
}

/// `token.url` or one form of `token.pingone`: exactly one of the three.
fn token_endpoint(values: &mut Values) -> Option<Url> {
    let by_url = values.is_given("token.url");
    let by_domain = values.is_given("token.pingone.domain");
    let by_region =
        values.is_given("token.pingone.region") || values.is_given("token.pingone.environment_id");
    match (by_url, by_domain, by_region) {
        (true, false, false) => token_url(values),
        (false, true, false) => {
            let domain = values.text("token.pingone.domain")?;
            values.checked("token.pingone.domain", pingone::endpoint_of_domain(&domain))
        }
        (false, false, true) => token_of_region(values),
        (false, false, false) if values.layers.incomplete => None,
        (false, false, false) => {
            values.wrong(
                "token.url",
                (
                    "nothing names the token endpoint",
                    "write token.pingone.region and token.pingone.environment_id, or token.url; or set \
                     CUPBEARER_TOKEN__PINGONE__REGION and CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID, or \
                     CUPBEARER_TOKEN__URL",
                ),
            );
            None
        }
        (true, _, _) => two_endpoints(values, "token.url", "token.pingone"),
        (false, true, true) => two_endpoints(
            values,
            "token.pingone.domain",
            "token.pingone.region and .environment_id",
        ),
    }
}

fn two_endpoints(values: &mut Values, one: &'static str, other: &str) -> Option<Url> {
    let problem = format!("names a token endpoint, and so does {other}");
    values.wrong(one, (problem, "keep only one of them"));
    None
}

fn token_of_region(values: &mut Values) -> Option<Url> {
    let region = values
        .required("token.pingone.region")
        .and_then(|text| values.checked("token.pingone.region", pingone::tld(&text)));
    let environment = values
        .required("token.pingone.environment_id")
        .and_then(|text| {
            values.checked(
                "token.pingone.environment_id",
                pingone::environment_id(&text),
            )
        });
    Some(pingone::endpoint(region?, &environment?))
}

fn token_url(values: &mut Values) -> Option<Url> {
    let plaintext = values.switch("token.allow_plaintext");
    let text = values.text("token.url")?;
    let url = values.checked("token.url", address::endpoint(&text))?;
    if url.scheme() == "https" || address::is_loopback(&url) || plaintext? {
        return Some(url);
    }
    let problem = format!("{} would send the secret unencrypted", quoted(&text));
    values.wrong(
        "token.url",
        (
            problem,
            "write \"https://…\"; or, if that network is trusted, token.allow_plaintext = true",
        ),
    );
    None
}

/// RFC 6749 A.1: printable ASCII. Space around it comes from pasting.
fn client_id(values: &mut Values) -> Option<String> {
    let id = values.required("token.client_id")?;
    if id.trim() == id && id.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Some(id);
    }
    let problem = format!("{} has characters that no client id has", quoted(&id));
    values.wrong(
        "token.client_id",
        (problem, "copy it again, without space around it"),
    );
    None
}

/// RFC 6749 3.3: words of printable ASCII without `"` and `\`, one space between.
fn scope(values: &mut Values) -> Option<String> {
    let scope = values.text("token.scope")?;
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    if scope.split(' ').all(is_word) {
        return Some(scope);
    }
    let problem = format!("{} is no scope", quoted(&scope));
    values.wrong(
        "token.scope",
        (
            problem,
            "write names with one space between, such as \"read write\"",
        ),
    );
    None
}

/// Parameters that have keys of their own, or that the grant itself writes (RFC 6749 4.4.2, RFC 7521 4.2).
const OWN_PARAMS: [&str; 6] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "grant_type",
    "scope",
];

fn params(values: &mut Values) -> Option<BTreeMap<String, String>> {
    const PATH: &str = "token.params";
    let params: BTreeMap<String, String> = values.map(PATH)?.into_iter().collect();
    for name in params.keys() {
        if OWN_PARAMS.contains(&name.as_str()) {
            let problem = format!("{name} is written by the grant itself");
            values.wrong(
                PATH,
                (
                    problem,
                    "remove it; token.scope and token.client_id are keys of their own",
                ),
            );
        }
    }
    Some(params)
}
