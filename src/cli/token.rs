//! `cupbearer token`: a grant of its own, and the access token on standard output; or what stands in it.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Exit, say};
use crate::config::{self, Config, Overrides, Surroundings};
use crate::doctor::{DecodedToken, decode, relative};
use crate::text::{Unprintable, sanitize};
use crate::token::{Failure, Obtained, Once, client};
use crate::{credentials, net};

/// What is wanted of it.
#[derive(Args, Debug, Clone, PartialEq, Eq)]
#[group(skip)] // the variant that it is flattened into has the name
pub struct Token {
    /// Print it as the header line that carries it
    #[arg(long, conflicts_with = "decode")]
    header: bool,
    /// Print what stands in it, with times in words, and not the token itself
    #[arg(long)]
    decode: bool,
    /// With --decode: print JSON
    #[arg(long, requires = "decode")]
    json: bool,
}

/// Asks once and prints.
pub(super) async fn token(
    wanted: &Token,
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Exit {
    let _hidden = credentials::hide_process();
    let loaded = match config::load(overrides, surroundings) {
        Ok(loaded) => loaded,
        Err(problems) => {
            say(&problems.to_string());
            return Exit::Configuration;
        }
    };
    let obtained = match ask(&loaded.config).await {
        Ok(obtained) => obtained,
        Err(exit) => return exit,
    };
    let text = match (wanted.header, wanted.decode) {
        (true, _) => format!("Authorization: Bearer {}\n", obtained.token()),
        (false, false) => format!("{}\n", obtained.token()),
        (false, true) => match decode(obtained.token()) {
            Some(decoded) if wanted.json => {
                format!(
                    "{:#}\n",
                    json!({ "header": decoded.header, "claims": decoded.claims })
                )
            }
            Some(decoded) => in_words(&decoded, SystemTime::now()),
            None => {
                say("this access token is opaque: nothing in it can be read");
                return Exit::Failed;
            }
        },
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            say(&format!("cupbearer token: standard output: {error}"));
            Exit::Failed
        }
    }
}

async fn ask(config: &Config) -> Result<Obtained, Exit> {
    let unusable = |complaint: String| {
        say(&format!("cupbearer token: {complaint}"));
        Exit::Configuration
    };
    let tls = net::client_config(&config.network).map_err(|error| unusable(error.to_string()))?;
    let client = client(tls, &config.network.proxy).map_err(|error| unusable(error.to_string()))?;
    let token = &config.token;
    let secret = token.credential.read().await.map_err(|error| {
        unusable(format!(
            "{}: {}; {}",
            token.credential_key(),
            error.in_full(),
            error.remedy()
        ))
    })?;
    let once = Once::new(token, client, secret);
    once.ask().await.map_err(|failure| {
        say(&format!(
            "cupbearer token: {}; cupbearer doctor looks for the cause",
            failure.chain()
        ));
        exit(&failure)
    })
}

/// 3: ours to mend; 4: it said no; 5: it said nothing of use.
fn exit(failure: &Failure) -> Exit {
    match failure {
        Failure::SecretUnreadable(_)
        | Failure::SecretEmpty
        | Failure::KeyUnusable(_)
        | Failure::CertificateUnusable(_) => Exit::Configuration,
        Failure::Metadata(_) if !failure.is_refusal() => Exit::Unreachable,
        Failure::Metadata(_) | Failure::Refused { .. } | Failure::Unusable { .. } => Exit::Refused,
        Failure::Unreachable(_)
        | Failure::TimedOut { .. }
        | Failure::Redirected { .. }
        | Failure::Unavailable { .. } => Exit::Unreachable,
        Failure::Internal => Exit::Failed,
    }
}

/// One claim a line; moments also as people say them.
fn in_words(decoded: &DecodedToken, now: SystemTime) -> String {
    let part = |title: &str, members: &Map<String, Value>| {
        let width = members.keys().map(|name| name.chars().count()).max();
        let lines: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let width = width.unwrap_or(0);
                format!(
                    "  {:width$}  {}\n",
                    sanitize(name, Unprintable::Escape),
                    claim(name, value, now)
                )
            })
            .collect();
        format!("{title}\n{}", lines.concat())
    };
    part("header", &decoded.header) + &part("claims", &decoded.claims)
}

/// The moments among the registered claims (RFC 7519 4.1, OpenID Connect Core 2).
fn claim(name: &str, value: &Value, now: SystemTime) -> String {
    let seconds = match name {
        "exp" | "iat" | "nbf" | "auth_time" => value.as_u64(),
        _ => None,
    };
    let moment = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    match moment {
        // What RFC 3339 can write.
        Some(moment) if seconds.is_some_and(|seconds| seconds < 253_402_300_800) => format!(
            "{} ({})",
            humantime::format_rfc3339_seconds(moment),
            relative(moment, now)
        ),
        Some(_) | None => match value {
            Value::String(text) => sanitize(text, Unprintable::Escape),
            other => other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
