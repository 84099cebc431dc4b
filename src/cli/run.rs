//! `cupbearer run`: serves until told to stop; what can heal is waited for, what cannot ends at once.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::SystemTime;

use super::{Exit, check, say};
use crate::config::{Access, Config, Loaded, Overrides, Surroundings};
use crate::proxy::AccessLines;
use crate::server::Phase;
use crate::token::{Snapshot, Tokens};
use crate::{Running, StartError, doctor, secret, server, start, telemetry};

/// Loads, starts, serves.
pub(super) async fn run(overrides: &Overrides, surroundings: &Surroundings) -> Exit {
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
    let _telemetry = match telemetry::start(&config.log) {
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
            say(&banner(config, &running, more));
            until_stopped(config, &mut running).await
        }
        Err(error) => {
            say(&refusal(&error));
            Exit::Failed
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

fn refusal(error: &StartError) -> String {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let remedy = match error {
        StartError::Bind(bind) if bind.source.kind() == std::io::ErrorKind::AddrInUse => {
            return format!(
                "cupbearer cannot start: {error}{cause}; {} has the port: stop it, or choose another with \
                 --listen localhost:PORT",
                doctor::holder(bind.address)
            );
        }
        StartError::Bind(bind) if bind.source.kind() == std::io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a right that this user lacks: choose another with --listen localhost:PORT"
        }
        StartError::Bind(bind) if bind.source.kind() == std::io::ErrorKind::AddrNotAvailable => {
            "; listen on an address that this machine has, such as --listen localhost:PORT"
        }
        StartError::Loop { .. } => "; write the API's own address there",
        StartError::Bind(_)
        | StartError::Tls(_)
        | StartError::TokenClient(_)
        | StartError::Worker(_) => "",
    };
    format!("cupbearer cannot start: {error}{cause}{remedy}")
}

fn banner(config: &Config, running: &Running, more: &[String]) -> String {
    let url = local_url(&running.addresses);
    let mut lines = vec![
        format!("cupbearer {}", env!("CARGO_PKG_VERSION")),
        format!("  listens on   {url}{}", beside(&running.addresses, &url)),
        format!(
            "  forwards to  {}://{}",
            config.upstream.url.scheme, config.upstream.url.authority
        ),
        format!("  token from   {}", config.token.endpoint),
        format!("  API docs     {url}/docs (if the API has them there)"),
    ];
    for absent in &running.absent {
        lines.push(format!(
            "  note         this machine has no {absent}; it is left out"
        ));
    }
    lines.extend_from_slice(more);
    lines.join("\n")
}

/// The address to type: `localhost` where that reaches us.
pub(super) fn local_url(addresses: &[SocketAddr]) -> String {
    match addresses {
        [only] => format!("http://{only}"),
        all => format!(
            "http://localhost:{}",
            all.first().map_or(0, SocketAddr::port)
        ),
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
async fn until_stopped(config: &Config, running: &mut Running) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!(
                "cupbearer cannot start: signals cannot be received: {error}"
            ));
            return Exit::Failed;
        }
    };
    let tokens = running.tokens.clone();
    tokio::select! {
        () = signals.next() => {}
        () = announce_token(&tokens) => signals.next().await,
    }
    tracing::info!("stopping");
    running.stop(Phase::Closing);
    tokio::select! {
        () = tokio::time::sleep(config.drain_delay) => {}
        () = signals.next() => running.stop(Phase::Cut),
    }
    running.stop(Phase::Draining);
    let drained = loop {
        tokio::select! {
            drained = running.ended() => break drained,
            () = signals.next() => running.stop(Phase::Cut),
        }
    };
    report(drained);
    Exit::Fine
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
