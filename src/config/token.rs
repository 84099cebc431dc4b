//! `token.*` as types: the endpoint, the client and how it authenticates.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::address::{is_loopback, shown_url};
use super::login::LoginConfig;
use super::problems::InvalidValue;
use super::sign_in::SignInConfig;
use super::token_field::TokenField;
use super::token_source::{SOURCE_KEY, TokenPlace, TokenSource};
use crate::credentials::{CertificateFiles, SecretSource};
use crate::text::quoted;

/// `token.*`.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// Where access tokens come from.
    pub origin: TokenOrigin,
    /// `token.wait`: how long a request waits for the attempt in flight.
    pub wait: Duration,
}

/// Where access tokens come from.
#[derive(Debug, Clone)]
pub enum TokenOrigin {
    /// An authorization server grants them.
    Grant(Box<GrantConfig>),
    /// `token.source`: something else obtains them.
    Source(Box<TokenSource>),
    /// A person hands them over.
    SignIn(Box<SignInConfig>),
}

impl TokenConfig {
    /// How tokens are requested from an authorization server, if they are.
    #[must_use]
    pub fn grant(&self) -> Option<&GrantConfig> {
        match &self.origin {
            TokenOrigin::Grant(grant) => Some(grant),
            TokenOrigin::Source(_) | TokenOrigin::SignIn(_) => None,
        }
    }

    /// How a person hands tokens over, if one does.
    #[must_use]
    pub const fn sign_in(&self) -> Option<&SignInConfig> {
        match &self.origin {
            TokenOrigin::SignIn(sign_in) => Some(sign_in),
            TokenOrigin::Grant(_) | TokenOrigin::Source(_) => None,
        }
    }

    /// Whether something else obtains the tokens (`token.source`).
    #[must_use]
    pub const fn has_source(&self) -> bool {
        matches!(self.origin, TokenOrigin::Source(_))
    }

    /// How a person signs in at the authorization server, if one does.
    #[must_use]
    pub fn login(&self) -> Option<&LoginConfig> {
        self.grant()?.login()
    }

    /// Whether the tokens are those of a person, who must sign in.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        self.sign_in().is_some() || self.login().is_some()
    }

    /// How a request to the API carries the token.
    #[must_use]
    pub fn field(&self) -> &TokenField {
        match &self.origin {
            TokenOrigin::Grant(grant) => &grant.field,
            TokenOrigin::Source(source) => &source.field,
            TokenOrigin::SignIn(sign_in) => &sign_in.field,
        }
    }

    /// The server that is asked first, if one is, and the key that names it.
    #[must_use]
    pub fn server(&self) -> Option<(url::Url, &'static str)> {
        match &self.origin {
            TokenOrigin::Grant(grant) => Some((grant.endpoint.to_url()?, grant.endpoint_key)),
            TokenOrigin::Source(source) => match &source.place {
                TokenPlace::Http { url, .. } => Some((url.clone(), SOURCE_KEY)),
                TokenPlace::Command(_) | TokenPlace::File(_) => None,
            },
            TokenOrigin::SignIn(_) => None,
        }
    }

    /// What is read before a token is requested, and again when it may have changed.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestSource> {
        match &self.origin {
            TokenOrigin::Grant(grant) => grant.sources.clone(),
            TokenOrigin::Source(source) => match &source.place {
                TokenPlace::File(path) => vec![RequestSource {
                    role: SourceRole::Grant,
                    source: SecretSource::File(path.clone()),
                    key: SOURCE_KEY,
                    form: SecretForm::AccessToken,
                }],
                TokenPlace::Command(_) | TokenPlace::Http { .. } => Vec::new(),
            },
            TokenOrigin::SignIn(_) => Vec::new(),
        }
    }
}

/// Where tokens come from, in a few words: the token endpoint or its issuer, or `command az`.
impl fmt::Display for TokenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            TokenOrigin::Grant(grant) => grant.endpoint.fmt(f),
            TokenOrigin::Source(source) => source.place.fmt(f),
            TokenOrigin::SignIn(_) => {
                f.write_str("a person who signs in (token.grant = \"paste\")")
            }
        }
    }
}

/// How tokens are requested from an authorization server.
#[derive(Debug, Clone)]
pub struct GrantConfig {
    /// From `token.pingone.*`, `token.url` or `token.issuer`.
    pub endpoint: Endpoint,
    /// The key that sets it.
    pub endpoint_key: &'static str,
    /// `token.client_id`; empty if it is not set, which `token.auth = "none"` allows.
    pub client_id: String,
    /// `token.grant`, and what belongs to it.
    pub grant: GrantType,
    /// `token.client_assertion_type`.
    pub client_assertion_type: String,
    /// What a request is made with, read when it is needed. A public client has none.
    pub sources: Vec<RequestSource>,
    /// `token.auth`.
    pub auth: ClientAuth,
    /// What an assertion contains besides the client id.
    pub assertion: Assertion,
    /// `token.client_cert_file` and `.client_key_file`: presented at the token endpoint (RFC 8705). Read
    /// again for each attempt, so that they can be replaced.
    pub certificate: Option<CertificateFiles>,
    /// `token.scope`, sent as it is; without it the server decides (RFC 6749 3.3).
    pub scope: Option<String>,
    /// `token.params`: extra form parameters such as `audience` or `resource`.
    pub params: BTreeMap<String, String>,
    /// `token.default_lifetime`: used where the response has no `expires_in`.
    pub default_lifetime: Duration,
    /// `token.accept_type`: a `token_type` that means Bearer.
    pub accept_type: Option<String>,
    /// `token.header`, `.prefix` and `.keep_authorization`.
    pub field: TokenField,
}

impl GrantConfig {
    /// What the client authenticates with.
    #[must_use]
    pub fn credential(&self) -> Option<&RequestSource> {
        self.sources
            .iter()
            .find(|source| source.role == SourceRole::Client)
    }

    /// How a person signs in, if the grant is to a person.
    #[must_use]
    pub const fn login(&self) -> Option<&LoginConfig> {
        match &self.grant {
            GrantType::AuthorizationCode(login) | GrantType::DeviceCode(login) => Some(login),
            GrantType::ClientCredentials
            | GrantType::JwtBearer
            | GrantType::SignedJwtBearer { .. }
            | GrantType::TokenExchange { .. } => None,
        }
    }

    /// The key of what the client authenticates with, or else of what the grant is requested with.
    #[must_use]
    pub fn credential_key(&self) -> &'static str {
        let source = self.credential().or(self.sources.first());
        source.map_or("token.auth", |source| source.key)
    }
}

/// A secret that a token request contains or is signed with.
#[derive(Debug, Clone)]
pub struct RequestSource {
    /// What the request needs it for.
    pub role: SourceRole,
    /// Where it is.
    pub source: SecretSource,
    /// The key that says so.
    pub key: &'static str,
    /// What it must be, as far as this can be checked before it is sent.
    pub form: SecretForm,
}

/// What a token request needs a secret for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceRole {
    /// The client authenticates with it.
    Client,
    /// It is exchanged for an access token: the assertion of `jwt_bearer`, the subject token of `token_exchange`.
    Grant,
    /// The actor token of `token_exchange`.
    Actor,
}

/// What a secret must be.
#[derive(Debug, Clone)]
pub enum SecretForm {
    /// Any text.
    Text,
    /// A private key that can sign this.
    PrivateKey(Assertion),
    /// The private key of a client certificate, which is checked together with it.
    CertificateKey,
    /// A JWT that someone else issues and renews.
    Jwt,
    /// A token of any form that someone else issues and renews.
    Token,
    /// The access token itself, or JSON with one, which someone else writes (`token.source`).
    AccessToken,
}

impl SecretForm {
    /// Whether someone else renews it, so that it may be missing or unusable for a while.
    #[must_use]
    pub const fn is_renewed(&self) -> bool {
        match self {
            Self::Jwt | Self::Token | Self::AccessToken => true,
            Self::Text | Self::PrivateKey(_) | Self::CertificateKey => false,
        }
    }
}

/// `token.grant` as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantName {
    /// `client_credentials`.
    ClientCredentials,
    /// `jwt_bearer`.
    JwtBearer,
    /// `token_exchange`.
    TokenExchange,
    /// `authorization_code`.
    AuthorizationCode,
    /// `device_code`.
    DeviceCode,
    /// `paste`.
    Paste,
}

/// How access tokens are requested.
#[derive(Debug, Clone)]
pub enum GrantType {
    /// RFC 6749 4.4.
    ClientCredentials,
    /// RFC 7523 2.1, with the assertion in `token.assertion`.
    JwtBearer,
    /// RFC 7523 2.1, with an assertion that `token.private_key` signs.
    SignedJwtBearer {
        /// How it is signed, and its default audience.
        assertion: Assertion,
        /// `token.claims`.
        claims: BTreeMap<String, String>,
    },
    /// RFC 8693 2.1.
    TokenExchange {
        /// `token.subject_token_type`.
        subject_token_type: String,
        /// `token.actor_token_type`, if there is an actor token.
        actor_token_type: Option<String>,
    },
    /// RFC 6749 4.1 with PKCE, and 6 for each renewal.
    AuthorizationCode(Box<LoginConfig>),
    /// RFC 8628, and RFC 6749 6 for each renewal.
    DeviceCode(Box<LoginConfig>),
}

/// `token.scope` (RFC 6749 3.3): words of printable ASCII without `"` and `\`, separated by single spaces.
pub(crate) fn scope(text: String) -> Result<String, InvalidValue> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    if text.split(' ').all(is_word) {
        return Ok(text);
    }
    Err((
        format!("{} is not a valid scope", quoted(&text)),
        "write scope names separated by single spaces, such as \"read write\"",
    )
        .into())
}

/// Where tokens are requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The token endpoint.
    Url(url::Url),
    /// `token.issuer`: its metadata names the endpoint (RFC 8414, OpenID Connect Discovery 1.0).
    Issuer {
        /// As it was written: the metadata must contain exactly this.
        issuer: String,
        /// `token.allow_plaintext`: whether the endpoint may be http beyond loopback.
        allow_plaintext: bool,
    },
}

impl Endpoint {
    /// Where a request goes first: the endpoint, or the issuer whose metadata names it.
    #[must_use]
    pub fn to_url(&self) -> Option<url::Url> {
        url::Url::parse(self.as_str()).ok()
    }

    /// The endpoint's URL, or the issuer that names it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(url) => url.as_str(),
            Self::Issuer { issuer, .. } => issuer,
        }
    }

    /// Whether the secret may be sent to an endpoint that an issuer's metadata names.
    #[must_use]
    pub fn admits(url: &url::Url, allow_plaintext: bool) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => allow_plaintext || is_loopback(url),
            _ => false,
        }
    }
}

/// Without the query, which may be confidential.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_url(self.as_str()))
    }
}

impl GrantType {
    /// The value of `token.grant`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer | Self::SignedJwtBearer { .. } => "jwt_bearer",
            Self::TokenExchange { .. } => "token_exchange",
            Self::AuthorizationCode(_) => "authorization_code",
            Self::DeviceCode(_) => "device_code",
        }
    }
}

/// How the client authenticates at the token endpoint (RFC 6749 2.3, RFC 7523, RFC 8705).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
    /// `client_secret_jwt`: an assertion with an HMAC by the secret.
    SecretJwt,
    /// `private_key_jwt`: an assertion signed with `token.private_key`.
    PrivateKeyJwt,
    /// `tls_client_auth`: the certificate of the connection; on the wire also
    /// `self_signed_tls_client_auth` (RFC 8705 2).
    Tls,
    /// `client_assertion`: a JWT that someone else has issued for this client (RFC 7523 2.2).
    ClientAssertion,
    /// `none`: the grant alone decides.
    None,
}

/// What an assertion contains besides the client id (RFC 7523 3).
#[derive(Debug, Clone)]
pub struct Assertion {
    /// `token.algorithm`; absent means HS256, or what fits the private key.
    pub algorithm: Option<Algorithm>,
    /// `token.key_id`; absent means the JWK's own, else the key's thumbprint (RFC 7638).
    pub key_id: Option<String>,
    /// `token.audience`, else the issuer where it is known, else the token endpoint.
    pub audience: String,
    /// Whether the configuration says who issues it; the file of the private key must otherwise.
    pub has_issuer: bool,
}

/// How an assertion is signed (RFC 7518 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The name in a JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
        }
    }

    /// Whether the key is a secret that both sides know.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => true,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Es256 => false,
        }
    }
}
