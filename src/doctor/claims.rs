//! What stands in an access token, as far as its holder may look: for people, never for the data path,
//! since RFC 9068 forbids clients to depend on it. The signature is the API's to check.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::finding::{Blame, Finding};
use super::scene::{Api, Scene};
use super::step::Step;
use crate::text::excerpt;

/// Above this, request heads reach the limit that many servers have (8 KiB for all fields).
const LARGE: usize = 7 << 10;
/// How much of a claim is shown, in characters.
const LONGEST: usize = 200;

/// A JSON Web Token's two readable parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Both parts of a token that is a signed JWT (RFC 7519); other tokens are opaque, which is their right.
#[must_use]
pub fn decode(token: &str) -> Option<Decoded> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    parts.next()?;
    let object = |part: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(part.trim_end_matches('='))
            .ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let decoded = Decoded {
        header: object(header)?,
        claims: object(claims)?,
    };
    parts.next().is_none().then_some(decoded)
}

impl Decoded {
    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A `NumericDate` (RFC 7519 2).
    fn time(&self, claim: &str) -> Option<SystemTime> {
        let seconds = self.claims.get(claim)?.as_f64()?;
        let since = Duration::try_from_secs_f64(seconds).ok()?;
        UNIX_EPOCH.checked_add(since)
    }
}

/// Whether it can be looked into, and travels well.
pub(super) fn form(token: &str) -> (Finding, Option<Decoded>) {
    let Some(decoded) = decode(token) else {
        let opaque = Finding::ok("an opaque token: nothing in it can be looked at");
        return (opaque, None);
    };
    let said = format!("a JWT of {} bytes", token.len());
    let finding = if token.len() > LARGE {
        Finding::note(said).remedy("servers with a limit of 8 KiB for a request's head will refuse it: have fewer claims in it")
    } else {
        Finding::ok(said)
    };
    (finding, Some(decoded))
}

/// The API knows one issuer.
pub(super) fn issuer(decoded: &Decoded, scene: &Scene<'_>) -> Finding {
    let Some(theirs) = decoded.text("iss") else {
        return Finding::note("it names no issuer")
            .remedy("an API that checks the issuer will refuse it");
    };
    let theirs = excerpt(theirs, LONGEST);
    match scene.issuer.as_deref() {
        Some(ours) if ours.trim_end_matches('/') == theirs.trim_end_matches('/') => {
            Finding::ok(theirs)
        }
        Some(ours) => Finding::note(format!("{theirs}, not {ours}")).remedy(
            "the API refuses tokens of an issuer that it does not know: with a custom domain, ask which of the two \
             it was connected with",
        ),
        None => Finding::ok(theirs),
    }
}

/// Its life, by its own word and by the answer's.
pub(super) fn expiry(decoded: &Decoded, lifetime: Duration, now: SystemTime) -> Finding {
    let Some(end) = decoded.time("exp") else {
        return Finding::ok(format!(
            "it does not say; the answer said {}",
            humantime::format_duration(whole(lifetime))
        ));
    };
    let said = format!(
        "good until {} ({})",
        humantime::format_rfc3339_seconds(end),
        relative(end, now)
    );
    if end <= now {
        return Finding::note(said)
            .either(
                "this machine's clock is ahead",
                "set it (NTP); see the clock's check",
            )
            .either(
                "the server issues tokens that are over",
                "tell whoever runs the authorization server",
            );
    }
    let own = decoded
        .time("iat")
        .and_then(|start| end.duration_since(start).ok());
    match own {
        Some(own) if own + Duration::from_secs(5) < lifetime => Finding::note(format!(
            "{said}, but expires_in says {}",
            humantime::format_duration(whole(lifetime))
        ))
        .remedy("the API will refuse it before it is replaced: tell whoever runs the authorization server"),
        Some(_) | None => Finding::ok(said),
    }
}

/// What was asked for, and what was granted.
pub(super) fn scope(decoded: &Decoded, scene: &Scene<'_>) -> Finding {
    let granted = decoded.text("scope").unwrap_or_default();
    let asked = scene.config.token.scope.as_deref().unwrap_or_default();
    let missing: Vec<&str> = asked
        .split_whitespace()
        .filter(|one| !granted.split_whitespace().any(|other| other == *one))
        .collect();
    if granted.is_empty() && asked.is_empty() {
        return Finding::ok("none in it");
    }
    if missing.is_empty() {
        return Finding::ok(excerpt(granted, LONGEST));
    }
    let note = Finding::note(format!(
        "{} was asked for and is not in it (granted: {})",
        missing.join(" "),
        excerpt(granted, LONGEST)
    ));
    let remedy = "add the scope to the application, or correct token.scope";
    if scene.is_pingone {
        note.at(Step::Resources, remedy)
    } else {
        note.remedy(remedy)
    }
}

/// The claim that carries roles: there, and an array of strings.
pub(super) fn groups(decoded: &Decoded, scene: &Scene<'_>) -> (Finding, Vec<String>) {
    if !scene.is_pingone || scene.api == Api::Other {
        let skipped = Finding::skipped("only the APIs of PingOne Advanced Services look for it");
        return (skipped, Vec::new());
    }
    let failed = |said: String| Finding::failed(Blame::Other, said);
    let expression =
        "write the attribute groups as an expression: {\"dev-tls-admin\"}, with straight quotes";
    let finding = match decoded.claims.get("groups") {
        None => failed("there is no claim groups in the token".to_owned())
            .at(Step::Attributes, "add the attribute groups to the resource"),
        Some(Value::Array(roles)) if roles.is_empty() => {
            failed("groups is empty".to_owned()).at(Step::Attributes, expression)
        }
        Some(Value::Array(roles)) => {
            let names: Option<Vec<String>> = roles
                .iter()
                .map(|role| role.as_str().map(str::to_owned))
                .collect();
            match names {
                Some(names) => return (Finding::ok(listed(&names)), names),
                None => failed("groups is an array, but not of strings".to_owned())
                    .at(Step::Attributes, expression),
            }
        }
        Some(Value::String(text)) => {
            let curly = text.contains(['\u{201c}', '\u{201d}', '\u{201e}']);
            let why = if curly {
                "pasted with curly quotes"
            } else {
                "typed as plain text"
            };
            failed(format!(
                "groups is one string, {why}, not an array, and most likely grants nothing ({})",
                excerpt(text, LONGEST)
            ))
            .at(Step::Attributes, expression)
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            failed("groups is not an array of strings".to_owned()).at(Step::Attributes, expression)
        }
    };
    (finding, Vec::new())
}

/// Whether one of the roles is for this API in this environment.
pub(super) fn role(roles: &[String], scene: &Scene<'_>) -> Finding {
    let Some(product) = scene.api.product().filter(|_| !roles.is_empty()) else {
        return Finding::skipped("no roles to compare");
    };
    let Some(environment) = scene.environment() else {
        return Finding::skipped("the upstream's host name tells no environment");
    };
    let fits = |role: &&String| {
        let everywhere = scene.api == Api::SelfService && *role == "all-ss-admin";
        let here = role
            .split_once('-')
            .filter(|(place, _)| [environment, "all"].contains(place))
            .and_then(|(_, rest)| rest.strip_prefix(product));
        everywhere || here.is_some_and(|rest| rest.starts_with('-'))
    };
    let fitting: Vec<&String> = roles.iter().filter(fits).collect();
    if fitting.is_empty() {
        return Finding::note(format!(
            "none of {} is for {environment}, which the upstream's host name says",
            listed(roles)
        ))
        .at(
            Step::Attributes,
            format!("add a role such as {environment}-{product}-admin, or correct upstream.url"),
        );
    }
    let only_reads = fitting.iter().all(|role| role.ends_with("-audit"));
    let names: Vec<String> = fitting.into_iter().cloned().collect();
    if only_reads {
        return Finding::ok(format!("{}: for reading only", listed(&names)));
    }
    Finding::ok(listed(&names))
}

fn listed(names: &[String]) -> String {
    excerpt(&names.join(", "), LONGEST)
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// A moment as people say it: `in 59m`, `2h ago`.
#[must_use]
pub fn relative(time: SystemTime, now: SystemTime) -> String {
    let words = |gap: Duration| humantime::format_duration(coarse(gap)).to_string();
    match time.duration_since(now) {
        Ok(gap) => format!("in {}", words(gap)),
        Err(error) => format!("{} ago", words(error.duration())),
    }
}

/// Whole minutes above ten of them, else whole seconds.
fn coarse(gap: Duration) -> Duration {
    let seconds = gap.as_secs();
    Duration::from_secs(if seconds > 600 {
        seconds / 60 * 60
    } else {
        seconds
    })
}

#[cfg(test)]
mod tests;
