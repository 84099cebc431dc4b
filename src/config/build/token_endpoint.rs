//! `token.url`, `token.issuer`, `token.pingone.*`: where tokens are requested.

use url::Url;

use crate::config::address;
use crate::config::keys::{self, Key};
use crate::config::problems::InvalidValue;
use crate::config::token::Endpoint;
use crate::config::values::Values;
use crate::vendor::pingone::{self, PingOneEndpoint, Region};

const URL: &str = keys::TOKEN_URL.path();
const ISSUER: &str = keys::TOKEN_ISSUER.path();
const DOMAIN: &str = keys::TOKEN_PINGONE_DOMAIN.path();
const REGION: &str = keys::TOKEN_PINGONE_REGION.path();
const ENVIRONMENT_ID: &str = keys::TOKEN_PINGONE_ENVIRONMENT_ID.path();

/// An endpoint, and the default audience of assertions there: the issuer where it is known
/// (draft-ietf-oauth-rfc7523bis), else the endpoint itself.
pub(super) struct NamedEndpoint {
    pub(super) endpoint: Endpoint,
    /// The key that sets it.
    pub(super) key: &'static str,
    pub(super) audience: String,
}

impl NamedEndpoint {
    /// The same server, whose metadata also names the other endpoints that a person's sign-in needs.
    pub(super) fn with_metadata(self) -> Self {
        if self.key != DOMAIN && self.key != REGION {
            return self;
        }
        let endpoint = Endpoint::Issuer {
            issuer: self.audience.clone(),
            allow_plaintext: false,
        };
        Self { endpoint, ..self }
    }
}

/// `token.url`, `token.issuer` or one form of `token.pingone`: exactly one of the four.
pub(super) fn token_endpoint(values: &mut Values) -> Option<NamedEndpoint> {
    type Read = fn(&mut Values) -> Option<NamedEndpoint>;
    let forms: [(&[&'static str], Read); 4] = [
        (&[URL], token_url),
        (&[ISSUER], token_issuer),
        (&[DOMAIN], token_of_domain),
        (&[REGION, ENVIRONMENT_ID], token_of_region),
    ];
    let set: Vec<_> = forms
        .iter()
        .filter(|(keys, _)| keys.iter().any(|key| values.is_set(key)))
        .collect();
    match set[..] {
        [(_, read)] => read(values),
        [] if values.layers.incomplete => None,
        [] => {
            values.reject(
                URL,
                (
                    "no token endpoint is set",
                    "write token.pingone.region and token.pingone.environment_id, or token.url, or \
                     token.issuer; or set CUPBEARER_TOKEN__PINGONE__REGION and \
                     CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID, or CUPBEARER_TOKEN__URL",
                ),
            );
            None
        }
        [(one, _), ref others @ ..] => {
            // What each of them says is examined too, unless it is incomplete because another one is meant.
            let complete = |keys: &[&str]| keys.iter().all(|key| values.is_set(key));
            let complete: Vec<_> = set.iter().filter(|(keys, _)| complete(keys)).collect();
            for (_, read) in complete {
                read(values);
            }
            let others = others.iter().flat_map(|(keys, _)| *keys);
            reject_several(values, one[0], others);
            None
        }
    }
}

/// `others`: the keys of the other forms, whether they are set or not.
fn reject_several<'a>(
    values: &mut Values,
    one: &str,
    others: impl Iterator<Item = &'a &'static str>,
) {
    let set = others.filter(|key| values.is_set(key));
    let placed: Vec<String> = set
        .map(|key| format!("{key} ({})", values.source(key)))
        .collect();
    let does = if placed.len() == 1 { "does" } else { "do" };
    let problem = format!(
        "names a token endpoint, and so {does} {}",
        placed.join(" and ")
    );
    values.reject(one, (problem, "keep only one of them"));
}

fn token_of_domain(values: &mut Values) -> Option<NamedEndpoint> {
    let domain = values.read(&keys::TOKEN_PINGONE_DOMAIN)?;
    let endpoint = values.checked(DOMAIN, PingOneEndpoint::of_domain(&domain))?;
    Some(of_pingone(DOMAIN, &endpoint))
}

fn token_of_region(values: &mut Values) -> Option<NamedEndpoint> {
    let region = values.required(&keys::TOKEN_PINGONE_REGION);
    let region = region.and_then(|text| values.checked(REGION, Region::parse(&text)));
    let id = values.required(&keys::TOKEN_PINGONE_ENVIRONMENT_ID);
    let id = id.and_then(|text| values.checked(ENVIRONMENT_ID, pingone::environment_id(&text)));
    let endpoint = PingOneEndpoint::Environment {
        region: region?,
        environment_id: id?,
    };
    Some(of_pingone(REGION, &endpoint))
}

fn of_pingone(key: &'static str, endpoint: &PingOneEndpoint) -> NamedEndpoint {
    NamedEndpoint {
        key,
        audience: endpoint.issuer(),
        endpoint: Endpoint::Url(endpoint.url()),
    }
}

fn token_url(values: &mut Values) -> Option<NamedEndpoint> {
    let (url, _) = encrypted(values, &keys::TOKEN_URL, address::endpoint)?;
    Some(NamedEndpoint {
        key: URL,
        audience: url.as_str().to_owned(),
        endpoint: Endpoint::Url(url),
    })
}

fn token_issuer(values: &mut Values) -> Option<NamedEndpoint> {
    let (_, allow_plaintext) = encrypted(values, &keys::TOKEN_ISSUER, address::issuer)?;
    let issuer = values.read(&keys::TOKEN_ISSUER)?;
    Some(NamedEndpoint {
        key: ISSUER,
        audience: issuer.clone(),
        endpoint: Endpoint::Issuer {
            issuer,
            allow_plaintext,
        },
    })
}

/// A URL that a secret may be sent to, and whether `token.allow_plaintext` is set.
pub(super) fn encrypted(
    values: &mut Values,
    key: &Key<String>,
    parse: fn(&str) -> Result<Url, InvalidValue>,
) -> Option<(Url, bool)> {
    let plaintext = values.read(&keys::TOKEN_ALLOW_PLAINTEXT);
    let text = values.read(key)?;
    let url = values.checked(key.path(), parse(&text))?;
    let plaintext = plaintext?;
    if Endpoint::admits(&url, plaintext) {
        return Some((url, plaintext));
    }
    let problem = format!(
        "{} would send the secret unencrypted",
        address::quoted_url(&text)
    );
    let encrypted = address::write(&url.as_str().replacen("http://", "https://", 1));
    let remedy = format!(
        "{encrypted}; or, if everyone on the way there may read it, set token.allow_plaintext = true"
    );
    values.reject(key.path(), (problem, remedy));
    None
}
