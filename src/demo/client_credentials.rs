//! Client authentication at the token endpoint (RFC 6749 2.3).
//!
//! Strict on purpose: a client that encodes its credentials incorrectly must fail in the tests, not in production.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;
use percent_encoding::percent_decode;
use tokio::time::Instant;

use super::errors::TokenError;
use super::state::{Application, AuthMethod, Behaviour};
use crate::credentials::Secret;

/// The parameters that are credentials.
const SECRETS: [&str; 7] = [
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
];

/// The parameters of a request to the authorization server (RFC 6749 3.1 and 3.2), each at most once.
pub(super) struct TokenForm(Vec<(String, String)>);

impl TokenForm {
    /// # Errors
    /// The body is not a form, or it repeats a parameter.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, TokenError> {
        let essence = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next());
        if !essence.is_some_and(|it| {
            it.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        }) {
            return Err(TokenError::Malformed);
        }
        Self::parse(body)
    }

    /// From the text of a form or of a query.
    ///
    /// # Errors
    /// It repeats a parameter.
    pub(super) fn parse(text: &[u8]) -> Result<Self, TokenError> {
        let form = Self(form_urlencoded::parse(text).into_owned().collect());
        let once = |name: &str| form.0.iter().filter(|(other, _)| other == name).count() == 1;
        if form.0.iter().all(|(name, _)| once(name)) {
            Ok(form)
        } else {
            Err(TokenError::Malformed)
        }
    }

    /// The value of a parameter. A parameter without a value counts as omitted (RFC 6749 3.2).
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The parameters to record: credentials have no value.
    pub(super) fn without_secrets(&self) -> Vec<(String, String)> {
        let secret = |name: &str| SECRETS.contains(&name);
        let hide = |(name, value): &(String, String)| {
            (
                name.clone(),
                if secret(name) {
                    String::new()
                } else {
                    value.clone()
                },
            )
        };
        self.0.iter().map(hide).collect()
    }
}

/// Returns the application that has authenticated, with its client id.
///
/// # Errors
/// The request uses no method, several methods or one that is not registered, or the secret is wrong (RFC 6749 2.3 and
/// 5.2).
pub(super) fn authenticate<'a>(
    headers: &HeaderMap,
    form: &TokenForm,
    behaviour: &'a Behaviour,
) -> Result<(String, &'a Application), TokenError> {
    let presented = PresentedCredentials::read(headers, form)?;
    let application = behaviour
        .applications
        .get(&presented.client_id)
        .ok_or(TokenError::InvalidCredentials)?;
    // Checked before the secret, as PingOne does: a wrong secret sent by a wrong method is an unsupported method.
    if presented.method != Some(application.auth) {
        return Err(TokenError::UnsupportedMethod);
    }
    if !application.on || !application.accepts(&presented.secret) {
        return Err(TokenError::InvalidCredentials);
    }
    Ok((presented.client_id, application))
}

struct PresentedCredentials {
    client_id: String,
    secret: Secret,
    /// `None` if no application here can be registered with the method.
    method: Option<AuthMethod>,
}

impl PresentedCredentials {
    fn read(headers: &HeaderMap, form: &TokenForm) -> Result<Self, TokenError> {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = lines.next();
        let by_form = ["client_secret", "client_assertion"].map(|name| form.value(name));
        let methods = usize::from(authorization.is_some()) + by_form.iter().flatten().count();
        if methods > 1 || lines.next().is_some() {
            return Err(TokenError::NotOneMethod);
        }
        match (authorization, by_form[0]) {
            (Some(line), _) => Self::basic(line.as_bytes(), form),
            (None, Some(secret)) => Self::in_form(form, secret, Some(AuthMethod::Post)),
            (None, None) => Self::in_form(form, "", None),
        }
    }

    fn in_form(
        form: &TokenForm,
        secret: &str,
        method: Option<AuthMethod>,
    ) -> Result<Self, TokenError> {
        let client_id = form
            .value("client_id")
            .ok_or(TokenError::NotOneMethod)?
            .to_owned();
        Ok(Self {
            client_id,
            secret: Secret::new(secret),
            method,
        })
    }

    /// HTTP Basic (RFC 7617), with client id and secret percent-encoded first (RFC 6749 2.3.1).
    fn basic(line: &[u8], form: &TokenForm) -> Result<Self, TokenError> {
        let (id, secret) = basic_pair(line).ok_or(TokenError::InvalidCredentials)?;
        let client_id = String::from_utf8(id).map_err(|_| TokenError::InvalidCredentials)?;
        if form
            .value("client_id")
            .is_some_and(|also| also != client_id)
        {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            client_id,
            secret: Secret::new(secret),
            method: Some(AuthMethod::Basic),
        })
    }
}

fn basic_pair(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, credentials) = line.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let pair = STANDARD.decode(credentials.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some((
        decode_strictly(&pair[..colon])?,
        decode_strictly(&pair[colon + 1..])?,
    ))
}

/// Accepts only unreserved characters and complete `%XX`, since every other character must be encoded.
fn decode_strictly(half: &[u8]) -> Option<Vec<u8>> {
    let mut rest = half;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let (digits, after) = after.split_at_checked(2)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(after)?
            }
            b'-' | b'.' | b'_' | b'~' => after,
            other if other.is_ascii_alphanumeric() => after,
            _ => return None,
        };
    }
    Some(percent_decode(half).collect())
}

impl Application {
    fn accepts(&self, presented: &Secret) -> bool {
        // Exposed to be compared in constant time.
        let equals =
            |known: &Secret| verify_slices_are_equal(known.expose(), presented.expose()).is_ok();
        let in_grace = |(old, until): &(Secret, Instant)| Instant::now() < *until && equals(old);
        equals(&self.secret) || self.previous_secret.as_ref().is_some_and(in_grace)
    }
}

#[cfg(test)]
mod tests;
