//! `cupbearer status`: the running proxy's token, its last error, its recent requests.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;

use super::{Exit, Show, ask, print, say};
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
    match serde_json::from_str::<Status>(text) {
        Ok(status) => sanitize_lines(&status.to_string(), Unprintable::Mark),
        Err(_) => sanitize_lines(text, Unprintable::Mark),
    }
}

#[derive(Deserialize)]
struct Status {
    version: String,
    summary: String,
    proxies: Vec<Proxy>,
}

#[derive(Deserialize)]
struct Proxy {
    name: String,
    listens_on: Vec<String>,
    upstream: String,
    uptime_s: u64,
    token: Token,
    requests_in_flight: u64,
    client_connections: u64,
    upstream_connections: u64,
    notes: Vec<String>,
    recent: Vec<Recent>,
}

#[derive(Deserialize)]
struct Token {
    from: String,
    state: String,
    usable_for_s: u64,
    next_attempt_in_s: u64,
    last_error: Option<String>,
}

#[derive(Deserialize)]
struct Recent {
    ago_s: u64,
    method: String,
    path: String,
    status: Option<u16>,
    reason: Option<String>,
    caller: Option<String>,
    ms: f64,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cupbearer {}: {}", self.version, self.summary)?;
        for proxy in &self.proxies {
            write!(f, "{proxy}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = &self.token;
        let seconds = |seconds| humantime::format_duration(Duration::from_secs(seconds));
        write!(
            f,
            "\n\n{}, running for {}",
            self.name,
            seconds(self.uptime_s)
        )?;
        write!(f, "\n  listens on   {}", self.listens_on.join(", "))?;
        write!(f, "\n  forwards to  {}", self.upstream)?;
        write!(f, "\n  token from   {}", token.from)?;
        write!(
            f,
            "\n  token        {}, {}, next request for one in {}",
            token.state,
            match token.usable_for_s {
                0 if token.state == "starting" => "none yet".to_owned(),
                0 => "no longer good".to_owned(),
                usable => format!("good for {}", seconds(usable)),
            },
            seconds(token.next_attempt_in_s)
        )?;
        write!(
            f,
            "\n  last error   {}",
            token.last_error.as_deref().unwrap_or("none")
        )?;
        write!(
            f,
            "\n  now          {}, {}, {} to the API",
            counted(self.requests_in_flight, "request"),
            counted(self.client_connections, "client"),
            counted(self.upstream_connections, "connection")
        )?;
        for note in &self.notes {
            write!(f, "\n  note         {note}")?;
        }
        for recent in self.recent.iter().take(SHOWN) {
            write!(f, "\n  {recent}")?;
        }
        Ok(())
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl std::fmt::Display for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut line = String::new();
        let status = self
            .status
            .map_or_else(|| "left".to_owned(), |status| status.to_string());
        write!(
            line,
            "{:>5} s ago  {status:<4} {:<7} {} {} ms",
            self.ago_s, self.method, self.path, self.ms
        )?;
        for more in [&self.reason, &self.caller].into_iter().flatten() {
            write!(line, "  {more}")?;
        }
        f.write_str(&line)
    }
}

#[cfg(test)]
mod tests;
