//! `cupbearer status`: the running proxy's token, its last error, its recent requests.

use std::fmt;
use std::io::IsTerminal as _;
use std::time::Duration;

use http::{Method, StatusCode};

use super::{Exit, Show, ask, print, say};
use crate::admin::status_api::{ProcessStatus, ProxyStatus, RecentRequest};
use crate::config::{Overrides, Surroundings};
use crate::text::{Unprintable, sanitize_lines};

/// Between two looks of `--watch`.
const INTERVAL: Duration = Duration::from_secs(2);

/// How many recent requests a person is shown.
const SHOWN: usize = 15;

pub(super) async fn status(
    all: &[Overrides],
    overrides: &Overrides,
    surroundings: &Surroundings,
    show: Show,
) -> Exit {
    let mut is_known = false;
    loop {
        let answer = ask::ask(overrides, surroundings, Method::GET, "/status", None).await;
        if let Ok(answered) = &answer
            && !std::mem::replace(&mut is_known, true)
            && let Some(other) = ask::stranger(&answered.text, all, surroundings)
        {
            say(&format!("warning: {other}"));
        }
        match answer {
            Ok(answered) if answered.status == StatusCode::OK => match show {
                Show::Json => {
                    print(&answered.text);
                    return Exit::Fine;
                }
                Show::Once => return once(&answered.text),
                Show::Watch => {
                    let clear = if std::io::stdout().is_terminal() {
                        "\x1b[2J\x1b[H"
                    } else {
                        ""
                    };
                    print(&format!("{clear}{}", written(&answered.text)));
                }
            },
            Ok(answered) => {
                say(&format!(
                    "cupbearer status: refused with {}: {}",
                    answered.status,
                    sanitize_lines(&answered.text, Unprintable::Mark)
                ));
                return Exit::Failed;
            }
            Err(error) => {
                say(&format!("cupbearer status: {error}"));
                return Exit::Failed;
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn once(text: &str) -> Exit {
    print(&written(text));
    Exit::Fine
}

/// For people. What another version sends and this one does not know is left out.
fn written(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(status) => sanitize_lines(&ForPeople(&status).to_string(), Unprintable::Mark),
        Err(_) => sanitize_lines(text, Unprintable::Mark),
    }
}

struct ForPeople<'a>(&'a ProcessStatus);

impl fmt::Display for ForPeople<'_> {
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
    let validity = match token.usable_for_s {
        0 if token.state == "starting" => "none yet".to_owned(),
        0 => "no longer valid".to_owned(),
        usable => format!("valid for {}", seconds(usable)),
    };
    write!(
        f,
        "\n  token        {}, {validity}, next token request in {}",
        token.state,
        seconds(token.next_attempt_in_s)
    )?;
    let error = token.last_error.as_deref().unwrap_or("none");
    write!(f, "\n  last error   {error}")?;
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

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
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
    for more in [&request.reason, &request.caller].into_iter().flatten() {
        write!(f, "  {more}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
