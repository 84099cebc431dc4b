//! `token.grant`: how access tokens are requested, and the tokens that are exchanged for them.

use std::collections::BTreeMap;

use super::login;
use crate::config::keys::{self, SecretKey};
use crate::config::login::LoginConfig;
use crate::config::token::{
    Assertion, ClientAuth, GrantName, GrantType, RequestSource, SecretForm, SourceRole,
};
use crate::config::values::Values;

/// The types of tokens that are JWTs (RFC 8693 3).
const JWT_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];

/// Claims that say when an assertion was made, and which one it is.
const OWN_CLAIMS: [&str; 4] = ["exp", "iat", "jti", "nbf"];

/// The grant, and what it is requested with.
///
/// `signing` is how an assertion is signed, `login` how a person signs in.
pub(super) fn grant(
    values: &mut Values,
    auth: Option<ClientAuth>,
    signing: &Assertion,
    login: Option<LoginConfig>,
) -> Option<(GrantType, Vec<RequestSource>)> {
    let Some(name) = values.read(&keys::TOKEN_GRANT) else {
        name_sources(values);
        return None;
    };
    warn_of_unused(values, name);
    login::warn_of_unused(values, name);
    let (grant, sources) = match name {
        GrantName::ClientCredentials => {
            if auth == Some(ClientAuth::None) {
                let problem = (
                    "\"none\" cannot be used with the grant client_credentials, which is granted to an authenticated client",
                    "set token.grant to authorization_code, device_code, jwt_bearer or token_exchange, or choose another method",
                );
                values.reject(keys::TOKEN_AUTH.path(), problem);
                return None;
            }
            (GrantType::ClientCredentials, Vec::new())
        }
        GrantName::JwtBearer if !values.is_set(keys::TOKEN_ASSERTION.path()) => {
            signed(values, auth, signing)?
        }
        GrantName::JwtBearer => {
            let assertion = source(
                values,
                SourceRole::Grant,
                &keys::TOKEN_ASSERTION,
                SecretForm::Jwt,
            );
            (GrantType::JwtBearer, vec![assertion?])
        }
        GrantName::TokenExchange => token_exchange(values)?,
        GrantName::AuthorizationCode => {
            (GrantType::AuthorizationCode(Box::new(login?)), Vec::new())
        }
        GrantName::DeviceCode => (GrantType::DeviceCode(Box::new(login?)), Vec::new()),
        GrantName::Paste => return None, // read in `sign_in`
    };
    Some((grant, sources))
}

/// Names what an invalid grant would use, so that it is examined.
fn name_sources(values: &mut Values) {
    for (role, key) in [
        (SourceRole::Grant, keys::TOKEN_ASSERTION),
        (SourceRole::Grant, keys::TOKEN_SUBJECT_TOKEN),
        (SourceRole::Actor, keys::TOKEN_ACTOR_TOKEN),
    ] {
        if values.is_set(key.path()) {
            source(values, role, &key, SecretForm::Token);
        }
    }
}

/// An assertion that is signed here, with a key that the client does not authenticate with as well.
fn signed(
    values: &mut Values,
    auth: Option<ClientAuth>,
    signing: &Assertion,
) -> Option<(GrantType, Vec<RequestSource>)> {
    let claims = claims(values);
    if auth == Some(ClientAuth::PrivateKeyJwt) {
        let problem = (
            "jwt_bearer has no assertion, and token.private_key is what the client authenticates with",
            "set token.assertion, or another token.auth",
        );
        values.reject(keys::TOKEN_GRANT.path(), problem);
        return None;
    }
    if !values.is_set(keys::TOKEN_PRIVATE_KEY.path()) {
        let problem = (
            "is not set, and jwt_bearer needs it or token.private_key",
            "set token.assertion to where the assertion is, or token.private_key to the key that signs one",
        );
        values.reject(keys::TOKEN_ASSERTION.path(), problem);
        return None;
    }
    let is_issuer_claimed = claims.as_ref().is_none_or(|all| all.contains_key("iss"));
    let signing = Assertion {
        has_issuer: is_issuer_claimed || values.is_set(keys::TOKEN_CLIENT_ID.path()),
        ..signing.clone()
    };
    let form = SecretForm::PrivateKey(signing.clone());
    let key = source(values, SourceRole::Grant, &keys::TOKEN_PRIVATE_KEY, form);
    let grant = GrantType::SignedJwtBearer {
        assertion: signing,
        claims: claims?,
    };
    Some((grant, vec![key?]))
}

/// `token.claims`, of which none may be one that every assertion has anew.
fn claims(values: &mut Values) -> Option<BTreeMap<String, String>> {
    let claims: BTreeMap<String, String> = values.read(&keys::TOKEN_CLAIMS)?.into_iter().collect();
    let own = OWN_CLAIMS.iter().filter(|own| claims.contains_key(**own));
    let own: Vec<_> = own.collect();
    for name in &own {
        let problem = format!("{name} is new for each assertion");
        values.reject(
            keys::TOKEN_CLAIMS.path(),
            (problem, format!("remove {name}")),
        );
    }
    own.is_empty().then_some(claims)
}

fn token_exchange(values: &mut Values) -> Option<(GrantType, Vec<RequestSource>)> {
    let subject_token_type = values.required(&keys::TOKEN_SUBJECT_TOKEN_TYPE);
    let form = form(subject_token_type.as_deref());
    let subject = source(values, SourceRole::Grant, &keys::TOKEN_SUBJECT_TOKEN, form);
    let has_actor = values.is_set(keys::TOKEN_ACTOR_TOKEN.path())
        || values.is_set(keys::TOKEN_ACTOR_TOKEN_TYPE.path());
    if !has_actor {
        let grant = GrantType::TokenExchange {
            subject_token_type: subject_token_type?,
            actor_token_type: None,
        };
        return Some((grant, vec![subject?]));
    }
    let actor_token_type = values.required(&keys::TOKEN_ACTOR_TOKEN_TYPE);
    let form = self::form(actor_token_type.as_deref());
    let actor = source(values, SourceRole::Actor, &keys::TOKEN_ACTOR_TOKEN, form);
    let grant = GrantType::TokenExchange {
        subject_token_type: subject_token_type?,
        actor_token_type: Some(actor_token_type?),
    };
    Some((grant, vec![subject?, actor?]))
}

fn form(token_type: Option<&str>) -> SecretForm {
    if token_type.is_some_and(|token_type| JWT_TYPES.contains(&token_type)) {
        SecretForm::Jwt
    } else {
        SecretForm::Token
    }
}

fn source(
    values: &mut Values,
    role: SourceRole,
    key: &SecretKey,
    form: SecretForm,
) -> Option<RequestSource> {
    let source = values.required_secret(key)?;
    let source = RequestSource {
        role,
        source,
        key: key.path(),
        form,
    };
    values.named.requests.push(source.clone());
    Some(source)
}

fn warn_of_unused(values: &mut Values, grant: GrantName) {
    let of_exchange = [
        keys::TOKEN_SUBJECT_TOKEN.path(),
        keys::TOKEN_SUBJECT_TOKEN_TYPE.path(),
        keys::TOKEN_ACTOR_TOKEN.path(),
        keys::TOKEN_ACTOR_TOKEN_TYPE.path(),
    ];
    let mut unused = Vec::new();
    if grant != GrantName::JwtBearer {
        unused.extend([keys::TOKEN_ASSERTION.path(), keys::TOKEN_CLAIMS.path()]);
    } else if values.is_set(keys::TOKEN_ASSERTION.path()) {
        unused.push(keys::TOKEN_CLAIMS.path());
    }
    if grant != GrantName::TokenExchange {
        unused.extend(of_exchange);
    }
    for path in unused {
        if values.is_set(path) {
            values.warn(format!("{path} is set, but token.grant does not use it"));
        }
    }
}
