//! The configuration from its values: one function a table, and the rules that concern several keys.
//!
//! Every key of a table is read before any missing one ends the reading, so that all problems are found at once.

mod certificate_pair;
mod grant;
mod guard;
mod limits;
mod login;
mod loops;
mod network;
mod sign_in;
mod source;
mod tls;
mod token;
mod token_endpoint;
mod token_field;
mod upstream;

use tracing_subscriber::EnvFilter;

use self::guard::guard;
use self::limits::limits;
use self::network::network;
use self::tls::tls;
use self::token::token;
use self::upstream::upstream;
use super::certificate_name::CertificateName;
use super::guard::GuardConfig;
use super::keys;
use super::listen::{self, Listen};
use super::problems::ConfigProblems;
use super::token::TokenConfig;
use super::types::{AdminConfig, Config, LogConfig, NetworkConfig, RuntimeConfig, UpstreamConfig};
use super::values::Values;
use crate::text::quoted;

/// The whole configuration; `None` after at least one problem.
pub(crate) fn config(values: &mut Values) -> Option<Config> {
    let name = name(values);
    let mut guard = guard(values);
    let listen = listen(values, guard.as_ref());
    let tls = tls(values, listen.as_ref(), guard.as_ref());
    let mut upstream = upstream(values);
    let origin = upstream.as_ref().map(|upstream| &upstream.url);
    let token = token(values, origin);
    if token.as_ref().is_some_and(TokenConfig::is_of_person) {
        sign_in::reject_sharing(values, listen.as_ref(), guard.as_ref());
    }
    let token_field = token.as_ref().map(TokenConfig::field);
    token_field::reject_fixed(values, token_field, upstream.as_ref());
    if let (Some(guard), Some(field)) = (&mut guard, token_field) {
        guard.keeps_authorization = field.keeps_authorization;
    }
    let network = network(values, upstream.as_ref(), token.as_ref());
    if let (Some(upstream), Some(network)) = (&mut upstream, &network) {
        upstream.proxy = network.proxy.for_origin(&upstream.url);
    }
    let admin = admin(values);
    if token.as_ref().is_some_and(TokenConfig::is_of_person) {
        sign_in::warn_of_no_listener(values, admin.as_ref());
    }
    let own = loops::listeners(listen.as_ref(), admin.as_ref());
    loops::reject(values, &own, token.as_ref(), network.as_ref());
    reject_spiffe_without_authorities(values, upstream.as_ref(), network.as_ref());
    reject_shared_addresses(values, listen.as_ref(), admin.as_ref());
    let limits = limits(values);
    let log = log(values);
    let drain = values.read(&keys::DRAIN);
    let drain_delay = values.read(&keys::DRAIN_DELAY);
    let threads = values.read(&keys::RUNTIME_THREADS);
    Some(Config {
        name: name?,
        listen: listen?,
        upstream: upstream?,
        network: network?,
        token: token?,
        guard: guard?,
        tls: tls?,
        admin: admin?,
        limits: limits?,
        log: log?,
        drain: drain?,
        drain_delay: drain_delay?,
        runtime: RuntimeConfig {
            threads: usize::try_from(threads?).ok()?,
        },
    })
}

/// Keys that no rule compares with others, so that the default can stand in for an invalid value.
const COMPARED_WITH_NONE: [&str; 31] = [
    "drain",
    "drain_delay",
    "guard.hosts",
    "guard.local_users",
    "guard.origins",
    "limits.connections",
    "limits.header_bytes",
    "limits.header_timeout",
    "limits.in_flight",
    "limits.keep_alive",
    "limits.streams",
    "log.access",
    "log.format",
    "log.level",
    "name",
    "runtime.threads",
    "token.accept_type",
    "token.default_lifetime",
    "token.scope",
    "token.wait",
    "upstream.connect_timeout",
    "upstream.cookies",
    "upstream.head_timeout",
    "upstream.http2",
    "upstream.openapi",
    "upstream.openapi_memory",
    "upstream.pool_idle",
    "upstream.retry_body",
    "upstream.rewrite",
    "upstream.stall_timeout",
    "upstream.via",
];

/// Finds what was not looked for because of an invalid value elsewhere: the rules that concern several keys, and what
/// these name.
pub(crate) fn find_hidden(values: &mut Values) {
    let found = &values.layers.problems;
    let invalid: Vec<String> = found
        .iter()
        .filter(|one| COMPARED_WITH_NONE.contains(&&*one.key))
        .map(|one| one.key.clone())
        .collect();
    if invalid.is_empty() {
        return;
    }
    let mut layers = values.layers.clone();
    layers.problems = ConfigProblems::default();
    layers.values.retain(|path, _| !invalid.contains(path));
    let mut again = Values::new(layers);
    config(&mut again);
    let mut hidden = again.layers.problems;
    hidden.retain(|one| {
        let mut found = values.layers.problems.iter();
        !invalid.contains(&one.key) && !found.any(|known| known == one)
    });
    values.layers.problems.add(hidden);
    values.named = again.named;
}

/// The name is part of header fields, labels and pages, so it may contain less than a token of RFC 9110.
fn name(values: &mut Values) -> Option<String> {
    let name = values.read(&keys::NAME)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 64 && name.bytes().all(is_plain) {
        return Some(name);
    }
    let problem = format!("{} is not a valid name", quoted(&name));
    let remedy = "write 1 to 64 letters, digits, \".\", \"_\" or \"-\"";
    values.reject(keys::NAME.path(), (problem, remedy));
    None
}

/// On a network listener, `keyed` admits no request if no caller has a key.
fn listen(values: &mut Values, guard: Option<&GuardConfig>) -> Option<Listen> {
    let path = keys::LISTEN.path();
    let mode = values.read(&keys::LISTEN_MODE);
    let text = values.read(&keys::LISTEN)?;
    let listen = values.checked(path, listen::listen(&text))?;
    if let Listen::Unix { path, .. } = listen {
        return Some(Listen::Unix { path, mode: mode? });
    }
    if listen.is_local() || guard.is_none_or(GuardConfig::may_face_network) {
        return Some(listen);
    }
    let problem = format!(
        "{} is not loopback, guard.network is \"keyed\", and no caller has a key",
        quoted(&text)
    );
    let remedy = "write listen = \"localhost:6749\"; or give each caller a key in guard.callers (`cupbearer keygen \
                  --caller` makes one); or, if everyone who can reach that address may act as this client, set \
                  guard.network = \"open\"";
    values.reject(path, (problem, remedy));
    None
}

/// Only a private authority issues certificates with a SPIFFE ID.
fn reject_spiffe_without_authorities(
    values: &mut Values,
    upstream: Option<&UpstreamConfig>,
    network: Option<&NetworkConfig>,
) {
    let san = upstream.and_then(|upstream| upstream.san.as_ref());
    let has_none = network.is_some_and(|network| network.ca_file.is_none());
    if has_none && san.is_some_and(CertificateName::is_spiffe) {
        let ca_file = keys::NETWORK_CA_FILE.path();
        let problem = format!("is a SPIFFE ID, which only an authority of {ca_file} can issue");
        let remedy = format!("set {ca_file} to the authorities of the mesh");
        values.reject(keys::UPSTREAM_SAN.path(), (problem, remedy));
    }
}

/// The one part that commands such as `health` need; the rest may be invalid.
pub(crate) fn admin(values: &mut Values) -> Option<AdminConfig> {
    let path = keys::ADMIN_LISTEN.path();
    let texts = values.read(&keys::ADMIN_LISTEN)?;
    if texts.len() == 1 && texts[0].eq_ignore_ascii_case("off") {
        return Some(AdminConfig {
            listen: Vec::new(),
            is_configured: true,
        });
    }
    if texts.is_empty() {
        values.reject(path, ("is an empty list", "write \"off\" for no listener"));
        return None;
    }
    let listen: Vec<Listen> = texts
        .iter()
        .filter_map(|text| values.checked(path, listen::admin_listen(text)))
        .collect();
    (listen.len() == texts.len()).then_some(AdminConfig {
        listen,
        is_configured: values.is_set(path),
    })
}

/// The same address cannot be bound twice. The proxy can run without the default admin listener, so that is a warning.
fn reject_shared_addresses(
    values: &mut Values,
    listen: Option<&Listen>,
    admin: Option<&AdminConfig>,
) {
    let path = keys::ADMIN_LISTEN.path();
    let Some(admin) = admin else {
        return;
    };
    for (index, one) in admin.listen.iter().enumerate() {
        let earlier = &admin.listen[..index];
        let other = if listen.is_some_and(|listen| listen.conflicts_with(one)) {
            "listen".to_owned()
        } else if let Some(other) = earlier.iter().find(|other| other.conflicts_with(one)) {
            format!("\"{other}\"")
        } else {
            continue;
        };
        let problem = format!("\"{one}\" has an address in common with {other}");
        if !admin.is_configured {
            values.warn(format!(
                "{path} is not set, and its default {problem}: there is no admin listener; set it to another address"
            ));
            continue;
        }
        let remedy = if other == "listen" {
            let free = ["localhost:6750", "localhost:6751"]
                .into_iter()
                .find(|text| listen::listen(text).is_ok_and(|free| !free.conflicts_with(one)));
            format!("write another port, such as {:?}", free.unwrap_or("off"))
        } else {
            "remove one of them".to_owned()
        };
        values.reject(path, (problem, remedy));
    }
}

fn log(values: &mut Values) -> Option<LogConfig> {
    let format = values.read(&keys::LOG_FORMAT);
    let level = level(values);
    let access = values.read(&keys::LOG_ACCESS);
    Some(LogConfig {
        format: format?,
        level: level?,
        access: access?,
    })
}

/// A single word must be a level: the filter would take `inof` for a module's name, and log everything in it.
fn level(values: &mut Values) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = values.read(&keys::LOG_LEVEL)?;
    let is_level = LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    let is_directives = text.contains('=') && EnvFilter::builder().parse(&text).is_ok();
    if is_level || is_directives {
        return Some(text);
    }
    let problem = format!("{} is not a log level", quoted(&text));
    let remedy = "write error, warn, info, debug, trace or off, or \"info,hyper=debug\"";
    values.reject(keys::LOG_LEVEL.path(), (problem, remedy));
    None
}
