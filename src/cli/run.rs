//! `cupbearer run`: serves until told to stop; what can heal is waited for, what cannot ends at once.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;

use super::banner::{banner, token_line, without_admin};
use super::notify::Notifier;
use super::{Exit, check, say};
use crate::config::{AccessLog, Config, Listen, Loaded, LogConfig, Overrides, Surroundings};
use crate::instance::{Among, Serving, start_among};
use crate::proxy::AccessLines;
use crate::reload::{Hooks, Progress, Reloads, Source};
use crate::server::DrainPhase;
use crate::{
    AdminListeners, Running, StartError, credentials, doctor, metrics, server, start_admin,
    telemetry,
};

/// Loads, starts, serves.
pub(super) async fn run(all: &[Overrides], surroundings: &Surroundings) -> Exit {
    let flushing = telemetry::Flushing::start();
    // Before the secret is read for the first time.
    if let Err(error) = credentials::hide_process() {
        say(&format!(
            "warning: other processes of this user can read this one's memory: {error}"
        ));
    }
    match check::examine_all(all, surroundings).await {
        Ok(loaded) => serve(&loaded, &[], Some((all, surroundings)), &flushing).await,
        Err(problems) => {
            say(&format!("{problems}"));
            Exit::Configuration
        }
    }
}

/// Serves configurations that have been looked at, with further lines below the banner. They are followed where it
/// is known how they were read.
pub(super) async fn serve(
    all: &[Loaded],
    more: &[String],
    read_from: Option<(&[Overrides], &Surroundings)>,
    flushing: &telemetry::Flushing,
) -> Exit {
    for warning in all.iter().flat_map(|loaded| &loaded.warnings) {
        say(&format!("warning: {warning}"));
    }
    let Some(process) = all.first().map(|loaded| &loaded.config) else {
        return Exit::Configuration;
    };
    let telemetry = match telemetry::start(&process.log, flushing) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            say(&format!(
                "log.level: {error}; write error, warn, info, debug or trace"
            ));
            return Exit::Configuration;
        }
    };
    // Before anybody can know that we are there: what comes earlier would end the process as if it knew no signals.
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!(
                "cupbearer cannot start: signals cannot be received: {error}"
            ));
            return Exit::Failed;
        }
    };
    let (places, mut running) = match start_all(all, access_lines(process.log.access)) {
        Ok(started) => started.into_iter().unzip::<_, _, Vec<_>, Vec<_>>(),
        Err(exit) => return exit,
    };
    let figures = metrics::ProcessMetrics::new(telemetry.lines_dropped());
    let failed = all.iter().enumerate();
    let failed = failed.filter(|(place, _)| !places.contains(place));
    let failed: Vec<_> = failed.map(|(_, loaded)| &loaded.config.guard).collect();
    let admin = match start_admin(&process.admin, &running, &failed, figures) {
        Ok(admin) => Ok(admin),
        Err(error) if process.admin.is_configured => {
            say(&refusal(&StartError::Bind(error), &process.admin.listen));
            return Exit::Failed;
        }
        Err(error) => Err(without_admin(&error, &process.admin.listen)),
    };
    let configs = places.iter().map(|place: &usize| &all[*place].config);
    let configs: Vec<&Config> = configs.collect();
    say(&banner(
        &configs,
        &running,
        admin.as_ref().map_err(String::as_str),
        more,
    ));
    let notifier = Arc::new(Notifier::of_environment());
    let reloads = read_from.map(|(overrides, surroundings)| {
        let sources = places.iter().zip(&running).map(|(place, running)| Source {
            running,
            loaded: &all[*place],
            place: *place,
        });
        let sources: Vec<Source<'_>> = sources.collect();
        let hooks = hooks(&running, telemetry.change_level(), &notifier);
        Reloads::follow(&sources, overrides, surroundings, &hooks)
    });
    let admin = admin.ok();
    let signals = (signals, reloads.as_ref());
    until_stopped(&mut running, admin.as_ref(), signals, &notifier).await
}

/// Each with its place in the list. One that cannot start does not keep others from serving.
fn start_all(all: &[Loaded], lines: AccessLines) -> Result<Vec<(usize, Running)>, Exit> {
    let among = Among {
        lines,
        proxies: all.len(),
    };
    let mut exit = Exit::Failed;
    let (mut running, mut failed) = (Vec::new(), Vec::new());
    for (place, Loaded { config, .. }) in all.iter().enumerate() {
        match start_among(config, among) {
            Ok(one) => running.push((place, one)),
            Err(error) => {
                let why = refusal(&error, &config.admin.listen);
                if all.len() == 1 {
                    say(&why);
                    exit = exit_of(&error);
                } else {
                    let why = format!("{}: {why}", config.name);
                    say(&why);
                    tracing::error!(proxy = config.name, error = why, "proxy not started");
                    failed.push(why);
                }
            }
        }
    }
    for (_, one) in &running {
        for why in &failed {
            let note = format!("{why}; it starts with the next start of the process only");
            one.serving().notes().started_without(note);
        }
    }
    if running.is_empty() {
        Err(exit)
    } else {
        Ok(running)
    }
}

const fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::UnknownUsers(_) | StartError::OpenToNetwork { .. } => Exit::Configuration,
        StartError::Bind(_)
        | StartError::Loop { .. }
        | StartError::Tls(_)
        | StartError::TokenClient(_)
        | StartError::Worker(_) => Exit::Failed,
    }
}

/// What a reload needs of this process.
fn hooks(
    running: &[Running],
    change_level: impl Fn(&LogConfig) + Send + Sync + 'static,
    notifier: &Arc<Notifier>,
) -> Hooks {
    let serving: Vec<Arc<Serving>> = running
        .iter()
        .map(|running| Arc::clone(running.serving()))
        .collect();
    let (notifier, states) = (Arc::clone(notifier), states(running));
    Hooks {
        examine: Arc::new(|loaded| Box::pin(check::examine_files(loaded))),
        process: Arc::new(move |config| {
            change_level(&config.log);
            for one in &serving {
                one.set_access_lines(access_lines(config.log.access));
                one.set_patience(config.drain, config.drain_delay);
            }
        }),
        progress: Arc::new(move |progress| match progress {
            Progress::Reloading => notifier.reloading(),
            Progress::Ready => notifier.ready(&states()),
        }),
    }
}

/// `auto`: every request where a person looks on, else what may matter later.
fn access_lines(access: AccessLog) -> AccessLines {
    match access {
        AccessLog::Auto if std::io::stderr().is_terminal() => AccessLines::All,
        AccessLog::Auto => AccessLines::WritesAndFailures,
        AccessLog::All => AccessLines::All,
        AccessLog::None => AccessLines::None,
    }
}

/// `admin`: where a cupbearer that has the port would be asked first.
pub(super) fn refusal(error: &StartError, admin: &[Listen]) -> String {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let remedy = match error {
        StartError::Bind(bind) => match taken_port(bind) {
            Some(port) => {
                return format!(
                    "cupbearer cannot start: {error}{cause}; {} has the port: stop it, or choose another with \
                     --listen localhost:PORT",
                    doctor::holder(port, admin)
                );
            }
            None => bind_remedy(bind),
        },
        StartError::Loop { .. } => "; write the API's own address there",
        StartError::UnknownUsers(_) => {
            "; write guard.local_users = \"any\" if every user of this machine may act as this client, \
             or listen = \"unix:/PATH\""
        }
        StartError::OpenToNetwork { .. }
        | StartError::Tls(_)
        | StartError::TokenClient(_)
        | StartError::Worker(_) => "",
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

/// Serves until a signal asks for the end, then drains; a second signal cuts at once.
async fn until_stopped(
    running: &mut [Running],
    admin: Option<&AdminListeners>,
    (mut signals, reloads): (Signals, Option<&Reloads>),
    notifier: &Notifier,
) -> Exit {
    let states = states(running);
    notifier.ready(&states());
    let mut informed = std::pin::pin!(notifier.keep_informed(states));
    let told = async {
        announce_tokens(running).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = signals.next(reloads) => {}
        () = quit_ordered(admin) => {}
        () = told => {}
        never = &mut informed => match never {},
    }
    tracing::info!("stopping");
    notifier.stopping();
    stop(running, DrainPhase::Closing);
    let delay = running.first().map(|one| one.serving().drain_delay());
    tokio::select! {
        () = tokio::time::sleep(delay.unwrap_or_default()) => {}
        () = signals.next(reloads) => stop(running, DrainPhase::Cut),
        never = &mut informed => match never {},
    }
    stop(running, DrainPhase::Draining);
    let cut = loop {
        let orders: Vec<_> = running.iter().map(Running::order).collect();
        tokio::select! {
            cut = ended(running) => break cut,
            () = signals.next(reloads) => orders.iter().for_each(|order| order.give(DrainPhase::Cut)),
            never = &mut informed => match never {},
        }
    };
    report(cut);
    Exit::Fine
}

fn stop(running: &[Running], phase: DrainPhase) {
    for one in running {
        one.stop(phase);
    }
}

/// How many connections were cut, once all have ended.
async fn ended(running: &mut [Running]) -> usize {
    let mut cut = 0;
    for one in running {
        cut += one.ended().await.cut;
    }
    cut
}

/// `POST /quit`, where there is somebody who could send it.
async fn quit_ordered(admin: Option<&AdminListeners>) {
    match admin {
        Some(listeners) => listeners.admin.quit_requested().await,
        None => std::future::pending().await,
    }
}

fn report(cut: usize) {
    if cut == 0 {
        tracing::info!("stopped");
    } else {
        tracing::warn!(cut, "stopped with requests in flight");
    }
}

/// For the service manager: each token's state, and why there is none.
fn states(running: &[Running]) -> impl Fn() -> String + Send + Sync + use<> {
    let all: Vec<(String, Arc<Serving>)> = running
        .iter()
        .map(|one| (one.name.clone(), Arc::clone(one.serving())))
        .collect();
    move || {
        let lines = all.iter().map(|(name, serving)| {
            let snapshot = serving.tokens().snapshot();
            let whose = if all.len() > 1 {
                format!("{name}: ")
            } else {
                String::new()
            };
            let state = snapshot.state.as_str();
            match &snapshot.last_error {
                Some(error) => format!("{whose}token {state}: {error}"),
                None => format!("{whose}token {state}"),
            }
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}

/// The banner's last lines, once they are known: until when each token is good, or why there is none.
async fn announce_tokens(running: &[Running]) {
    for one in running {
        let snapshot = one.tokens().settled().await;
        let whose = if running.len() > 1 {
            format!("{}:\n", one.name)
        } else {
            String::new()
        };
        say(&format!("{whose}{}", token_line(&snapshot)));
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

    async fn next(&mut self, reloads: Option<&Reloads>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    if self.has_terminal {
                        return;
                    }
                    if let Some(reloads) = reloads {
                        reloads.ask();
                    }
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

    async fn next(&mut self, _: Option<&Reloads>) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
