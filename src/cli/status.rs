//! `cupbearer status`: the token of the running proxy, its last error, its recent requests.

use std::fmt;
use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;

use super::admin_client::{AdminListener, TIME_LIMIT};
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{ResultOutput, say};
use super::terminal_size::terminal_size;
use super::watch_keys::WatchKey;
use super::watch_screen::{RequestRates, screen, token_validity};
use super::watched_terminal::{TerminalEvent, WatchedTerminal};
use crate::admin::status_api::{ProcessStatus, ProxyStatus, RecentRequest, SignInStatus};
use crate::text::{Unprintable, counted, escape_json, sanitize_lines};

/// Between two requests of `--watch`.
const INTERVAL: Duration = Duration::from_secs(2);

/// The same if a terminal shows a countdown.
const SCREEN_INTERVAL: Duration = Duration::from_secs(1);

/// How many recent requests are shown. `--json` has all of them.
const SHOWN: usize = 15;

/// Show the running proxy's token, its last error and its recent requests
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "Example:\n  cupbearer status --watch\n  cupbearer status --json | jq .proxies[0].token"
)]
pub(super) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show it until interrupted: as a screen that fills the terminal, or every two seconds if this is not one
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl StatusArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        if self.watch && std::io::stdout().is_terminal() {
            return watch(&invocation).await;
        }
        let mut output = ResultOutput::default();
        let mut has_shown = false;
        loop {
            let text = match self.ask(&invocation).await {
                Ok(text) => {
                    has_shown = true;
                    text
                }
                // The proxy may be restarting.
                Err(problem) if self.watch && has_shown => problem,
                Err(problem) => {
                    say(&format!("cupbearer status: {problem}"));
                    return Exit::Failed;
                }
            };
            // If this cannot be shown, neither can what follows.
            if !output.put(&format!("{text}\n")) || !self.watch {
                return output.finish("cupbearer status", Exit::Fine);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// What to print, or why there is nothing.
    async fn ask(&self, invocation: &Invocation) -> Result<String, String> {
        let listener = AdminListener::find(invocation, TIME_LIMIT)
            .await
            .map_err(|error| error.to_string())?;
        let response = &listener.response;
        match &listener.status {
            Some(_) if self.json => Ok(escape_json(&response.text)),
            Some(status) => Ok(for_people(status)),
            None => Err(format!(
                "refused with {}: {}",
                response.status,
                response.printable()
            )),
        }
    }
}

/// Shows a screen that follows the proxies and the size of the terminal, until it is interrupted.
async fn watch(invocation: &Invocation) -> Exit {
    let mut terminal = WatchedTerminal::new();
    let mut rates = RequestRates::default();
    let mut status: Option<ProcessStatus> = None;
    let mut shown = None;
    loop {
        // Ctrl-C must not wait for a proxy that does not respond.
        let looked = terminal.during(AdminListener::find(invocation, TIME_LIMIT));
        let problem = match looked.await {
            Err(exit) => return exit,
            Ok(Err(error)) => Some(error.to_string()),
            Ok(Ok(AdminListener {
                status: Some(now), ..
            })) => {
                rates.note(&now);
                status = Some(now);
                None
            }
            Ok(Ok(AdminListener { response, .. })) => Some(format!(
                "refused with {}: {}",
                response.status,
                response.printable()
            )),
        };
        let next = tokio::time::Instant::now() + SCREEN_INTERVAL;
        loop {
            let text = match (&problem, &status) {
                (None, Some(status)) => screen(status, &rates, terminal_size(), shown),
                // The proxy may be restarting.
                (Some(problem), Some(_)) => problem.clone(),
                (problem, None) => {
                    let problem = problem.as_deref().unwrap_or_default();
                    say(&format!("cupbearer status: {problem}"));
                    return Exit::Failed;
                }
            };
            if !terminal.show(&text) {
                return terminal.output.finish("cupbearer status", Exit::Fine);
            }
            let count = status.as_ref().map_or(0, |status| status.proxies.len());
            match tokio::time::timeout_at(next, terminal.next()).await {
                Ok(TerminalEvent::Key(WatchKey::Quit)) => return Exit::Fine,
                Ok(TerminalEvent::Key(key)) => shown = key.apply(shown, count),
                Ok(TerminalEvent::Resized) => {}
                Ok(TerminalEvent::Signal(exit)) => return exit,
                Err(_) => break,
            }
        }
    }
}

fn for_people(status: &ProcessStatus) -> String {
    sanitize_lines(&StatusText(status).to_string(), Unprintable::Mark)
}

struct StatusText<'a>(&'a ProcessStatus);

impl fmt::Display for StatusText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cupbearer {}: {}", self.0.version, self.0.summary)?;
        for proxy in &self.0.proxies {
            write_proxy(f, proxy)?;
        }
        Ok(())
    }
}

fn write_proxy(f: &mut fmt::Formatter<'_>, proxy: &ProxyStatus) -> fmt::Result {
    let token = &proxy.token;
    let seconds = |seconds| humantime::format_duration(Duration::from_secs(seconds));
    write!(f, "\n\n{}, up for {}", proxy.name, seconds(proxy.uptime_s))?;
    write!(f, "\n  listens on   {}", proxy.listens_on.join(", "))?;
    write!(f, "\n  forwards to  {}", proxy.upstream)?;
    write!(f, "\n  token from   {}", token.from)?;
    write!(
        f,
        "\n  token        {}, {}",
        token.state,
        token_validity(token)
    )?;
    if let Some(sign_in) = &token.sign_in {
        write_sign_in(f, sign_in)?;
    }
    if token
        .sign_in
        .as_ref()
        .is_none_or(|person| person.is_renewed)
    {
        let next = seconds(token.next_attempt_in_s);
        let error = token.last_error.as_deref().unwrap_or("none");
        write!(f, ", next token request in {next}\n  last error   {error}")?;
    }
    write!(
        f,
        "\n  now          {} in flight, {} from clients, {} to the API",
        counted(proxy.requests_in_flight, "request"),
        counted(proxy.client_connections, "connection"),
        counted(proxy.upstream_connections, "connection")
    )?;
    for note in &proxy.notes {
        write!(f, "\n  note         {note}")?;
    }
    for request in proxy.recent.iter().take(SHOWN) {
        write_request(f, request)?;
    }
    Ok(())
}

fn write_sign_in(f: &mut fmt::Formatter<'_>, sign_in: &SignInStatus) -> fmt::Result {
    let who = match (&sign_in.who, sign_in.is_signed_in) {
        (Some(who), true) => who,
        (None, true) => "someone (the token has no name)",
        (_, false) => "nobody",
    };
    write!(f, "\n  signed in    {who}")?;
    for doubt in &sign_in.doubts {
        write!(f, "\n  note         about the token: {doubt}")?;
    }
    let places = [
        ("sign in at", &sign_in.login_url),
        (
            match &*sign_in.way {
                "browser" => "sign in at",
                "device" => "page",
                _ => "paste at",
            },
            &sign_in.page,
        ),
    ];
    for (what, url) in places {
        if let Some(url) = url {
            write!(f, "\n  {what:<12} {url}")?;
        }
    }
    Ok(())
}

fn write_request(f: &mut fmt::Formatter<'_>, request: &RecentRequest) -> fmt::Result {
    let status = request
        .status
        .map_or_else(|| "left".to_owned(), |status| status.to_string());
    write!(
        f,
        "\n  {:>5} s ago  {status:<4} {:<7} {} {} ms",
        request.ago_s, request.method, request.path, request.ms
    )?;
    let who = request.caller.as_ref().or(request.user.as_ref());
    for more in [request.reason.as_ref(), who].into_iter().flatten() {
        write!(f, "  {more}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
