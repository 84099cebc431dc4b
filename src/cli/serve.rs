//! Starts the proxies of this process, serves until a signal or `POST /quit`, then drains.

use std::io::IsTerminal as _;
use std::sync::Arc;

use super::banner::{banner, token_line};
use super::exit::Exit;
use super::invocation::Invocation;
use super::output::say;
use super::page_doctor::examination_of;
use super::sd_notify::ServiceManager;
use super::signals::SignalListener;
use super::start_failure::{exit_after, explain, explain_admin, explain_missing_admin};
use crate::config::{AccessLog, AdminConfig, Config, Loaded, LogConfig};
use crate::doctor::preflight;
use crate::instance::{
    DrainTimeouts, LiveConfig, NotStarted, ProcessContext, RunningProxy, start_one_of,
};
use crate::proxy::AccessLines;
use crate::reload::{ReloadHooks, ReloadProgress, ReloadSource, Reloads};
use crate::server::{BindError, DrainPhase, PassedSocket, PassedSockets};
use crate::{AdminListeners, metrics, start_admin, telemetry};

/// Serves configurations that have been examined, on the sockets that were `passed` where there are any. `more` is
/// shown below the banner. With `reload_from`, the configuration is loaded again whenever it changes.
pub(super) async fn serve(
    all: &[Loaded],
    (mut passed, signals): (PassedSockets, Option<SignalListener>),
    more: &[String],
    reload_from: Option<&Invocation>,
    flushing: &telemetry::FlushOnDrop,
) -> Exit {
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
    // A program that parses a JSON log parses every line.
    telemetry.print_like_the_log();
    for warning in all.iter().flat_map(|loaded| &loaded.warnings) {
        say(&format!("warning: {warning}"));
    }
    let listens = all.iter().map(|loaded| &loaded.config.listen);
    if let Err(error) = passed.check(listens, process.admin.listen.iter()) {
        say(&format!("cupbearer cannot start: {error}"));
        return Exit::Configuration;
    }
    // Before the listeners exist: until then, a signal ends the process without draining.
    let signals = match signals.map_or_else(SignalListener::new, Ok) {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!(
                "cupbearer cannot start: signals cannot be received: {error}"
            ));
            return Exit::Failed;
        }
    };
    let lines = access_lines(process.log.access);
    let (started, not_started) = match start_all(all, lines, &mut passed.api) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let (indices, mut running) = started.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let counters = metrics::ProcessMetrics::new(telemetry.lines_dropped());
    let admin = start_admin(
        &process.admin,
        &running,
        &not_started,
        counters,
        &mut passed.admin,
    );
    let admin = match admin_or_why(admin, &process.admin) {
        Ok(admin) => admin,
        Err(exit) => return exit,
    };
    if let Ok(admin) = &admin {
        let examination = examination_of(all, reload_from);
        admin.endpoints.examine_with(examination);
    }
    let configs = indices.iter().map(|index: &usize| &all[*index].config);
    let configs: Vec<&Config> = configs.collect();
    let shown = admin.as_ref().map_err(String::as_str);
    say(&banner(&configs, &running, shown, more));
    let manager = Arc::new(ServiceManager::from_environment());
    let reloads = reload_from.map(|invocation| {
        let hooks = reload_hooks(&running, telemetry.change_level(), &manager);
        follow_files(invocation, all, &indices, &running, &hooks)
    });
    let stop = StopRequests {
        signals,
        reloads: reloads.as_ref(),
        // A closed terminal must not leave a process behind that holds the credential.
        has_terminal: std::io::stdin().is_terminal(),
    };
    let admin = (admin.ok(), reload_from);
    until_stopped(&mut running, admin, stop, &manager).await
}

/// The proxies that serve, each with its index among all, and those that cannot start.
type Started<'a> = (Vec<(usize, RunningProxy)>, Vec<NotStarted<'a>>);

/// If one of several cannot start, the others still serve.
fn start_all<'a>(
    all: &'a [Loaded],
    lines: AccessLines,
    passed: &mut Vec<PassedSocket>,
) -> Result<Started<'a>, Exit> {
    let process = ProcessContext {
        lines,
        proxies: all.len(),
    };
    let mut exit = Exit::Failed;
    let (mut running, mut not_started) = (Vec::new(), Vec::new());
    for (index, Loaded { config, .. }) in all.iter().enumerate() {
        match start_one_of(config, process, passed) {
            Ok(one) => running.push((index, one)),
            Err(error) => {
                let message = explain(&error, all.len(), &config.admin.listen);
                if all.len() == 1 {
                    say(&message);
                    exit = exit_after(&error);
                } else {
                    let message = format!("{}: {message}", config.name);
                    say(&message);
                    tracing::error!(proxy = config.name, error = message, "proxy not started");
                    not_started.push(NotStarted {
                        guard: &config.guard,
                        why: format!("{message}; restart the process to start this proxy"),
                    });
                }
            }
        }
    }
    for (_, one) in &running {
        for missing in &not_started {
            let note = missing.why.clone();
            one.live_config().notes().started_without(note);
        }
    }
    if running.is_empty() {
        Err(exit)
    } else {
        Ok((running, not_started))
    }
}

/// The admin listeners, or why there are none, which is fatal only if `admin.listen` is configured.
fn admin_or_why(
    started: Result<AdminListeners, BindError>,
    admin: &AdminConfig,
) -> Result<Result<AdminListeners, String>, Exit> {
    match started {
        Ok(listeners) => Ok(Ok(listeners)),
        Err(error) if admin.is_configured => {
            say(&explain_admin(&error, &admin.listen));
            Err(Exit::Failed)
        }
        Err(error) => Ok(Err(explain_missing_admin(&error, &admin.listen))),
    }
}

/// Loads the configuration again whenever a file changes. `indices` says which of them each running proxy has.
fn follow_files(
    invocation: &Invocation,
    all: &[Loaded],
    indices: &[usize],
    running: &[RunningProxy],
    hooks: &ReloadHooks,
) -> Reloads {
    let sources: Vec<ReloadSource<'_>> = indices
        .iter()
        .zip(running)
        .map(|(index, running)| ReloadSource {
            running,
            loaded: &all[*index],
            index: *index,
        })
        .collect();
    let Invocation {
        proxies,
        surroundings,
    } = invocation;
    Reloads::follow(&sources, proxies, surroundings, hooks)
}

/// What a reload changes in this process.
fn reload_hooks(
    running: &[RunningProxy],
    change_level: impl Fn(&LogConfig) + Send + Sync + 'static,
    manager: &Arc<ServiceManager>,
) -> ReloadHooks {
    let live_configs: Vec<Arc<LiveConfig>> = running
        .iter()
        .map(|running| Arc::clone(running.live_config()))
        .collect();
    let (manager, status) = (Arc::clone(manager), status_text(running));
    ReloadHooks {
        examine: Arc::new(|loaded| Box::pin(preflight::examine(loaded))),
        examine_again: Arc::new(|loaded| Box::pin(preflight::examine_again(loaded))),
        process: Arc::new(move |config| {
            change_level(&config.log);
            for one in &live_configs {
                one.set_access_lines(access_lines(config.log.access));
                one.set_drain_timeouts(DrainTimeouts::of(config));
            }
        }),
        progress: Arc::new(move |progress| match progress {
            ReloadProgress::Reloading => manager.reloading(),
            ReloadProgress::Ready => manager.ready(&status()),
        }),
    }
}

/// `auto` logs every request on a terminal, and otherwise those that may matter later.
fn access_lines(access: AccessLog) -> AccessLines {
    match access {
        AccessLog::Auto if std::io::stderr().is_terminal() => AccessLines::All,
        AccessLog::Auto => AccessLines::WritesAndFailures,
        AccessLog::All => AccessLines::All,
        AccessLog::None => AccessLines::None,
    }
}

/// Serves until a signal or `POST /quit` asks to stop, then drains. A second signal cuts what is still open.
async fn until_stopped(
    running: &mut [RunningProxy],
    (admin, started_by): (Option<AdminListeners>, Option<&Invocation>),
    mut stop: StopRequests<'_>,
    manager: &ServiceManager,
) -> Exit {
    let status = status_text(running);
    manager.ready(&status());
    let mut informed = std::pin::pin!(manager.keep_informed(status));
    let announced = async {
        let flags = started_by.map(Invocation::flags_to_find_it);
        announce_tokens(running, flags.as_deref()).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop.next() => {}
        () = quit_requested(admin.as_ref()) => {}
        () = announced => {}
        never = &mut informed => match never {},
    }
    tracing::info!("stopping");
    manager.stopping();
    enter_phase(running, DrainPhase::Closing);
    let delay = running
        .first()
        .map(|one| one.live_config().drain_timeouts().drain_delay);
    tokio::select! {
        () = tokio::time::sleep(delay.unwrap_or_default()) => {}
        () = stop.next() => enter_phase(running, DrainPhase::Cut),
        never = &mut informed => match never {},
    }
    enter_phase(running, DrainPhase::Draining);
    let cut = loop {
        let handles: Vec<_> = running.iter().map(RunningProxy::stop_handle).collect();
        tokio::select! {
            cut = ended(running) => break cut,
            () = stop.next() => handles.iter().for_each(|handle| handle.advance(DrainPhase::Cut)),
            never = &mut informed => match never {},
        }
    };
    let closing = async {
        for one in running.iter() {
            one.live_config().close_sessions().await;
        }
    };
    tokio::select! {
        () = closing => {}
        () = stop.next() => {}
    }
    if cut == 0 {
        tracing::info!("stopped");
    } else {
        tracing::warn!(cut, "stopped with requests in flight");
    }
    Exit::Fine
}

fn enter_phase(running: &[RunningProxy], phase: DrainPhase) {
    for one in running {
        one.stop(phase);
    }
}

/// Waits until all proxies have ended. Returns how many connections were cut.
async fn ended(running: &mut [RunningProxy]) -> usize {
    let mut cut = 0;
    for one in running {
        cut += one.ended().await.cut;
    }
    cut
}

/// Waits for `POST /quit`; without an admin listener, forever.
async fn quit_requested(admin: Option<&AdminListeners>) {
    match admin {
        Some(listeners) => listeners.endpoints.quit_requested().await,
        None => std::future::pending().await,
    }
}

/// The signals that stop the process. SIGHUP reloads the configuration instead, unless the process has a terminal. A
/// command that does not reload ignores it.
struct StopRequests<'a> {
    signals: SignalListener,
    reloads: Option<&'a Reloads>,
    has_terminal: bool,
}

impl StopRequests<'_> {
    async fn next(&mut self) {
        while self.signals.next().await.is_hangup() && !self.has_terminal {
            match self.reloads {
                Some(reloads) => reloads.reload_now(),
                None => {
                    tracing::info!(
                        "SIGHUP ignored: this command does not reload its configuration"
                    );
                }
            }
        }
    }
}

/// For the service manager: the state of each token, and the last error.
fn status_text(running: &[RunningProxy]) -> impl Fn() -> String + Send + Sync + use<> {
    let all: Vec<(String, Arc<LiveConfig>)> = running
        .iter()
        .map(|one| (one.name.clone(), Arc::clone(one.live_config())))
        .collect();
    move || {
        let texts = all.iter().map(|(name, live)| {
            let snapshot = live.tokens().snapshot();
            let prefix = if all.len() > 1 {
                format!("{name}: ")
            } else {
                String::new()
            };
            let state = snapshot.state.as_str();
            match &snapshot.last_error {
                Some(error) => format!("{prefix}token {state}: {error}"),
                None => format!("{prefix}token {state}"),
            }
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

/// The last lines of the banner, shown once the first token request of each proxy has ended.
async fn announce_tokens(running: &[RunningProxy], flags: Option<&str>) {
    for one in running {
        let snapshot = one.tokens().settled().await;
        let prefix = if running.len() > 1 {
            format!("{}:\n", one.name)
        } else {
            String::new()
        };
        say(&format!("{prefix}{}", token_line(&snapshot, flags)));
    }
}
