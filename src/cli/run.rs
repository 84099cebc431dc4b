//! `cupbearer run`: serves until told to stop; what can heal is waited for, what cannot ends at once.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::SystemTime;

use super::notify::Notifier;
use super::{Exit, check, say};
use crate::config::{Access, Config, Listen, Loaded, LocalUsers, Overrides, Surroundings};
use crate::proxy::AccessLines;
use crate::server::Phase;
use crate::token::{Snapshot, Tokens};
use crate::{
    AdminListeners, Running, StartError, doctor, metrics, secret, server, start, start_admin,
    telemetry,
};

/// Loads, starts, serves.
pub(super) async fn run(overrides: &Overrides, surroundings: &Surroundings) -> Exit {
    let _flushing = telemetry::Flushing::start();
    // Before the secret is read for the first time.
    if let Err(error) = secret::hide_process() {
        say(&format!(
            "warning: other processes of this user can read this one's memory: {error}"
        ));
    }
    match check::examine(overrides, surroundings).await {
        Ok(loaded) => serve(&loaded, &[]).await,
        Err(problems) => {
            say(&format!("{problems}"));
            Exit::Configuration
        }
    }
}

/// Serves a configuration that has been looked at, with further lines below the banner.
pub(super) async fn serve(loaded: &Loaded, more: &[String]) -> Exit {
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}"));
    }
    let config = &loaded.config;
    let telemetry = match telemetry::start(&config.log) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            say(&format!(
                "log.level: {error}; write error, warn, info, debug or trace"
            ));
            return Exit::Configuration;
        }
    };
    match start(config, access_lines(config.log.access)) {
        Ok(mut running) => {
            let process = metrics::Process::new(telemetry.lines_dropped());
            let admin = match start_admin(config, &running, process) {
                Ok(admin) => Ok(admin),
                Err(error) if config.admin.is_configured => {
                    say(&refusal(&StartError::Bind(error)));
                    return Exit::Failed;
                }
                Err(error) => Err(error),
            };
            say(&banner(config, &running, admin.as_ref(), more));
            until_stopped(config, &mut running, admin.ok().as_ref()).await
        }
        Err(error) => {
            say(&refusal(&error));
            match error {
                StartError::UnknownUsers(_) => Exit::Configuration,
                StartError::Bind(_)
                | StartError::Loop { .. }
                | StartError::Tls(_)
                | StartError::TokenClient(_)
                | StartError::Worker(_) => Exit::Failed,
            }
        }
    }
}

/// `auto`: every request where a person looks on, else what may matter later.
fn access_lines(access: Access) -> AccessLines {
    match access {
        Access::Auto if std::io::stderr().is_terminal() => AccessLines::All,
        Access::Auto => AccessLines::WritesAndFailures,
        Access::All => AccessLines::All,
        Access::None => AccessLines::None,
    }
}

pub(super) fn refusal(error: &StartError) -> String {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let remedy = match error {
        StartError::Bind(bind) => match taken_port(bind) {
            Some(port) => {
                return format!(
                    "cupbearer cannot start: {error}{cause}; {} has the port: stop it, or choose another with \
                     --listen localhost:PORT",
                    doctor::holder(port)
                );
            }
            None => bind_remedy(bind),
        },
        StartError::Loop { .. } => "; write the API's own address there",
        StartError::UnknownUsers(_) => {
            "; write guard.local_users = \"any\" if every user of this machine may act as this client, \
             or listen = \"unix:/PATH\""
        }
        StartError::Tls(_) | StartError::TokenClient(_) | StartError::Worker(_) => "",
    };
    format!("cupbearer cannot start: {error}{cause}{remedy}")
}

/// The address that somebody else has, where that is the matter.
fn taken_port(error: &server::BindError) -> Option<SocketAddr> {
    let is_taken = error.source.kind() == std::io::ErrorKind::AddrInUse;
    match error.address {
        Listen::Localhost(port) if is_taken => Some(SocketAddr::from(([127, 0, 0, 1], port))),
        Listen::Tcp(address) if is_taken => Some(address),
        Listen::Localhost(_) | Listen::Tcp(_) | Listen::Unix { .. } => None,
    }
}

fn bind_remedy(error: &server::BindError) -> &'static str {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, AlreadyExists, PermissionDenied};
    let is_unix = matches!(error.address, Listen::Unix { .. });
    match error.source.kind() {
        AddrInUse if is_unix => "; another program listens there: stop it, or choose another path",
        AlreadyExists if is_unix => "; move it away, or choose another path",
        PermissionDenied if is_unix => "; choose a folder that this user may write to",
        AddrInUse => {
            "; another program has the port: stop it, or choose another with --listen localhost:PORT"
        }
        PermissionDenied => {
            "; ports below 1024 need a right that this user lacks: choose another with --listen localhost:PORT"
        }
        AddrNotAvailable => {
            "; listen on an address that this machine has, such as --listen localhost:PORT"
        }
        _ => "",
    }
}

fn banner(
    config: &Config,
    running: &Running,
    admin: Result<&AdminListeners, &server::BindError>,
    more: &[String],
) -> String {
    let mut lines = vec![format!("cupbearer {}", env!("CARGO_PKG_VERSION"))];
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
    lines.push(match admin.map(|admin| local_url(&admin.addresses)) {
        Ok(None) => "  admin        off".to_owned(),
        Ok(Some(url)) => format!("  admin        {url}/ (status, /metrics, /ready)"),
        Err(error) => format!(
            "  admin        none: {error}: {}; set admin.listen to have one elsewhere",
            error.source
        ),
    });
    for absent in &running.absent {
        lines.push(format!(
            "  note         this machine has no {absent}; it is left out"
        ));
    }
    lines.extend(unprotected(config).map(|note| format!("  note         {note}")));
    lines.extend_from_slice(more);
    lines.join("\n")
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

/// Serves until a signal asks for the end, then drains; a second signal cuts at once.
async fn until_stopped(
    config: &Config,
    running: &mut Running,
    admin: Option<&AdminListeners>,
) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!(
                "cupbearer cannot start: signals cannot be received: {error}"
            ));
            return Exit::Failed;
        }
    };
    let notifier = Notifier::of_environment();
    let tokens = running.tokens.clone();
    let status = || state_line(&tokens.snapshot());
    notifier.ready(&status());
    let mut informed = std::pin::pin!(notifier.keep_informed(status));
    let told = async {
        announce_token(&tokens).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = signals.next() => {}
        () = quit_ordered(admin) => {}
        () = told => {}
        never = &mut informed => match never {},
    }
    tracing::info!("stopping");
    notifier.stopping();
    running.stop(Phase::Closing);
    tokio::select! {
        () = tokio::time::sleep(config.drain_delay) => {}
        () = signals.next() => running.stop(Phase::Cut),
        never = &mut informed => match never {},
    }
    running.stop(Phase::Draining);
    let drained = loop {
        tokio::select! {
            drained = running.ended() => break drained,
            () = signals.next() => running.stop(Phase::Cut),
            never = &mut informed => match never {},
        }
    };
    report(drained);
    Exit::Fine
}

/// `POST /quit`, where there is somebody who could send it.
async fn quit_ordered(admin: Option<&AdminListeners>) {
    match admin {
        Some(listeners) => listeners.admin.quit_ordered().await,
        None => std::future::pending().await,
    }
}

fn report(drained: server::Drained) {
    if drained.cut == 0 {
        tracing::info!("stopped");
    } else {
        tracing::warn!(cut = drained.cut, "stopped with requests in flight");
    }
}

/// The banner's last line, once it is known: until when the token is good, or why there is none.
async fn announce_token(tokens: &Tokens) {
    let snapshot = tokens.settled().await;
    say(&token_line(&snapshot));
}

/// For the service manager: the token's state, and why there is none.
fn state_line(snapshot: &Snapshot) -> String {
    let state = snapshot.state.as_str();
    match &snapshot.last_error {
        Some(error) => format!("token {state}: {error}"),
        None => format!("token {state}"),
    }
}

fn token_line(snapshot: &Snapshot) -> String {
    match (&snapshot.last_error, snapshot.expires_at) {
        (None, Some(expires_at)) => {
            let left = expires_at
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            format!(
                "  token        good until {} (for {} s), refreshed before that",
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

/// What asks us to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    /// A closed terminal must not leave an orphan that holds the credential.
    has_terminal: bool,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            has_terminal: std::io::stdin().is_terminal(),
        })
    }

    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    if self.has_terminal {
                        return;
                    }
                    tracing::warn!("SIGHUP: a changed configuration needs a restart");
                }
            }
        }
    }
}

/// What asks us to stop.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
