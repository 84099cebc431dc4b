//! `token.*`: the client and what it requests. The endpoint is read in `token_endpoint`, the grant in `grant`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::grant;
use super::login;
use super::sign_in;
use super::source::source;
use super::token_endpoint::{NamedEndpoint, token_endpoint};
use super::token_field::token_field;
use crate::config::address::Origin;
use crate::config::keys::{self, Key, SecretKey};
use crate::config::token::{
    self as config_token, Algorithm, Assertion, ClientAuth, GrantConfig, RequestSource, SecretForm,
    SourceRole, TokenConfig, TokenOrigin,
};
use crate::config::values::Values;
use crate::credentials::{CertificateFiles, PresentedTo, SecretSource};
use crate::text::quoted;

const KEY_FILE: &str = keys::TOKEN_CLIENT_KEY_FILE.path();

/// The whole table.
pub(super) fn token(values: &mut Values, upstream: Option<&Origin>) -> Option<TokenConfig> {
    let origin = if values.is_set(keys::TOKEN_SOURCE.path()) {
        source(values).map(|source| TokenOrigin::Source(Box::new(source)))
    } else if sign_in::is_chosen(values) {
        sign_in::sign_in(values, upstream).map(|sign_in| TokenOrigin::SignIn(Box::new(sign_in)))
    } else {
        sign_in::warn_of_login_url(values);
        grant(values, upstream).map(|grant| TokenOrigin::Grant(Box::new(grant)))
    };
    let wait = values.read(&keys::TOKEN_WAIT);
    let config = TokenConfig {
        origin: origin?,
        wait: wait?,
    };
    if config.grant().is_none() {
        values.named.requests.extend(config.requests());
    }
    Some(config)
}

fn grant(values: &mut Values, upstream: Option<&Origin>) -> Option<GrantConfig> {
    let mut named = token_endpoint(values);
    values.token_server = named
        .as_ref()
        .and_then(|named| Some((named.endpoint.to_url()?, named.key)));
    if login::is_chosen(values) {
        named = named.map(NamedEndpoint::with_metadata);
    }
    let auth = auth(values);
    let client_id = client_id(values, auth);
    let proof = proof(values, auth.unwrap_or(ClientAuth::Basic));
    let algorithm = algorithm(values, auth);
    let key_id = values.read(&keys::TOKEN_KEY_ID);
    let audience = values.read(&keys::TOKEN_AUDIENCE);
    let scope = scope(values);
    let params = params(values);
    let default_lifetime = values.read(&keys::TOKEN_DEFAULT_LIFETIME);
    let accept_type = accept_type(values);
    let field = token_field(values);
    let assertion = Assertion {
        algorithm: algorithm.as_ref().ok().copied().flatten(),
        key_id,
        audience: audience
            .or_else(|| Some(named.as_ref()?.audience.clone()))
            .unwrap_or_default(),
        has_issuer: true, // the client
    };
    let client_assertion_type = client_assertion_type(values, auth);
    let credential = match auth {
        Some(ClientAuth::None) => Some(None),
        // What an invalid method would use is named too, so that it is examined.
        auth => proof.credential.map(|(source, key)| {
            let form = form(auth.unwrap_or(ClientAuth::Basic), &assertion);
            Some(RequestSource {
                role: SourceRole::Client,
                source,
                key,
                form,
            })
        }),
    };
    let mut sources: Vec<RequestSource> = credential.iter().flatten().cloned().collect();
    values.named.requests.extend(sources.clone());
    let login = login::is_chosen(values)
        .then(|| login::login(values, named.as_ref(), upstream))
        .flatten();
    let grant = grant::grant(values, auth, &assertion, login);
    sources.extend(
        grant
            .iter()
            .flat_map(|(_, sources)| sources.iter().cloned()),
    );
    let (named, _) = (named?, algorithm.ok()?);
    Some(GrantConfig {
        endpoint: named.endpoint,
        endpoint_key: named.key,
        client_id: client_id?,
        grant: credential.and(grant)?.0,
        client_assertion_type: client_assertion_type?,
        sources,
        auth: auth?,
        certificate: proof.certificate.ok()?,
        assertion,
        scope,
        params: params?,
        default_lifetime: default_lifetime?,
        accept_type,
        field: field?,
    })
}

/// `token.auth`. With `jwt_bearer`, the JWT itself is what the server trusts, so by default no client authenticates
/// there, unless it has something to authenticate with.
fn auth(values: &mut Values) -> Option<ClientAuth> {
    let is_open = values.is_text(keys::TOKEN_GRANT.path(), "jwt_bearer")
        && !values.is_set(keys::TOKEN_AUTH.path())
        && !has_credential(values);
    if is_open {
        Some(ClientAuth::None)
    } else {
        values.read(&keys::TOKEN_AUTH)
    }
}

/// Whether anything is set that the client could authenticate with.
fn has_credential(values: &Values) -> bool {
    let has_key = values.is_set(keys::TOKEN_PRIVATE_KEY.path()) && !signs_grant(values);
    let others = [
        keys::TOKEN_CLIENT_SECRET.path(),
        keys::TOKEN_CLIENT_ASSERTION.path(),
        keys::TOKEN_CLIENT_CERT_FILE.path(),
        KEY_FILE,
    ];
    has_key || others.iter().any(|path| values.is_set(path))
}

/// What the credential of a method must be.
fn form(auth: ClientAuth, assertion: &Assertion) -> SecretForm {
    match auth {
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt | ClientAuth::None => {
            SecretForm::Text
        }
        ClientAuth::PrivateKeyJwt => SecretForm::PrivateKey(assertion.clone()),
        ClientAuth::Tls => SecretForm::CertificateKey,
        ClientAuth::ClientAssertion => SecretForm::Jwt,
    }
}

fn client_assertion_type(values: &mut Values, auth: Option<ClientAuth>) -> Option<String> {
    const PATH: &str = keys::TOKEN_CLIENT_ASSERTION_TYPE.path();
    if values.is_set(PATH) && auth != Some(ClientAuth::ClientAssertion) {
        values.warn(format!("{PATH} is set, but token.auth does not use it"));
    }
    values.read(&keys::TOKEN_CLIENT_ASSERTION_TYPE)
}

/// `token.accept_type`, if it is set.
fn accept_type(values: &mut Values) -> Option<String> {
    let kind = values.read(&keys::TOKEN_ACCEPT_TYPE)?;
    if kind.eq_ignore_ascii_case("n_a") {
        let problem = (
            "N_A means that the token is no access token (RFC 8693 2.2.1)",
            "remove it, and request an access token",
        );
        values.reject(keys::TOKEN_ACCEPT_TYPE.path(), problem);
    }
    if kind.eq_ignore_ascii_case("dpop") {
        let problem = (
            "a DPoP token is bound to a key and cannot be sent as Bearer (RFC 9449)",
            "remove it, and have the authorization server issue bearer tokens to this client",
        );
        values.reject(keys::TOKEN_ACCEPT_TYPE.path(), problem);
    }
    Some(kind)
}

/// What the client authenticates with.
struct Proof {
    /// `None` if a problem has been reported.
    credential: Option<(SecretSource, &'static str)>,
    certificate: Result<Option<CertificateFiles>, Reported>,
}

/// Exactly the credential that the method uses. If another one is set, a warning says that it is unused.
fn proof(values: &mut Values, auth: ClientAuth) -> Proof {
    let wanted = match auth {
        ClientAuth::Basic | ClientAuth::Post | ClientAuth::SecretJwt => {
            Some(keys::TOKEN_CLIENT_SECRET)
        }
        ClientAuth::PrivateKeyJwt => Some(keys::TOKEN_PRIVATE_KEY),
        ClientAuth::ClientAssertion => Some(keys::TOKEN_CLIENT_ASSERTION),
        ClientAuth::Tls | ClientAuth::None => None,
    };
    for key in [
        keys::TOKEN_CLIENT_SECRET,
        keys::TOKEN_PRIVATE_KEY,
        keys::TOKEN_CLIENT_ASSERTION,
    ] {
        let is_wanted = wanted
            .as_ref()
            .is_some_and(|wanted| wanted.path() == key.path());
        let is_for_grant = key.path() == keys::TOKEN_PRIVATE_KEY.path() && signs_grant(values);
        if !is_wanted && !is_for_grant && values.is_set(key.path()) {
            values.warn(format!(
                "{} is set, but token.auth does not use it",
                key.path()
            ));
        }
    }
    let certificate = certificate(values, auth);
    let named = certificate.as_ref().ok().and_then(Option::as_ref);
    values.named.certificates.extend(named.cloned());
    let credential = match wanted {
        Some(key) => required_credential(values, &key).map(|source| (source, key.path())),
        None => named.map(|files| (SecretSource::File(files.key_file.clone()), KEY_FILE)),
    };
    Proof {
        credential,
        certificate,
    }
}

/// Where the credential is. A token exchange may need none, which only the server decides.
fn required_credential(values: &mut Values, key: &SecretKey) -> Option<SecretSource> {
    let may_be_open = values.is_text(keys::TOKEN_GRANT.path(), "token_exchange")
        && !values.is_set(keys::TOKEN_AUTH.path())
        && !values.layers.incomplete
        && !has_credential(values);
    if !may_be_open {
        return values.required_secret(key);
    }
    let remedy = format!(
        "write {}, or token.auth = \"none\" if the server exchanges tokens without authentication of the client",
        key.info.example_at(key.path()),
    );
    values.reject(key.path(), ("is missing", remedy));
    None
}

/// Whether the private key signs what is exchanged for a token.
fn signs_grant(values: &Values) -> bool {
    values.is_text(keys::TOKEN_GRANT.path(), "jwt_bearer")
        && !values.is_set(keys::TOKEN_ASSERTION.path())
}

/// A problem has been reported, whereas an unset key is not a problem.
struct Reported;

/// Both files or neither; `tls_client_auth` needs both.
fn certificate(
    values: &mut Values,
    auth: ClientAuth,
) -> Result<Option<CertificateFiles>, Reported> {
    let is_set = |key: &Key<String>| values.is_set(key.path());
    let wanted = auth == ClientAuth::Tls
        || is_set(&keys::TOKEN_CLIENT_CERT_FILE)
        || is_set(&keys::TOKEN_CLIENT_KEY_FILE);
    if !wanted {
        return Ok(None);
    }
    let cert_file = values.required(&keys::TOKEN_CLIENT_CERT_FILE);
    let key_file = values.required(&keys::TOKEN_CLIENT_KEY_FILE);
    Ok(Some(CertificateFiles {
        to: PresentedTo::TokenEndpoint,
        cert_file: cert_file.map(PathBuf::from).ok_or(Reported)?,
        key_file: key_file.map(PathBuf::from).ok_or(Reported)?,
    }))
}

/// One that fits `token.auth`; where it is unset the key decides.
fn algorithm(values: &mut Values, auth: Option<ClientAuth>) -> Result<Option<Algorithm>, Reported> {
    const PATH: &str = keys::TOKEN_ALGORITHM.path();
    if !values.is_set(PATH) {
        return Ok(None);
    }
    let algorithm = values.read(&keys::TOKEN_ALGORITHM).ok_or(Reported)?;
    let (method, fitting) = match auth.ok_or(Reported)? {
        ClientAuth::SecretJwt if !algorithm.is_symmetric() => {
            ("client_secret_jwt", "HS256, HS384 or HS512")
        }
        ClientAuth::PrivateKeyJwt if algorithm.is_symmetric() => {
            ("private_key_jwt", "RS256, RS384, RS512 or ES256")
        }
        // The algorithm is also that of an assertion that is exchanged for a token.
        ClientAuth::Basic
        | ClientAuth::Post
        | ClientAuth::SecretJwt
        | ClientAuth::PrivateKeyJwt
        | ClientAuth::Tls
        | ClientAuth::ClientAssertion
        | ClientAuth::None => return Ok(Some(algorithm)),
    };
    let problem = format!("{} cannot be used with {method}", algorithm.as_str());
    values.reject(PATH, (problem, format!("write {fitting}, or remove it")));
    Err(Reported)
}

/// RFC 6749 A.1: printable ASCII. Spaces around it come from pasting. Empty if it is not set and need not be.
fn client_id(values: &mut Values, auth: Option<ClientAuth>) -> Option<String> {
    let may_be_absent = auth == Some(ClientAuth::None) && !login::is_chosen(values);
    if may_be_absent && !values.is_set(keys::TOKEN_CLIENT_ID.path()) {
        return Some(String::new());
    }
    let id = values.required(&keys::TOKEN_CLIENT_ID)?;
    if id.trim() == id && id.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Some(id);
    }
    let problem = format!(
        "{} contains characters that a client id cannot contain",
        quoted(&id)
    );
    values.reject(
        keys::TOKEN_CLIENT_ID.path(),
        (problem, "copy it again, without spaces around it"),
    );
    None
}

fn scope(values: &mut Values) -> Option<String> {
    let text = values.read(&keys::TOKEN_SCOPE)?;
    values.checked(keys::TOKEN_SCOPE.path(), config_token::scope(text))
}

/// Parameters that have keys of their own, or that the token request sets itself (RFC 6749 4.4.2, RFC 7521 4, RFC 8693
/// 2.1).
const OWN_PARAMS: [&str; 21] = [
    "actor_token",
    "actor_token_type",
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
    "subject_token",
    "subject_token_type",
];

fn params(values: &mut Values) -> Option<BTreeMap<String, String>> {
    const PATH: &str = keys::TOKEN_PARAMS.path();
    let params: BTreeMap<String, String> = values.read(&keys::TOKEN_PARAMS)?.into_iter().collect();
    for name in params.keys() {
        if OWN_PARAMS.contains(&name.as_str()) {
            let problem = format!("{name} is set by the token request itself");
            values.reject(
                PATH,
                (
                    problem,
                    "remove it, and use the key of token.* that sets it",
                ),
            );
        }
        // They replace what the page of the sign-in is asked for, or where its answer is.
        let is_of_page = ["request", "request_uri", "response_mode"].contains(&name.as_str());
        if is_of_page && values.is_text(keys::TOKEN_GRANT.path(), "authorization_code") {
            let problem = format!("{name} would change where the code of a sign-in arrives");
            values.reject(PATH, (problem, "remove it"));
        }
    }
    Some(params)
}
