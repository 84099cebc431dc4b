//! `token.source`, which takes the place of an endpoint, a grant and a client.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::token_field::token_field;
use crate::config::address;
use crate::config::keys::{self, KEYS};
use crate::config::problems::InvalidValue;
use crate::config::secret_source;
use crate::config::token_source::{SOURCE_KEY, SourceTable, TokenPlace, TokenSource, is_on_link};
use crate::config::values::Values;
use crate::credentials::SecretSource;
use crate::text::quoted;

/// The keys that apply to a token wherever it comes from.
const COMMON: [&str; 6] = [
    SOURCE_KEY,
    "token.default_lifetime",
    "token.header",
    "token.keep_authorization",
    "token.prefix",
    "token.wait",
];

/// Fields that the request sets itself, or that could send it to another server.
const OWN_FIELDS: [HeaderName; 5] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The source, without any key of a grant beside it.
pub(super) fn source(values: &mut Values) -> Option<TokenSource> {
    reject_grant(values);
    let default_lifetime = values.read(&keys::TOKEN_DEFAULT_LIFETIME);
    let field = token_field(values);
    let table = values.read(&keys::TOKEN_SOURCE)?;
    if let SourceTable::Command(words) = &table {
        values.named.token_program = words.first().cloned();
    }
    let place = place(values, table)?;
    Some(TokenSource {
        place,
        field: field?,
        default_lifetime: default_lifetime?,
    })
}

fn reject_grant(values: &mut Values) {
    let of_grant = KEYS
        .iter()
        .map(|key| key.path)
        .filter(|path| path.starts_with("token.") && !COMMON.contains(path));
    let source = values.source(SOURCE_KEY);
    for path in of_grant.collect::<Vec<_>>() {
        if values.is_set(path) {
            let problem = format!("cannot be used together with {SOURCE_KEY} ({source})");
            let remedy =
                format!("remove it; or remove {SOURCE_KEY}, which takes the place of a grant");
            values.reject(path, (problem, remedy));
        }
    }
}

fn place(values: &mut Values, table: SourceTable) -> Option<TokenPlace> {
    match table {
        SourceTable::Command(words) => Some(TokenPlace::Command(words)),
        SourceTable::File(name) => {
            let file = secret_source::file(&name, values.layers.credentials.as_deref());
            let path = match values.checked(SOURCE_KEY, file)? {
                SecretSource::File(path) => path,
                SecretSource::Env(_)
                | SecretSource::Command(_)
                | SecretSource::Keyring(_)
                | SecretSource::Value(_) => return None, // not what `file` returns
            };
            Some(TokenPlace::File(path))
        }
        SourceTable::Http { url, headers } => {
            let url = values.checked(SOURCE_KEY, http_url(&url));
            let headers = values.checked(SOURCE_KEY, fields(headers));
            Some(TokenPlace::Http {
                url: url?,
                headers: headers?,
            })
        }
    }
}

/// The query and the fragment, which may contain a credential, are in no problem.
fn http_url(text: &str) -> Result<url::Url, InvalidValue> {
    let bare = text.split(['?', '#']).next().unwrap_or_default();
    let url = address::without_query(bare, &is_on_link)?;
    if url.scheme() != "https" && !is_on_link(&url) {
        let problem = format!("{} would send the token unencrypted", quoted(bare));
        let remedy = "write an https address; plain http is only for loopback and link-local addresses, such as that of \
                      a metadata server (http://169.254.169.254)";
        return Err((problem, remedy).into());
    }
    let after = &text[bare.len()..];
    if after.contains('#') {
        let problem = format!("{} is followed by a fragment", quoted(bare));
        return Err((problem, "remove the \"#\" and what follows it").into());
    }
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    url::Url::parse(text)
        .ok()
        .filter(|_| !after.contains(is_odd))
        .ok_or_else(|| {
            let problem = format!("{} is followed by a query with spaces", quoted(bare));
            (problem, "write %20 for a space").into()
        })
}

/// The values are not quoted: one of them may be a credential.
fn fields(written: Vec<(String, String)>) -> Result<HeaderMap, InvalidValue> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let invalid = |what: &str| {
            let problem = format!("headers has {}, {what}", quoted(&name));
            InvalidValue::from((problem, "correct it, or remove it"))
        };
        let field = HeaderName::try_from(&name);
        let field = field.map_err(|_| invalid("which is no name of a header field"))?;
        if OWN_FIELDS.contains(&field) {
            return Err(invalid("which the request sets itself"));
        }
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            invalid("whose value contains characters that a header field cannot contain")
        })?;
        value.set_sensitive(true);
        headers.append(field, value);
    }
    Ok(headers)
}
