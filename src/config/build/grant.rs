//! `token.grant`: how access tokens are requested, and the tokens that are exchanged for them.

use crate::config::keys::{self, SecretKey};
use crate::config::token::{
    ClientAuth, GrantName, GrantType, RequestSource, SecretForm, SourceRole,
};
use crate::config::values::Values;

/// The types of tokens that are JWTs (RFC 8693 3).
const JWT_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];

/// The grant, and what it is requested with.
pub(super) fn grant(
    values: &mut Values,
    auth: Option<ClientAuth>,
) -> Option<(GrantType, Vec<RequestSource>)> {
    let name = values.read(&keys::TOKEN_GRANT)?;
    warn_of_unused(values, name);
    let (grant, sources) = match name {
        GrantName::ClientCredentials => {
            if auth == Some(ClientAuth::None) {
                let problem = (
                    "\"none\" cannot be used with the grant client_credentials, which is granted to an authenticated client",
                    "set token.grant to jwt_bearer or token_exchange, or choose another method",
                );
                values.reject(keys::TOKEN_AUTH.path(), problem);
                return None;
            }
            (GrantType::ClientCredentials, Vec::new())
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
    };
    values.named.requests.extend(sources.clone());
    Some((grant, sources))
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
    Some(RequestSource {
        role,
        source,
        key: key.path(),
        form,
    })
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
        unused.push(keys::TOKEN_ASSERTION.path());
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
