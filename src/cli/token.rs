//! `cupbearer token`: requests an access token of its own and prints it, or what it contains.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{fitted, say, write_stdout};
use super::signals::until_signal;
use crate::config::{self, Config};
use crate::doctor::relative;
use crate::text::{Unprintable, date_and_time, escape_json, sanitize};
use crate::token::{
    AccessToken, DecodedToken, FailureOrigin, GrantError, LoginSessions, Ownership, RequestSecrets,
    SecretReader, SingleGrant, client, decode, renew_login,
};
use crate::{credentials, net};

/// Request an access token and print it
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "Example:\n  cupbearer token --decode\n  cupbearer token --header | curl -H @- https://api.example.com/"
)]
pub(super) struct TokenArgs {
    /// Print the header line that carries the token (token.header) instead of the token alone
    #[arg(long, conflicts_with = "decode")]
    header: bool,
    /// Print the claims in the token, with readable times, instead of the token
    #[arg(long)]
    decode: bool,
    /// With --decode: print JSON
    #[arg(long, requires = "decode")]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl TokenArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let overrides = match invocation.single() {
            Ok(overrides) => overrides,
            Err(exit) => return exit,
        };
        let _hidden = credentials::hide_process();
        let loaded = match config::load(overrides, &invocation.surroundings) {
            Ok(loaded) => loaded,
            Err(problems) => {
                say(&fitted(&problems));
                return Exit::Configuration;
            }
        };
        let sessions = LoginSessions::default();
        let requesting = Box::pin(request_token(&loaded.config, &sessions));
        let obtained = match until_signal(requesting).await {
            Ok((Ok(obtained), _)) => obtained,
            Ok((Err(exit), _)) => return exit,
            Err(signal) => {
                sessions.close().await;
                return Exit::OfProgram(signal.exit_code());
            }
        };
        let Some(text) = self.text(&obtained, &loaded.config.token.field().shown_name) else {
            say("this access token is opaque: it has no claims that can be read");
            return Exit::Failed;
        };
        match write_stdout(text.as_bytes()) {
            Ok(()) => Exit::Fine,
            Err(error) => {
                say(&format!("cupbearer token: standard output: {error}"));
                Exit::Failed
            }
        }
    }

    /// What to print; `None` if the token cannot be decoded.
    fn text(&self, obtained: &AccessToken, field: &str) -> Option<String> {
        if self.header {
            let value = obtained.header.to_str().ok()?;
            return Some(format!("{field}: {value}\n"));
        }
        if !self.decode {
            return Some(format!("{}\n", obtained.as_str()));
        }
        let decoded = decode(obtained.as_str())?;
        Some(if self.json {
            let json = json!({ "header": decoded.header, "claims": decoded.claims });
            format!("{}\n", escape_json(&format!("{json:#}")))
        } else {
            decoded_text(&decoded, SystemTime::now())
        })
    }
}

async fn request_token(config: &Config, sessions: &LoginSessions) -> Result<AccessToken, Exit> {
    let unusable = |complaint: String| {
        say(&format!("cupbearer token: {complaint}"));
        Exit::Configuration
    };
    let tls = net::client_config_for(config).map_err(|error| unusable(error.to_string()))?;
    let client = client(tls, &config.network.proxy);
    let token = &config.token;
    if token.login().is_some() {
        let reader = SecretReader::new(token.requests(), Ownership::default()).into_function();
        if let Some(renewed) = renew_login(token, client.clone(), reader, sessions).await {
            return renewed.map_err(|failure| said(&failure));
        }
    }
    let sources = token.requests();
    let secrets = RequestSecrets::read(&sources, None).await;
    let secrets = secrets.map_err(|(source, error)| {
        unusable(format!(
            "{}: {}; {}",
            source.key,
            error.in_full(),
            error.remedy()
        ))
    })?;
    let grant = SingleGrant::new(token, client, secrets);
    grant.request().await.map_err(|failure| said(&failure))
}

fn said(failure: &GrantError) -> Exit {
    say(&format!(
        "cupbearer token: {}; run cupbearer doctor to find the cause",
        failure.chain()
    ));
    exit_after(failure)
}

fn exit_after(failure: &GrantError) -> Exit {
    match failure.origin() {
        FailureOrigin::Credential => Exit::Configuration,
        FailureOrigin::Rejection => Exit::Refused,
        FailureOrigin::Server => Exit::Unreachable,
        FailureOrigin::Bug => Exit::Failed,
    }
}

/// One claim on each line.
fn decoded_text(decoded: &DecodedToken, now: SystemTime) -> String {
    let part = |title: &str, members: &Map<String, Value>| {
        let width = members.keys().map(|name| name.chars().count()).max();
        let lines: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let width = width.unwrap_or(0);
                format!(
                    "  {:width$}  {}\n",
                    sanitize(name, Unprintable::Escape),
                    claim_text(name, value, now)
                )
            })
            .collect();
        format!("{title}\n{}", lines.concat())
    };
    part("header", &decoded.header) + &part("claims", &decoded.claims)
}

/// The registered claims that are times (RFC 7519 4.1, OpenID Connect Core 2) are shown as such.
fn claim_text(name: &str, value: &Value, now: SystemTime) -> String {
    let seconds = match name {
        // `NumericDate` may have a fraction.
        "exp" | "iat" | "nbf" | "auth_time" => value.as_f64(),
        _ => None,
    };
    let since = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = since.and_then(|since| UNIX_EPOCH.checked_add(since));
    let shown = time.and_then(|time| {
        Some(format!(
            "{} ({})",
            date_and_time(time)?,
            relative(time, now)
        ))
    });
    match (shown, value) {
        (Some(shown), _) => shown,
        (None, Value::String(text)) => sanitize(text, Unprintable::Escape),
        (None, other) => escape_json(&other.to_string()),
    }
}

#[cfg(test)]
mod tests;
