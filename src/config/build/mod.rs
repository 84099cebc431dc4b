//! The configuration from its values: one function a table, and the rules that join several keys.
//!
//! Every key of a table is read before any of them is given up on, so that one run shows all problems.

mod guard;
mod network;
mod token;
mod upstream;

use tracing_subscriber::EnvFilter;

use self::guard::guard;
use self::network::network;
use self::token::token;
use self::upstream::upstream;
use super::values::Values;
use super::{
    AccessLog, AdminConfig, Config, GuardConfig, LimitsConfig, Listen, LogConfig, LogFormat,
    RuntimeConfig, address,
};
use crate::text::quoted;

/// The whole of it; `None` after at least one problem.
pub(crate) fn config(values: &mut Values) -> Option<Config> {
    let name = name(values);
    let guard = guard(values);
    let listen = listen(values, guard.as_ref());
    let mut upstream = upstream(values);
    let token = token(values);
    let network = network(values, upstream.as_ref(), token.as_ref());
    if let (Some(upstream), Some(network)) = (&mut upstream, &network) {
        upstream.proxy = network.proxy.for_origin(&upstream.url);
    }
    let admin = admin(values);
    let limits = limits(values);
    let log = log(values);
    let drain = values.duration("drain");
    let drain_delay = values.duration("drain_delay");
    let threads = values.count("runtime.threads");
    Some(Config {
        name: name?,
        listen: listen?,
        upstream: upstream?,
        network: network?,
        token: token?,
        guard: guard?,
        admin: admin?,
        limits: limits?,
        log: log?,
        drain: drain?,
        drain_delay: drain_delay?,
        runtime: RuntimeConfig { threads: threads? },
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
    values.wrong(
        "name",
        (
            problem,
            "write 1 to 64 letters, digits, \".\", \"_\" or \"-\"",
        ),
    );
    None
}

/// `keyed` admits nobody beyond loopback where no caller has a key.
fn listen(values: &mut Values, guard: Option<&GuardConfig>) -> Option<Listen> {
    let mode = values.mode("listen_mode");
    let text = values.text("listen")?;
    let listen = values.checked("listen", address::listen(&text))?;
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
    values.wrong(
        "listen",
        (
            problem,
            "write listen = \"localhost:6749\"; or give each caller a key in guard.callers (`cupbearer keygen \
             --caller` makes one); or, if all who can reach that address may act as this client, \
             guard.network = \"open\"",
        ),
    );
    None
}

/// The one part that `health` and its like need; the rest may be broken.
pub(crate) fn admin(values: &mut Values) -> Option<AdminConfig> {
    const PATH: &str = "admin.listen";
    let texts = values.one_or_more(PATH)?;
    if texts.len() == 1 && texts[0].eq_ignore_ascii_case("off") {
        return Some(AdminConfig {
            listen: Vec::new(),
            is_configured: true,
        });
    }
    if texts.is_empty() {
        values.wrong(PATH, ("is an empty list", "write \"off\" for no listener"));
        return None;
    }
    let listen: Vec<Listen> = texts
        .iter()
        .filter_map(|text| values.checked(PATH, address::listen(text)))
        .collect();
    (listen.len() == texts.len()).then_some(AdminConfig {
        listen,
        is_configured: values.is_given(PATH),
    })
}

fn limits(values: &mut Values) -> Option<LimitsConfig> {
    let connections = values.count("limits.connections");
    let in_flight = values.count("limits.in_flight");
    let header_bytes = values.size("limits.header_bytes");
    let header_timeout = values.duration("limits.header_timeout");
    let keep_alive = values.duration("limits.keep_alive");
    Some(LimitsConfig {
        connections: connections?,
        in_flight: in_flight?,
        header_bytes: header_bytes?,
        header_timeout: header_timeout?,
        keep_alive: keep_alive?,
    })
}

fn log(values: &mut Values) -> Option<LogConfig> {
    let format = values.choice(
        "log.format",
        &[LogFormat::Auto, LogFormat::Text, LogFormat::Json],
    );
    let level = level(values);
    let access = values.choice(
        "log.access",
        &[AccessLog::Auto, AccessLog::All, AccessLog::None],
    );
    Some(LogConfig {
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
        (
            problem,
            "write error, warn, info, debug, trace or off, or \"info,hyper=debug\"",
        ),
    );
    None
}
