//! The proxy of one run: it is started, used by the program, asked for the OpenAPI document, and stopped.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitStatus;

use zeroize::Zeroizing;

use super::args::LearnArgs;
use super::child;
use super::failure::LearnFailure;
use super::openapi::{self, FoundDocument, ProxyClient};
use super::rules_file::RulesFile;
use crate::cli::exit::Exit;
use crate::cli::signals::{SignalListener, next_end};
use crate::cli::start_failure::explain;
use crate::config::{AccessLog, AccessRules, CallerConfig, Config, Listen, LocalUsers, Rule};
use crate::credentials::{Secret, SecretSource};
use crate::guard::new_key;
use crate::learn::{ObservedRequests, RequestRecorder};
use crate::proxy::AccessLines;
use crate::server::DrainPhase;
use crate::token::FailureOrigin;
use crate::{RunningProxy, start, telemetry};

/// The caller that searches for the OpenAPI document. No configured caller can have this name.
const SEARCHER: &str = "(learn)";

const SEARCH_INTERRUPTED: &str = "a signal ended the search for the OpenAPI document: use --openapi with its path, or with a file";

/// What a run has recorded.
pub(super) struct Lesson {
    pub(super) seen: ObservedRequests,
    pub(super) status: ExitStatus,
    /// The file of `--output`.
    pub(super) output: Option<RulesFile>,
    pub(super) found: Option<FoundDocument>,
    /// Why there may be a document although none was found.
    pub(super) search_ended: Option<&'static str>,
    /// The exit code after a signal, if the program itself succeeded.
    pub(super) signalled: Option<Exit>,
}

impl Lesson {
    /// The exit code of the program, or of the signal that ended `learn`; `None` if neither decides.
    pub(super) fn exit(&self) -> Option<Exit> {
        child::exit_of(self.status).or(self.signalled)
    }
}

fn reject_sign_in(config: &Config) -> Result<(), LearnFailure> {
    if config.token.is_of_person() {
        let message = "token.grant needs a person who signs in, and nobody can sign in to the proxy of one run: set \
                       another grant, or a token.source, for this run";
        return Err((Exit::Configuration, message.to_owned()));
    }
    Ok(())
}

/// Runs the program against a proxy of its own, as the caller `name`.
pub(super) async fn run(
    args: &LearnArgs,
    name: &str,
    mut config: Config,
    flushing: &telemetry::FlushOnDrop,
    signals: Option<SignalListener>,
) -> Result<Lesson, LearnFailure> {
    let not_run = |error| {
        let program = args.program();
        (Exit::Failed, format!("{program} cannot be run: {error}"))
    };
    let mut signals = match signals {
        Some(signals) => signals,
        None => SignalListener::new().map_err(not_run)?,
    };
    reject_sign_in(&config)?;
    let withheld = child::secret_variables(&config);
    let (key, search_key) = (create_key()?, create_key()?);
    let is_unrestricted = is_unrestricted(&config, args.check.as_deref());
    make_private(&mut config, [(name, &key), (SEARCHER, &search_key)]);
    if is_unrestricted {
        // With a rule, the guard would reject paths that it accepts for this caller, who has none.
        for caller in &mut config.guard.callers {
            caller.rails = AccessRules::default();
        }
    }
    let _telemetry = telemetry::start(&config.log, flushing)
        .map_err(|error| (Exit::Configuration, format!("log.level: {error}")))?;
    let mut running = start(&config, AccessLines::None)
        .map_err(|error| (Exit::Failed, explain(&error, 1, &config.admin.listen)))?;
    let recorder = RequestRecorder::new(name);
    running.metrics.observe_requests(recorder.watcher());
    let address = *running
        .addresses
        .first()
        .ok_or_else(|| (Exit::Failed, "the proxy has no address".to_owned()))?;
    let client = ProxyClient {
        address,
        key: &search_key,
    };
    let named = tokio::select! {
        named = prepare(args, &running, &client) => named?,
        signal = next_end(&mut signals) => {
            let message = "ended by a signal; the program has not been run".to_owned();
            return Err((Exit::OfProgram(signal.exit_code()), message));
        }
    };
    let url = format!("http://{address}");
    // From here on, a signal does not end this process before it has removed the file.
    let output = args.output.as_deref().map(RulesFile::open).transpose()?;
    let status = child::run(
        &args.command,
        &[("CUPBEARER_URL", &url), ("CUPBEARER_KEY", &key)],
        &withheld,
        &mut signals,
    )
    .await
    .map_err(not_run)?;
    let search = async {
        match (named, &args.check) {
            (None, None) => {
                openapi::search(&config.upstream.openapi, &recorder.requests(), &client).await
            }
            (named, _) => Ok(named),
        }
    };
    let (searched, signalled) = finish(&mut running, search, &mut signals).await;
    Ok(Lesson {
        seen: recorder.requests(),
        status,
        output,
        search_ended: searched.as_ref().err().copied(),
        found: searched.ok().flatten(),
        signalled,
    })
}

/// The document, or why the search was ended early.
type SearchResult = Result<Option<FoundDocument>, &'static str>;

/// Searches for the document and stops the proxy. The program has ended, so a signal now ends this.
async fn finish(
    running: &mut RunningProxy,
    search: impl Future<Output = SearchResult>,
    signals: &mut SignalListener,
) -> (SearchResult, Option<Exit>) {
    let (searched, mut signalled) = tokio::select! {
        searched = search => (searched, None),
        signal = signals.next() => {
            (Err(SEARCH_INTERRUPTED), Some(Exit::OfProgram(signal.exit_code())))
        }
    };
    let handle = running.stop_handle();
    handle.advance(DrainPhase::Draining);
    if signalled.is_none() {
        tokio::select! {
            _ = running.ended() => {}
            signal = signals.next() => signalled = Some(Exit::OfProgram(signal.exit_code())),
        }
    }
    if signalled.is_some() {
        handle.advance(DrainPhase::Cut);
    }
    running.ended().await;
    (searched, signalled)
}

fn create_key() -> Result<Zeroizing<String>, LearnFailure> {
    new_key().map_err(|error| (Exit::Failed, error.to_string()))
}

/// Gives the proxy a listener and callers of its own. The rules for everyone stay as configured.
fn make_private(config: &mut Config, callers: [(&str, &Zeroizing<String>); 2]) {
    config.listen = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.tls = None; // the program runs on this machine
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
        // Having a rule refuses ambiguous paths, which no rule could allow later.
        allow: Some(vec![Rule::parse("* /**").expect("this is a valid rule")]),
        ..AccessRules::default()
    };
    config.guard.callers = callers
        .into_iter()
        .map(|(name, key)| CallerConfig {
            name: name.to_owned(),
            key: Some(SecretSource::Value(Secret::new(key.as_bytes()))),
            san: None,
            uid: None,
            rails: rails.clone(),
        })
        .collect();
}

/// Whether nothing forbids the caller whose rules are checked anything.
fn is_unrestricted(config: &Config, checked: Option<&str>) -> bool {
    let mut callers = config.guard.callers.iter();
    let caller = callers.find(|caller| checked == Some(caller.name.as_str()));
    config.guard.rails.are_none() && caller.is_some_and(|caller| caller.rails.are_none())
}

/// What must be there before the program runs. Returns the document that `--openapi` names.
async fn prepare(
    args: &LearnArgs,
    running: &RunningProxy,
    client: &ProxyClient<'_>,
) -> Result<Option<FoundDocument>, LearnFailure> {
    require_token(running).await?;
    let Some(location) = &args.openapi else {
        return Ok(None);
    };
    let named = openapi::named(location, client).await;
    named.map(Some).map_err(|error| (Exit::Failed, error))
}

/// Without a token, the program would get only errors, and there would be nothing to learn.
async fn require_token(running: &RunningProxy) -> Result<(), LearnFailure> {
    let snapshot = running.tokens().settled().await;
    match snapshot.last_error {
        None => Ok(()),
        Some(error) => {
            let exit = match snapshot.origin {
                Some(FailureOrigin::Credential) => Exit::Configuration,
                _ if snapshot.refused => Exit::Refused,
                _ => Exit::Unreachable,
            };
            let message = format!("no token: {error}; run cupbearer doctor to find the cause");
            Err((exit, message))
        }
    }
}
