//! The claims of an access token, as far as a client can read them.
//!
//! For people only: no request depends on them, since RFC 9068 forbids clients to rely on the content of a token. The
//! signature is for the API to verify.

use std::time::{Duration, SystemTime};

use super::context::DoctorContext;
use super::finding::{FailureKind, Finding};
use crate::text::{date_and_time, excerpt};
use crate::token::{DecodedToken, decode, is_encrypted};
use crate::vendor::{Remedy, SetupStep, advanced_services, pingone};

/// The largest head of a request that many servers accept, in bytes.
const HEAD_LIMIT: usize = 8 << 10;
/// The room in a head for everything but the token.
const OTHER_FIELDS: usize = 1 << 10;
/// The most characters of a claim to show.
const LONGEST: usize = 200;

/// Checks whether the token can be decoded, and whether its size is a problem.
pub(super) fn form(token: &str, context: &DoctorContext<'_>) -> (Finding, Option<DecodedToken>) {
    let Some(decoded) = decode(token) else {
        let what = if is_encrypted(token) {
            "an encrypted JWT: only the API can read its content"
        } else {
            "an opaque token: its content cannot be checked"
        };
        return (Finding::ok(what), None);
    };
    let message = format!("a JWT of {} bytes", token.len());
    let own_limit = pingone::head_limit(context.config.upstream.url.authority.host());
    let limit = own_limit.unwrap_or(HEAD_LIMIT);
    let finding = if token.len() > limit - OTHER_FIELDS {
        let servers = own_limit.map_or("servers that limit", |_| "PingOne's own API, which limits");
        Finding::note(message).remedy(format!(
            "{servers} the head of a request to {} KiB will reject it: reduce the claims in it",
            limit >> 10
        ))
    } else {
        Finding::ok(message)
    };
    (finding, Some(decoded))
}

/// Checks that the issuer is the configured one, since an API accepts tokens of one issuer only.
pub(super) fn issuer(token: &DecodedToken, context: &DoctorContext<'_>) -> Finding {
    let Some(issuer) = token.text("iss") else {
        return Finding::note("the token names no issuer")
            .remedy("an API that checks the issuer will reject it");
    };
    let issuer = excerpt(issuer, LONGEST);
    match context.issuer.as_deref() {
        Some(expected) if expected.trim_end_matches('/') != issuer.trim_end_matches('/') => {
            Finding::note(format!("{issuer}, not {expected}")).remedy(
                "an API rejects tokens of an issuer that it does not know: if the environment has a custom domain, ask \
                 which of the two the API was connected with",
            )
        }
        Some(_) | None => Finding::ok(issuer),
    }
}

/// Checks that the token has not expired, and that it lives as long as the token endpoint said.
pub(super) fn expiry(token: &DecodedToken, lifetime: Duration, now: SystemTime) -> Finding {
    let Some(end) = token.time("exp") else {
        return Finding::ok(format!(
            "not in the token; the token endpoint said {}",
            humantime::format_duration(whole_seconds(lifetime))
        ));
    };
    let date = date_and_time(end).filter(|_| !token.is_beyond_dates("exp"));
    let Some(date) = date else {
        return Finding::note("its exp is after the year 9999, so it is probably in milliseconds")
            .remedy(
                "exp must be in seconds since 1970 (RFC 7519 4.1.4): tell the operators of the authorization server",
            );
    };
    let message = format!("valid until {date} ({})", relative(end, now));
    if end <= now {
        return Finding::note(message)
            .either(
                "this machine's clock is ahead",
                "synchronize it (NTP); see the clock's check",
            )
            .either(
                "the server issues tokens that have already expired",
                "tell the operators of the authorization server",
            );
    }
    let own = token
        .time("iat")
        .and_then(|start| end.duration_since(start).ok());
    match own {
        Some(own) if own + Duration::from_secs(5) < lifetime => Finding::note(format!(
            "{message}, but expires_in says {}",
            humantime::format_duration(whole_seconds(lifetime))
        ))
        .remedy(
            "the API will reject the token before it is refreshed: tell the operators of the authorization server",
        ),
        Some(_) | None => Finding::ok(message),
    }
}

/// Compares the requested scopes with the granted ones.
pub(super) fn scope(token: &DecodedToken, context: &DoctorContext<'_>) -> Finding {
    let granted = granted_scopes(token);
    let grant = context.config.token.grant();
    let requested = grant
        .and_then(|grant| grant.scope.as_deref())
        .unwrap_or_default();
    let missing: Vec<&str> = requested
        .split_whitespace()
        // Entra: everything that the application has been granted; the token names other scopes, or none.
        .filter(|one| !one.ends_with("/.default") && !granted.contains(one))
        .collect();
    let granted = granted.join(" ");
    if granted.is_empty() && missing.is_empty() {
        return Finding::ok("the token contains none");
    }
    if missing.is_empty() {
        return Finding::ok(excerpt(&granted, LONGEST));
    }
    let remedy = Remedy::new("add the scope to the application, or correct token.scope");
    Finding::note(format!(
        "{} was requested but is not in the token (granted: {})",
        missing.join(" "),
        excerpt(&granted, LONGEST)
    ))
    .with(if context.pingone.is_some() {
        remedy.at(SetupStep::Resources)
    } else {
        remedy
    })
}

/// `scope` (RFC 9068 2.2.3), or `scp` of Okta and Entra: a text with spaces, or a list.
fn granted_scopes(token: &DecodedToken) -> Vec<&str> {
    let claims = ["scope", "scp"].into_iter();
    let texts = claims
        .filter_map(|name| token.claims.get(name))
        .flat_map(|value| {
            let list = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            list.iter().filter_map(serde_json::Value::as_str)
        });
    texts.flat_map(str::split_whitespace).collect()
}

/// Checks the claim `groups`, and returns the roles in it. Other APIs may read it or `roles`, or neither.
pub(super) fn groups(token: &DecodedToken, context: &DoctorContext<'_>) -> (Finding, Vec<String>) {
    if context.managed_api().is_none() {
        let names = names_in(token);
        let finding = if names.is_empty() {
            Finding::skipped("the token contains neither groups nor roles")
        } else {
            Finding::ok(listed(&names))
        };
        return (finding, Vec::new());
    }
    match advanced_services::roles_in_groups(token.claims.get("groups")) {
        Ok(roles) => (Finding::ok(listed(&roles)), roles),
        Err((problem, _)) if context.has_person() => {
            let failed = Finding::failed(FailureKind::Other, problem).remedy(
                "your roles come from an attribute of your user in PingOne: have it set, and if you sign in to an \
                 application of your own, have its resource map groups to that attribute",
            );
            (failed, Vec::new())
        }
        Err((problem, remedy)) => {
            let failed = Finding::failed(FailureKind::Other, problem).with(remedy);
            (failed, Vec::new())
        }
    }
}

/// The names in `groups` and `roles`.
fn names_in(token: &DecodedToken) -> Vec<String> {
    let claims = ["groups", "roles"].into_iter();
    let lists = claims.filter_map(|name| token.claims.get(name)?.as_array());
    let names = lists.flatten().filter_map(serde_json::Value::as_str);
    names.map(str::to_owned).collect()
}

/// Checks that one of the roles is for this API in this environment.
pub(super) fn role(roles: &[String], context: &DoctorContext<'_>) -> Finding {
    let Some(api) = context.api.filter(|_| !roles.is_empty()) else {
        return Finding::skipped("there are no roles to compare");
    };
    let Some(environment) = context.environment() else {
        return Finding::skipped("the API's host name contains no environment");
    };
    let matching = advanced_services::matching_roles(roles, api, environment);
    if matching.is_empty() {
        return Finding::note(format!(
            "no role in {} is for {environment}, the environment in the API's host name",
            listed(roles)
        ))
        .with(advanced_services::missing_role(api, environment));
    }
    let names = listed(&matching);
    if matching
        .iter()
        .all(|role| advanced_services::is_read_only_role(role))
    {
        return Finding::ok(format!("{names}: for reading only"));
    }
    Finding::ok(names)
}

fn listed(names: &[String]) -> String {
    excerpt(&names.join(", "), LONGEST)
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// A time relative to now: `in 59m`, `2h ago`.
#[must_use]
pub fn relative(time: SystemTime, now: SystemTime) -> String {
    let rounded = |gap: Duration| humantime::format_duration(round_down(gap)).to_string();
    match time.duration_since(now) {
        Ok(gap) => format!("in {}", rounded(gap)),
        Err(error) => format!("{} ago", rounded(error.duration())),
    }
}

/// To whole minutes above ten of them, otherwise to whole seconds.
fn round_down(gap: Duration) -> Duration {
    let seconds = gap.as_secs();
    Duration::from_secs(if seconds > 600 {
        seconds / 60 * 60
    } else {
        seconds
    })
}

#[cfg(test)]
mod tests;
