//! What is said once at the start: where each proxy listens and forwards to, and what somebody should know.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::config::{Config, Listen, LocalUsers};
use crate::token::Snapshot;
use crate::{AdminListeners, Running, doctor, server};

/// The whole of it, with `more` below.
pub(super) fn banner(
    configs: &[&Config],
    running: &[Running],
    admin: Result<&AdminListeners, &str>,
    more: &[String],
) -> String {
    let mut lines = vec![format!("cupbearer {}", env!("CARGO_PKG_VERSION"))];
    for (config, running) in configs.iter().zip(running) {
        if configs.len() > 1 {
            lines.push(format!("{}:", config.name));
        }
        lines.extend(lines_of(config, running));
    }
    lines.push(match admin.map(|admin| local_url(&admin.addresses)) {
        Ok(None) => "  admin        off".to_owned(),
        Ok(Some(url)) => format!("  admin        {url}/ (status, /metrics, /ready)"),
        Err(why) => format!("  admin        none: {why}"),
    });
    lines.extend_from_slice(more);
    lines.join("\n")
}

/// Why there is no admin listener. Blocks, where it asks who has the port.
pub(super) fn without_admin(error: &server::BindError, listen: &[Listen]) -> String {
    let is_taken = error.source.kind() == std::io::ErrorKind::AddrInUse;
    let process = is_taken.then(|| doctor::admin_process(listen)).flatten();
    match (process, &error.address) {
        (Some(process), Listen::Tcp(address)) => format!(
            "{} is another cupbearer's (process {process}); health, wait, status and quit would reach that one; set \
             admin.listen",
            address.port()
        ),
        (_, _) => format!(
            "{error}: {}; set admin.listen to have one elsewhere",
            error.source
        ),
    }
}

/// One proxy's part of the banner.
fn lines_of(config: &Config, running: &Running) -> Vec<String> {
    let mut lines = Vec::new();
    let url = match &config.listen {
        Listen::Unix { path, .. } => {
            let path = path.display();
            lines.push(format!("  listens on   {}", config.listen));
            lines.push(format!(
                "  try          curl --unix-socket {path} http://localhost/"
            ));
            None
        }
        Listen::Localhost(_) | Listen::Tcp(_) => {
            let url = local_url(&running.addresses).unwrap_or_default();
            lines.push(format!(
                "  listens on   {url}{}",
                beside(&running.addresses, &url)
            ));
            Some(url)
        }
    };
    lines.push(format!(
        "  forwards to  {}://{}",
        config.upstream.url.scheme, config.upstream.url.authority
    ));
    lines.push(format!("  token from   {}", config.token.endpoint));
    lines.extend(url.map(|url| format!("  API docs     {url}/docs (if the API has them there)")));
    for absent in &running.absent {
        lines.push(format!(
            "  note         this machine has no {absent}; it is left out"
        ));
    }
    lines.extend(unprotected(config).map(|note| format!("  note         {note}")));
    lines
}

/// Which protection from other local users is off. A unix socket has its file's mode.
fn unprotected(config: &Config) -> Option<&'static str> {
    let is_open = match config.listen {
        Listen::Localhost(_) => true,
        Listen::Tcp(_) => config.listen.is_local(),
        Listen::Unix { .. } => false,
    };
    (is_open && config.guard.local_users == LocalUsers::Any).then_some(
        if cfg!(target_os = "linux") {
            "every user of this machine may connect (guard.local_users = \"any\")"
        } else {
            "every user of this machine may connect: this system does not tell who does; listen = \"unix:/PATH\" keeps others out"
        },
    )
}

/// The address to type: `localhost` where that reaches us.
pub(super) fn local_url(addresses: &[SocketAddr]) -> Option<String> {
    match addresses {
        [] => None,
        [only] => Some(format!("http://{only}")),
        [first, ..] => Some(format!("http://localhost:{}", first.port())),
    }
}

fn beside(addresses: &[SocketAddr], url: &str) -> String {
    let others: Vec<String> = addresses
        .iter()
        .map(|address| format!("http://{address}"))
        .filter(|other| other != url)
        .collect();
    if others.is_empty() {
        String::new()
    } else {
        format!(" ({})", others.join(", "))
    }
}

/// The last line: until when the token is good, or why there is none.
pub(super) fn token_line(snapshot: &Snapshot) -> String {
    match (&snapshot.last_error, snapshot.expires_at) {
        (None, Some(expires_at)) => {
            let left = expires_at
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            format!(
                "  token        valid until {} (for {} s), refreshed before that",
                humantime::format_rfc3339_seconds(expires_at),
                left.as_secs()
            )
        }
        (error, _) => format!(
            "  token        none yet: {}; trying again, requests get an error until then",
            error
                .as_deref()
                .unwrap_or("the token endpoint has not answered")
        ),
    }
}

#[cfg(test)]
mod tests;
