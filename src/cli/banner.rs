//! What is shown once at startup: where each proxy listens and forwards to, and which protection is off.

use std::net::SocketAddr;
use std::time::SystemTime;

use crate::config::{Config, Listen, LocalUsers};
use crate::guard::OwnScheme;
use crate::text::date_and_time;
use crate::token::Snapshot;
use crate::{AdminListeners, RunningProxy};

/// The banner, with the lines of `more` at its end.
pub(super) fn banner(
    configs: &[&Config],
    running: &[RunningProxy],
    admin: Result<&AdminListeners, &str>,
    more: &[String],
) -> String {
    let mut lines = vec![format!("cupbearer {}", env!("CARGO_PKG_VERSION"))];
    for (config, running) in configs.iter().zip(running) {
        if configs.len() > 1 {
            lines.push(format!("{}:", config.name));
        }
        lines.extend(proxy_lines(config, running));
    }
    lines.push(
        match admin.map(|admin| local_url(OwnScheme::Http, &admin.addresses)) {
            Ok(None) => "  admin        off".to_owned(),
            Ok(Some(url)) => format!("  admin        {url}/ (status, /metrics, /ready)"),
            Err(why) => format!("  admin        off: {why}"),
        },
    );
    let is_personal =
        |config: &&Config| config.token.sign_in().is_some() || config.token.login().is_some();
    let needs_admin = configs.iter().any(is_personal);
    if needs_admin && !matches!(admin, Ok(listeners) if !listeners.addresses.is_empty()) {
        lines.push(
            "  note         nobody can sign in without an admin listener: choose its address with admin.listen (--admin)"
                .to_owned(),
        );
    }
    lines.extend_from_slice(more);
    lines.join("\n")
}

fn proxy_lines(config: &Config, running: &RunningProxy) -> Vec<String> {
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
            let scheme = running.scheme();
            let url = local_url(scheme, &running.addresses).unwrap_or_default();
            lines.push(format!(
                "  listens on   {url}{}",
                other_urls(scheme, &running.addresses, &url)
            ));
            Some(url)
        }
    };
    lines.push(format!(
        "  forwards to  {}://{}",
        config.upstream.url.scheme, config.upstream.url.authority
    ));
    lines.push(format!("  token from   {}", config.token));
    lines
        .extend(url.map(|url| format!("  API docs     {url}/docs (if the API serves them there)")));
    for absent in &running.absent {
        lines.push(format!(
            "  note         this machine has no {absent}, so the proxy does not listen there"
        ));
    }
    lines.extend(unprotected(config).map(|note| format!("  note         {note}")));
    lines
}

/// Whether other local users can connect. A unix socket is protected by the mode of its file.
fn unprotected(config: &Config) -> Option<&'static str> {
    let is_open = match config.listen {
        Listen::Localhost(_) => true,
        Listen::Tcp(_) => config.listen.is_local(),
        Listen::Unix { .. } => false,
    };
    (is_open && config.guard.local_users == LocalUsers::Any).then_some(
        if cfg!(target_os = "linux") {
            "every user of this machine may connect (guard.local_users = \"any\")"
        } else if cfg!(unix) {
            "every user of this machine may connect, because this system cannot identify the connecting user; use listen = \"unix:/PATH\" to keep others out"
        } else {
            "every user of this machine may connect, because this system cannot identify the connecting user; give each program a key (cupbearer keygen --caller NAME) to keep others out"
        },
    )
}

/// The URL to type. With several addresses it is `localhost`, which reaches them.
pub(super) fn local_url(scheme: OwnScheme, addresses: &[SocketAddr]) -> Option<String> {
    let scheme = scheme.prefix();
    match addresses {
        [] => None,
        [only] => Some(format!("{scheme}{only}")),
        [first, ..] => Some(format!("{scheme}localhost:{}", first.port())),
    }
}

fn other_urls(scheme: OwnScheme, addresses: &[SocketAddr], url: &str) -> String {
    let others: Vec<String> = addresses
        .iter()
        .map(|address| format!("{}{address}", scheme.prefix()))
        .filter(|other| other != url)
        .collect();
    if others.is_empty() {
        String::new()
    } else {
        format!(" ({})", others.join(", "))
    }
}

/// The last line: until when the token is valid, or why no token has been granted. `flags` lead another command to this
/// process, if it has been started with such flags.
pub(super) fn token_line(snapshot: &Snapshot, flags: Option<&str>) -> String {
    if let Some(sign_in) = snapshot
        .sign_in
        .as_ref()
        .filter(|one| one.needs_person && one.signed_in.is_none())
    {
        return format!(
            "  token        none yet: {}",
            sign_in.place.advice_with(flags)
        );
    }
    match (&snapshot.last_error, snapshot.expires_at) {
        (None, Some(expires_at)) => {
            let left = expires_at
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            format!(
                "  token        valid until {} (for {} s), refreshed before that",
                date_and_time(expires_at).unwrap_or_else(|| "after the year 9999".to_owned()),
                left.as_secs()
            )
        }
        (error, _) => format!(
            "  token        none yet: {}; cupbearer keeps trying, and requests get an error until it succeeds",
            error
                .as_deref()
                .unwrap_or("the token endpoint has not responded")
        ),
    }
}
