//! The configuration from its values: one function a table, and the rules that join several keys.
//!
//! Every key of a table is read before any of them is given up on, so that one run shows all problems.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::problems::quoted;
use super::values::Values;
use super::{
    Access, ClientAuth, Config, Guard, Limits, Listen, Log, LogFormat, Network, Origin, Runtime,
    Token, Upstream, address, pingone,
};

/// The whole of it; `None` after at least one problem.
pub(crate) fn config(values: &mut Values) -> Option<Config> {
    let name = name(values);
    let listen = listen(values);
    let upstream = upstream(values);
    let network = Network {
        ca_file: values.text("network.ca_file").map(PathBuf::from),
    };
    let token = token(values);
    let guard = guard(values);
    let limits = limits(values);
    let log = log(values);
    let drain = values.duration("drain");
    let drain_delay = values.duration("drain_delay");
    let threads = values.count("runtime.threads");
    Some(Config {
        name: name?,
        listen: listen?,
        upstream: upstream?,
        network,
        token: token?,
        guard: guard?,
        limits: limits?,
        log: log?,
        drain: drain?,
        drain_delay: drain_delay?,
        runtime: Runtime { threads: threads? },
    })
}

/// It stands in header fields, in labels and on the page: RFC 9110's token, and less.
fn name(values: &mut Values) -> Option<String> {
    let name = values.text("name")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 64 && name.bytes().all(is_plain) {
        return Some(name);
    }
    let problem = format!("{} is no usable name", quoted(&name));
    values.wrong("name", (problem, "write 1 to 64 letters, digits, \".\", \"_\" or \"-\""));
    None
}

/// Until there are callers with keys, `keyed` admits nobody beyond loopback.
fn listen(values: &mut Values) -> Option<Listen> {
    let open = values.choice("guard.network", &[false, true]);
    let text = values.text("listen")?;
    let listen = values.checked("listen", address::listen(&text))?;
    if listen.is_loopback() || open? {
        return Some(listen);
    }
    let problem = format!("{} is not loopback, and guard.network is \"keyed\"", quoted(&text));
    values.wrong(
        "listen",
        (
            problem,
            "write listen = \"localhost:6749\"; or, if all who can reach that address may act as \
             this client, guard.network = \"open\"",
        ),
    );
    None
}

fn upstream(values: &mut Values) -> Option<Upstream> {
    let url = upstream_url(values);
    let headers = headers(values);
    let connect_timeout = values.duration("upstream.connect_timeout");
    let head_timeout = values.duration("upstream.head_timeout");
    let stall_timeout = values.duration("upstream.stall_timeout");
    let pool_idle = values.duration("upstream.pool_idle");
    Some(Upstream {
        url: url?,
        headers: headers?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        stall_timeout: stall_timeout?,
        pool_idle: pool_idle?,
    })
}

fn upstream_url(values: &mut Values) -> Option<Origin> {
    let plaintext = values.switch("upstream.allow_plaintext");
    let text = values.required("upstream.url")?;
    let url = values.checked("upstream.url", address::origin(&text))?;
    if url.scheme == Scheme::HTTPS || address::is_loopback_origin(&url) || plaintext? {
        return Some(url);
    }
    let remedy = format!(
        "write \"https://{}\"; or, if that network is trusted, upstream.allow_plaintext = true",
        url.authority
    );
    let problem = format!("{} would send the token unencrypted", quoted(&text));
    values.wrong("upstream.url", (problem, remedy));
    None
}

/// Names that are the proxy's own business: the credential, where it goes, framing, one connection.
const NOT_FIXED: [&str; 11] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn headers(values: &mut Values) -> Option<Vec<(HeaderName, HeaderValue)>> {
    const PATH: &str = "upstream.headers";
    let mut headers = BTreeMap::new();
    for (name, value) in values.map(PATH)? {
        let Ok(field) = HeaderName::try_from(&name) else {
            let problem = format!("{} is no header name", quoted(&name));
            values.wrong(PATH, (problem, "write letters, digits and \"-\""));
            continue;
        };
        if NOT_FIXED.contains(&field.as_str()) || field.as_str().starts_with("proxy-") {
            let problem = format!("{name} is set by the proxy itself");
            values.wrong(PATH, (problem, "remove it"));
            continue;
        }
        let Ok(value) = HeaderValue::try_from(&value) else {
            let problem = format!("the value of {name} cannot stand in a header");
            values.wrong(PATH, (problem, "write printable ASCII"));
            continue;
        };
        if headers.insert(field.to_string(), (field, value)).is_some() {
            let problem = format!("{name} is there twice");
            values.wrong(PATH, (problem, "write it once; case does not matter"));
        }
    }
    Some(headers.into_values().collect())
}

fn token(values: &mut Values) -> Option<Token> {
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
    let by_region = values.is_given("token.pingone.region") || values.is_given("token.pingone.environment_id");
    match (by_url, by_domain, by_region) {
        (true, false, false) => token_url(values),
        (false, true, false) => {
            let domain = values.text("token.pingone.domain")?;
            values.checked("token.pingone.domain", pingone::endpoint_of_domain(&domain))
        }
        (false, false, true) => token_of_region(values),
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
        (false, true, true) => two_endpoints(values, "token.pingone.domain", "token.pingone.region and .environment_id"),
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
        .and_then(|text| values.checked("token.pingone.environment_id", pingone::environment_id(&text)));
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
        (problem, "write \"https://…\"; or, if that network is trusted, token.allow_plaintext = true"),
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
    values.wrong("token.client_id", (problem, "copy it again, without space around it"));
    None
}

/// RFC 6749 3.3: words of printable ASCII without `"` and `\`, one space between.
fn scope(values: &mut Values) -> Option<String> {
    let scope = values.text("token.scope")?;
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    if scope.split(' ').all(is_word) {
        return Some(scope);
    }
    let problem = format!("{} is no scope", quoted(&scope));
    values.wrong("token.scope", (problem, "write names with one space between, such as \"read write\""));
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
            values.wrong(PATH, (problem, "remove it; token.scope and token.client_id are keys of their own"));
        }
    }
    Some(params)
}

fn guard(values: &mut Values) -> Option<Guard> {
    let hosts = each(values, "guard.hosts", address::host_name);
    let origins = each(values, "guard.origins", address::web_origin);
    Some(Guard {
        hosts: hosts?,
        origins: origins?,
    })
}

fn each(
    values: &mut Values,
    path: &'static str,
    check: fn(&str) -> Result<String, super::problems::Complaint>,
) -> Option<Vec<String>> {
    let texts = values.texts(path)?;
    let good: Vec<String> = texts
        .iter()
        .filter_map(|text| values.checked(path, check(text)))
        .collect();
    Some(good)
}

fn limits(values: &mut Values) -> Option<Limits> {
    let connections = values.count("limits.connections");
    let in_flight = values.count("limits.in_flight");
    let header_bytes = values.size("limits.header_bytes");
    let header_timeout = values.duration("limits.header_timeout");
    let keep_alive = values.duration("limits.keep_alive");
    Some(Limits {
        connections: connections?,
        in_flight: in_flight?,
        header_bytes: header_bytes?,
        header_timeout: header_timeout?,
        keep_alive: keep_alive?,
    })
}

fn log(values: &mut Values) -> Option<Log> {
    let format = values.choice("log.format", &[LogFormat::Auto, LogFormat::Text, LogFormat::Json]);
    let level = level(values);
    let access = values.choice("log.access", &[Access::Auto, Access::All, Access::None]);
    Some(Log {
        format: format?,
        level: level?,
        access: access?,
    })
}

/// A single word must be a level: the filter would take `inof` for a module's name, and log all of it.
fn level(values: &mut Values) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = values.text("log.level")?;
    let is_level = LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    let is_directives = text.contains('=') && EnvFilter::builder().parse(&text).is_ok();
    if is_level || is_directives {
        return Some(text);
    }
    let problem = format!("{} is no level", quoted(&text));
    values.wrong(
        "log.level",
        (problem, "write error, warn, info, debug, trace or off, or \"info,hyper=debug\""),
    );
    None
}
