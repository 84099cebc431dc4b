//! `token.*`: which endpoint, as whom, asking for what.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::config::problems::InvalidValue;
use crate::config::values::Values;
use crate::config::{Algorithm, Assertion, ClientAuth, Endpoint, TokenConfig, address};
use crate::credentials::{ClientCertificate, PresentedTo, SecretSource};
use crate::text::quoted;
use crate::vendor::pingone::{self, PingOneEndpoint, Region};

/// The whole table.
pub(super) fn token(values: &mut Values) -> Option<TokenConfig> {
    let named = token_endpoint(values);
    let client_id = client_id(values);
    let auth = auth(values);
    let proof = proof(values, auth.unwrap_or(ClientAuth::Basic));
    let algorithm = algorithm(values, auth);
    let key_id = values.text("token.key_id");
    let audience = values.text("token.audience");
    let scope = scope(values);
    let params = params(values);
    let default_lifetime = values.duration("token.default_lifetime");
    let wait = values.duration("token.wait");
    let (proof, named) = (proof?, named?);
    Some(TokenConfig {
        endpoint: named.endpoint,
        endpoint_key: named.key,
        client_id: client_id?,
        credential: proof.credential,
        auth: auth?,
        certificate: proof.certificate,
        assertion: Assertion {
            algorithm: algorithm.ok()?,
            key_id,
            audience: audience.unwrap_or(named.audience),
        },
        scope,
        params: params?,
        default_lifetime: default_lifetime?,
        wait: wait?,
    })
}

/// An endpoint, and whom an assertion is made out to there: the issuer where it is known
/// (draft-ietf-oauth-rfc7523bis), else the endpoint itself.
struct NamedEndpoint {
    endpoint: Endpoint,
    /// The key that was written.
    key: &'static str,
    audience: String,
}

/// `token.url`, `token.issuer` or one form of `token.pingone`: exactly one of the four.
fn token_endpoint(values: &mut Values) -> Option<NamedEndpoint> {
    let ways: [(&[&'static str], Reader); 4] = [
        (&["token.url"], token_url),
        (&["token.issuer"], token_issuer),
        (&["token.pingone.domain"], token_of_domain),
        (
            &["token.pingone.region", "token.pingone.environment_id"],
            token_of_region,
        ),
    ];
    let given: Vec<_> = ways
        .iter()
        .filter(|(keys, _)| keys.iter().any(|key| values.is_given(key)))
        .collect();
    match given[..] {
        [(_, read)] => read(values),
        [] if values.layers.incomplete => None,
        [] => {
            values.wrong(
                "token.url",
                (
                    "nothing names the token endpoint",
                    "write token.pingone.region and token.pingone.environment_id, or token.url, or \
                     token.issuer; or set CUPBEARER_TOKEN__PINGONE__REGION and \
                     CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID, or CUPBEARER_TOKEN__URL",
                ),
            );
            None
        }
        [(one, _), ref others @ ..] => {
            let others = others.iter().flat_map(|(keys, _)| *keys);
            several_endpoints(values, one[0], others)
        }
    }
}

type Reader = fn(&mut Values) -> Option<NamedEndpoint>;

/// `others`: of the other ways, those keys too that are not given.
fn several_endpoints<'a>(
    values: &mut Values,
    one: &str,
    others: impl Iterator<Item = &'a &'static str>,
) -> Option<NamedEndpoint> {
    let given = others.filter(|key| values.is_given(key));
    let placed: Vec<String> = given
        .map(|key| format!("{key} ({})", values.source(key)))
        .collect();
    let does = if placed.len() == 1 { "does" } else { "do" };
    let problem = format!(
        "names a token endpoint, and so {does} {}",
        placed.join(" and ")
    );
    values.wrong(one, (problem, "keep only one of them"));
    None
}

fn token_of_domain(values: &mut Values) -> Option<NamedEndpoint> {
    const PATH: &str = "token.pingone.domain";
    let domain = values.text(PATH)?;
    let endpoint = values.checked(PATH, PingOneEndpoint::of_domain(&domain))?;
    Some(of_pingone(PATH, &endpoint))
}

fn token_of_region(values: &mut Values) -> Option<NamedEndpoint> {
    const REGION: &str = "token.pingone.region";
    const ENVIRONMENT: &str = "token.pingone.environment_id";
    let region = values.required(REGION);
    let region = region.and_then(|text| values.checked(REGION, Region::parse(&text)));
    let environment = values.required(ENVIRONMENT);
    let environment =
        environment.and_then(|text| values.checked(ENVIRONMENT, pingone::environment_id(&text)));
    let endpoint = PingOneEndpoint::Environment {
        region: region?,
        environment_id: environment?,
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
    let (url, _) = encrypted(values, "token.url", address::endpoint)?;
    Some(NamedEndpoint {
        key: "token.url",
        audience: url.as_str().to_owned(),
        endpoint: Endpoint::Url(url),
    })
}

fn token_issuer(values: &mut Values) -> Option<NamedEndpoint> {
    let (_, allow_plaintext) = encrypted(values, "token.issuer", address::issuer)?;
    let issuer = values.text("token.issuer")?;
    Some(NamedEndpoint {
        key: "token.issuer",
        audience: issuer.clone(),
        endpoint: Endpoint::Issuer {
            issuer,
            allow_plaintext,
        },
    })
}

/// A URL that a secret may be sent to, and whether `token.allow_plaintext` is set.
fn encrypted(
    values: &mut Values,
    path: &'static str,
    read: fn(&str) -> Result<Url, InvalidValue>,
) -> Option<(Url, bool)> {
    let plaintext = values.switch("token.allow_plaintext");
    let text = values.text(path)?;
    let url = values.checked(path, read(&text))?;
    let plaintext = plaintext?;
    if Endpoint::admits(&url, plaintext) {
        return Some((url, plaintext));
    }
    let problem = format!("{} would send the secret unencrypted", quoted(&text));
    values.wrong(
        path,
        (
            problem,
            "write \"https://…\"; or, if that network is trusted, token.allow_plaintext = true",
        ),
    );
    None
}

fn auth(values: &mut Values) -> Option<ClientAuth> {
    const METHODS: [ClientAuth; 5] = [
        ClientAuth::Basic,
        ClientAuth::Post,
        ClientAuth::SecretJwt,
        ClientAuth::PrivateKeyJwt,
        ClientAuth::Tls,
    ];
    values.choice("token.auth", &METHODS)
}

/// What we prove who we are with.
struct Proof {
    credential: SecretSource,
    certificate: Option<ClientCertificate>,
}

/// Exactly the credential that the method wants; others are told to be unused, never tried.
fn proof(values: &mut Values, auth: ClientAuth) -> Option<Proof> {
    let wanted = auth.credential_key();
    for path in ["token.client_secret", "token.private_key"] {
        if path != wanted && values.is_given(path) {
            values.warn(format!("{path} is set, but token.auth does not use it"));
        }
    }
    let certificate = certificate(values, auth);
    let credential = match auth {
        ClientAuth::Tls => {
            let key = certificate.as_ref().ok().and_then(Option::as_ref)?;
            SecretSource::File(key.key_file.clone())
        }
        ClientAuth::Basic
        | ClientAuth::Post
        | ClientAuth::SecretJwt
        | ClientAuth::PrivateKeyJwt => {
            values.missing(wanted);
            values.secret(wanted)?
        }
    };
    Some(Proof {
        credential,
        certificate: certificate.ok()?,
    })
}

/// A problem has been reported; unset is another matter.
struct Reported;

/// Both files or neither; `tls_client_auth` wants both.
fn certificate(
    values: &mut Values,
    auth: ClientAuth,
) -> Result<Option<ClientCertificate>, Reported> {
    const TO: PresentedTo = PresentedTo::TokenEndpoint;
    const PATHS: [&str; 2] = [TO.cert_key(), TO.key_key()];
    let wanted = auth == ClientAuth::Tls || PATHS.iter().any(|path| values.is_given(path));
    if !wanted {
        return Ok(None);
    }
    let [cert_file, key_file] = PATHS.map(|path| values.required(path).map(PathBuf::from));
    Ok(Some(ClientCertificate {
        to: TO,
        cert_file: cert_file.ok_or(Reported)?,
        key_file: key_file.ok_or(Reported)?,
    }))
}

/// One that fits `token.auth`; unset is left to the key.
fn algorithm(values: &mut Values, auth: Option<ClientAuth>) -> Result<Option<Algorithm>, Reported> {
    const PATH: &str = "token.algorithm";
    const ALGORITHMS: [Algorithm; 7] = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
    ];
    if !values.is_given(PATH) {
        return Ok(None);
    }
    let algorithm = values.choice(PATH, &ALGORITHMS).ok_or(Reported)?;
    let (method, fitting) = match auth.ok_or(Reported)? {
        ClientAuth::SecretJwt if !algorithm.is_symmetric() => {
            ("client_secret_jwt", "HS256, HS384 or HS512")
        }
        ClientAuth::PrivateKeyJwt if algorithm.is_symmetric() => {
            ("private_key_jwt", "RS256, RS384, RS512 or ES256")
        }
        ClientAuth::Basic
        | ClientAuth::Post
        | ClientAuth::SecretJwt
        | ClientAuth::PrivateKeyJwt
        | ClientAuth::Tls => return Ok(Some(algorithm)),
    };
    let problem = format!("{} is not for {method}", algorithm.as_str());
    values.wrong(PATH, (problem, format!("write {fitting}, or leave it out")));
    Err(Reported)
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
