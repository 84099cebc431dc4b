//! `cupbearer learn`: runs a program against the configured proxy, on a port and with a key of its own, and prints
//! the rules that allow what it did, or how that differs from rules that are there.

mod child;
mod find;
mod report;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use clap::Args;
use zeroize::Zeroizing;

use super::keygen::caller_name;
use super::{Exit, check, run, say};
use crate::config::{
    AccessLog, AccessRules, CallerConfig, Config, Listen, LocalUsers, Overrides, Rule,
    Surroundings, is_caller_name,
};
use crate::credentials::{self, Secret, SecretSource};
use crate::guard::new_key;
use crate::learn::{ObservedRequests, RequestRecorder, RunDescription, compare, fold, write_block};
use crate::proxy::AccessLines;
use crate::server::DrainPhase;
use crate::{Running, start, telemetry};

use find::{At, Found};

pub(super) const HELP: &str = "\
Example:
  cupbearer learn --name ci -- ./nightly.sh
  cupbearer learn --name ci -- sh -c 'curl -u x:$CUPBEARER_KEY $CUPBEARER_URL/api/v1/certificates'
  cupbearer learn --name ci --output ci.toml -- sh -c 'newman run c.json --env-var baseUrl=$CUPBEARER_URL'
  cupbearer learn --check ci -- ./nightly.sh

The program gets CUPBEARER_URL (where to send requests) and CUPBEARER_KEY (what to send with each: as \
X-Cupbearer-Key, as Authorization: Bearer, or as the Basic password), good for this run; none of our other \
variables, and not the client secret. Use sh -c '…' where the command line itself needs them: outside of \
quotes your own shell would replace them before they are there.
The API is the configured one, and what the program does there is real. [guard]'s own rules hold; those of \
guard.callers do not. The paths of the API's OpenAPI document (JSON) stand for what fits them; it is looked \
for at upstream.openapi, with a few GETs. Without one each path is listed as it was asked for.
The program's own output is left alone: the block follows on standard output when it has ended, or goes \
into the file of --output. Messages are on standard error.
Exit code: the program's own if that is not 0; 128 and the number of a signal that came after its end; 1 if it sent no request, or if --check finds a request that \
the rules refuse (rules that were not needed are listed, and are no failure); 3, 4 and 5 as everywhere.";

/// What is to be learnt.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
#[group(skip)] // the variant that it is flattened into has the name
pub struct Learn {
    /// The caller's name in the block [default: the program's]
    #[arg(long, value_name = "NAME", value_parser = caller_name, conflicts_with = "check")]
    name: Option<String>,
    /// Compare with the rules of this caller instead
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// The API's description: a path of the API, or a file
    #[arg(long, value_name = "PATH|FILE", conflicts_with = "check")]
    openapi: Option<String>,
    /// Write the block there; an existing file is never overwritten
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The caller by which we look for the document: no configured one can have this name.
const OURSELVES: &str = "(learn)";

/// What a run left behind.
struct Run {
    seen: ObservedRequests,
    status: ExitStatus,
    found: Option<Found>,
    /// Why there may be a document all the same.
    cut_short: Option<&'static str>,
    /// What we end with, if the program itself ended well.
    signalled: Option<Exit>,
}

impl Run {
    /// How the command ends where what became of its own work does not decide.
    fn exit(&self) -> Option<Exit> {
        of_program(self.status).or(self.signalled)
    }
}

/// Runs the program, then prints.
pub(super) async fn learn(
    wanted: &Learn,
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Exit {
    let _hidden = credentials::hide_process();
    let config = match check::examine_without_callers(overrides, surroundings).await {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            say(&problems.to_string());
            return Exit::Configuration;
        }
    };
    let flushing = telemetry::Flushing::start();
    match learnt(wanted, config, &flushing).await {
        Ok(exit) => exit,
        Err((exit, complaint)) => {
            say(&format!("cupbearer learn: {complaint}"));
            exit
        }
    }
}

/// Why nothing was learnt.
type Complaint = (Exit, String);

async fn learnt(
    wanted: &Learn,
    config: Config,
    flushing: &telemetry::Flushing,
) -> Result<Exit, Complaint> {
    let name = wanted.caller();
    let rails = match &wanted.check {
        Some(name) => Some(rails_of(&config, name)?),
        None => None,
    };
    if let Some(path) = wanted.output.as_deref().filter(|path| path.exists()) {
        let shown = path.display();
        return Err((
            Exit::Failed,
            format!("{shown} exists and is not overwritten"),
        ));
    }
    let run = watch(wanted, &name, config, flushing).await?;
    if run.seen.requests.is_empty() {
        return Err((run.exit().unwrap_or(Exit::Failed), no_lesson(&run.seen)));
    }
    let exit = match rails {
        Some(rails) => report::report(&name, &compare(&run.seen, &rails)),
        None => deliver(wanted, &name, &run)?,
    };
    Ok(run.exit().unwrap_or(exit))
}

impl Learn {
    /// By what the run is known: a name that a block can have.
    fn caller(&self) -> String {
        let own = || {
            let stem = Path::new(self.command.first()?).file_stem()?.to_str()?;
            let name = stem.to_ascii_lowercase().replace(['.', ' '], "-");
            is_caller_name(&name).then_some(name)
        };
        let said = self.check.clone().or_else(|| self.name.clone());
        said.or_else(own).unwrap_or_else(|| "learnt".to_owned())
    }

    fn program(&self) -> String {
        let program = self.command.first().map(Path::new);
        let name = program.and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

fn rails_of(config: &Config, name: &str) -> Result<AccessRules, Complaint> {
    let callers = &config.guard.callers;
    if let Some(caller) = callers.iter().find(|caller| caller.name == name) {
        return Ok(caller.rails.clone());
    }
    let names: Vec<&str> = callers.iter().map(|caller| &*caller.name).collect();
    let known = match &names[..] {
        [] => "none is configured".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    Err((
        Exit::Configuration,
        format!("there is no guard.callers.{name}: {known}"),
    ))
}

/// The proxy of one run: started, used by the program, asked for the document, stopped.
async fn watch(
    wanted: &Learn,
    name: &str,
    mut config: Config,
    flushing: &telemetry::Flushing,
) -> Result<Run, Complaint> {
    let hidden = child::secret_variables(&config);
    let (key, own_key) = (key()?, key()?);
    become_private(&mut config, [(name, &key), (OURSELVES, &own_key)]);
    let _telemetry = telemetry::start(&config.log, flushing)
        .map_err(|error| (Exit::Configuration, format!("log.level: {error}")))?;
    let mut running = start(&config, AccessLines::None)
        .map_err(|error| (Exit::Failed, run::refusal(&error, &config.admin.listen)))?;
    let recorder = RequestRecorder::new(name);
    running.metrics.observe_requests(recorder.watcher());
    has_token(&running).await?;
    let address = *running
        .addresses
        .first()
        .ok_or_else(|| (Exit::Failed, "it has no address".to_owned()))?;
    let at = At {
        address,
        key: &own_key,
    };
    let asked_for = match &wanted.openapi {
        Some(place) => Some(
            find::named(place, &at)
                .await
                .map_err(|why| (Exit::Failed, why))?,
        ),
        None => None,
    };
    let url = format!("http://{address}");
    let program = |error| {
        let program = wanted.program();
        (Exit::Failed, format!("{program} cannot be run: {error}"))
    };
    let mut signals = child::Signals::new().map_err(program)?;
    let status = child::run(
        &wanted.command,
        &[("CUPBEARER_URL", &url), ("CUPBEARER_KEY", &key)],
        &hidden,
        &mut signals,
    )
    .await
    .map_err(program)?;
    let search = async {
        match (asked_for, &wanted.check) {
            (None, None) => {
                find::anywhere(&config.upstream.openapi, &recorder.requests(), &at).await
            }
            (asked_for, _) => Ok(asked_for),
        }
    };
    let (searched, signalled) = conclude(&mut running, search, &mut signals).await;
    Ok(Run {
        seen: recorder.requests(),
        status,
        cut_short: searched.as_ref().err().copied(),
        found: searched.ok().flatten(),
        signalled,
    })
}

/// What the search came to, or why it came to no end.
type Searched = Result<Option<Found>, &'static str>;

const SIGNALLED: &str =
    "a signal ended the search for the OpenAPI document: --openapi names its path, or a file";

/// The work after the program's end. A signal is ours now: it ends what is still under way.
async fn conclude(
    running: &mut Running,
    search: impl Future<Output = Searched>,
    signals: &mut child::Signals,
) -> (Searched, Option<Exit>) {
    let (searched, mut signalled) = tokio::select! {
        searched = search => (searched, None),
        signal = signals.next() => (Err(SIGNALLED), Some(child::exit_after(signal))),
    };
    let order = running.order();
    order.give(DrainPhase::Draining);
    if signalled.is_none() {
        tokio::select! {
            _ = running.ended() => {}
            signal = signals.next() => signalled = Some(child::exit_after(signal)),
        }
    }
    if signalled.is_some() {
        order.give(DrainPhase::Cut);
    }
    running.ended().await;
    (searched, signalled)
}

fn key() -> Result<Zeroizing<String>, Complaint> {
    new_key().map_err(|error| (Exit::Failed, error.to_string()))
}

/// A listener of its own for callers of its own; what is configured for everyone stays.
fn become_private(config: &mut Config, callers: [(&str, &Zeroizing<String>); 2]) {
    config.listen = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.admin.listen = Vec::new();
    config.runtime.threads = 1;
    config.log.access = AccessLog::None;
    if config.log.level == "info" {
        "warn".clone_into(&mut config.log.level);
    }
    if config.guard.local_users != LocalUsers::Any {
        config.guard.local_users = LocalUsers::Same;
    }
    let rails = AccessRules {
        // Every path that has one reading: no rule could allow another one later.
        allow: Some(vec![Rule::parse("* /**").expect("it is a rule")]),
        ..AccessRules::default()
    };
    config.guard.callers = callers
        .into_iter()
        .map(|(name, key)| CallerConfig {
            name: name.to_owned(),
            key: Some(SecretSource::Value(Secret::new(key.as_bytes()))),
            uid: None,
            rails: rails.clone(),
        })
        .collect();
}

/// A program that only ever sees our errors would teach nothing.
async fn has_token(running: &Running) -> Result<(), Complaint> {
    let snapshot = running.tokens().settled().await;
    match snapshot.last_error {
        None => Ok(()),
        Some(error) => {
            let exit = if snapshot.refused {
                Exit::Refused
            } else {
                Exit::Unreachable
            };
            Err((
                exit,
                format!("no token: {error}; cupbearer doctor looks for the cause"),
            ))
        }
    }
}

/// The block, where it is wanted.
fn deliver(wanted: &Learn, name: &str, run: &Run) -> Result<Exit, Complaint> {
    let key = std::path::absolute(format!("{name}.key"));
    let key = key.map_err(|error| (Exit::Failed, format!("the current folder: {error}")))?;
    let warnings = warnings(run);
    for warning in &warnings {
        say(&format!("cupbearer learn: {warning}"));
    }
    let (document, program) = (run.found.as_ref(), wanted.program());
    let about = RunDescription {
        name,
        key: &key,
        program: &program,
        requests: run.seen.accepted_count(),
        document: document.map(|found| &*found.place),
        warnings: &warnings,
    };
    let text = write_block(
        &about,
        &fold(&run.seen, document.map(|found| &found.document)),
    );
    let Some(path) = &wanted.output else {
        // A closed pipe says nothing about the run.
        let _closed = io::stdout().write_all(text.as_bytes());
        return Ok(Exit::Fine);
    };
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| (Exit::Failed, format!("{}: {error}", path.display())))?;
    say(&format!(
        "cupbearer learn: the block is in {}",
        path.display()
    ));
    Ok(Exit::Fine)
}

/// Why the block may be less than what the program needs.
fn warnings(run: &Run) -> Vec<String> {
    let mut warnings = Vec::new();
    if !run.status.success() {
        warnings.push(format!(
            "the program failed ({}): what it would have done next is not here",
            run.status
        ));
    }
    warnings.extend(run.cut_short.map(str::to_owned));
    warnings.extend(rejections(&run.seen));
    if run.seen.dropped > 0 {
        warnings.push(format!(
            "{} further requests were too many different ones to keep",
            run.seen.dropped
        ));
    }
    warnings
}

fn rejections(seen: &ObservedRequests) -> Option<String> {
    let reasons = seen.rejected_by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    (!reasons.is_empty()).then(|| {
        format!(
            "requests were refused before any rule ({}): does each carry CUPBEARER_KEY?",
            reasons.join(", ")
        )
    })
}

fn no_lesson(seen: &ObservedRequests) -> String {
    let hint = "the program must send its requests to CUPBEARER_URL, and not through a proxy (NO_PROXY=127.0.0.1)";
    let why = rejections(seen).unwrap_or_else(|| hint.to_owned());
    format!("nothing was learnt: no request arrived with the key; {why}")
}

/// What it ended with, unless that was 0. As a shell says it: 128 and the signal's number.
fn of_program(status: ExitStatus) -> Option<Exit> {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or(signal).unwrap_or(1);
    let code = u8::try_from(code & 0xff).unwrap_or(1);
    (!status.success()).then_some(Exit::OfProgram(code.max(1)))
}

#[cfg(test)]
mod tests;
