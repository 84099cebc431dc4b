//! PingOne Advanced Services: the roles that its APIs expect in a token, and what their responses mean.

use serde_json::Value;

use super::pingone::{ManagedApi, managed_api};
use super::remedy::Remedy;
use super::setup_guide::SetupStep;
use crate::text::excerpt;

/// The most characters of a claim to show.
const LONGEST: usize = 200;

/// The path of a GET that changes nothing.
#[must_use]
pub const fn harmless_path(api: ManagedApi) -> &'static str {
    match api {
        ManagedApi::SelfService => "/api/v1/certificates",
        ManagedApi::PingAccess | ManagedApi::PingFederate => "/",
    }
}

/// A path that needs no token, if the API has one. Its response tells a rejected token from a rejected address.
#[must_use]
pub const fn public_path(api: ManagedApi) -> Option<&'static str> {
    match api {
        ManagedApi::SelfService => Some("/docs"),
        ManagedApi::PingAccess | ManagedApi::PingFederate => None,
    }
}

/// The domain of PingOne Advanced Services, in which every customer has names.
const DOMAIN: &str = ".ping.cloud";

/// The page on which a person signs in for the API at this host, and copies a token.
#[must_use]
pub fn login_url(host: &str) -> Option<String> {
    login_page(host, application(host)?)
}

/// The application to which a person signs in for the API at this host.
#[must_use]
pub fn application(host: &str) -> Option<&'static str> {
    let api = managed_api(host).filter(|_| host.ends_with(DOMAIN))?;
    Some(match api {
        ManagedApi::SelfService => "self-service",
        ManagedApi::PingAccess => "pingaccess",
        ManagedApi::PingFederate => "pingfederate",
    })
}

/// The page on which a person signs in to this application, in the environment of the API at this host.
#[must_use]
pub fn login_page(host: &str, application: &str) -> Option<String> {
    managed_api(host)?;
    let (_, environment) = host.split_once('.').filter(|_| host.ends_with(DOMAIN))?;
    Some(format!(
        "https://self-service-api.{environment}/api/v1/auth/login/{application}"
    ))
}

/// Whether the API at this host has pages of its own on which a person signs in: `is_login_page` says which.
#[must_use]
pub fn has_login_pages(host: &str) -> bool {
    managed_api(host) == Some(ManagedApi::SelfService) && host.ends_with(DOMAIN)
}

/// Whether the path is one of the pages on which a person signs in, of today's platform or of the older one. *Get
/// Token* in the API's `/docs` leads there.
#[must_use]
pub fn is_login_page(path: &str) -> bool {
    let below = path
        .strip_prefix("/api/v1/auth/login")
        .or_else(|| path.strip_prefix("/api/v1/login"));
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The environment in the host name of an API: `dev`, `test`, `stage` or `prod` in `self-service-api.dev-example.…`.
#[must_use]
pub fn environment_of_host(host: &str) -> Option<&str> {
    let (environment, _) = host.split('.').nth(1)?.split_once('-')?;
    ["dev", "test", "stage", "prod"]
        .contains(&environment)
        .then_some(environment)
}

/// The roles in the claim `groups`, or the problem with the claim and its remedy.
///
/// # Errors
/// The claim is not an array of strings, or is empty.
pub fn roles_in_groups(claim: Option<&Value>) -> Result<Vec<String>, (String, Remedy)> {
    let expression = "write the value of the attribute groups as an expression: {\"dev-tls-admin\"}, with straight quotes";
    let problem = match claim {
        None => {
            let remedy = Remedy::new("add the attribute groups to the resource");
            return Err((
                "the token has no claim groups".to_owned(),
                remedy.at(SetupStep::Attributes),
            ));
        }
        Some(Value::Array(roles)) if roles.is_empty() => "the claim groups is empty".to_owned(),
        Some(Value::Array(roles)) => {
            let names: Option<Vec<String>> = roles
                .iter()
                .map(|role| role.as_str().map(str::to_owned))
                .collect();
            match names {
                Some(names) => return Ok(names),
                None => "the claim groups is an array, but not of strings".to_owned(),
            }
        }
        Some(Value::String(text)) => {
            let reason = if text.contains(['\u{201c}', '\u{201d}', '\u{201e}']) {
                "entered with curly quotes"
            } else {
                "entered as plain text"
            };
            format!(
                "the claim groups is one string, {reason}, instead of an array, and most likely grants nothing ({})",
                excerpt(text, LONGEST)
            )
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            "the claim groups is not an array of strings".to_owned()
        }
    };
    Err((problem, Remedy::new(expression).at(SetupStep::Attributes)))
}

/// The roles that are valid for this API in this environment.
#[must_use]
pub fn matching_roles(roles: &[String], api: ManagedApi, environment: &str) -> Vec<String> {
    let matches = |role: &&String| {
        if api == ManagedApi::SelfService && *role == "all-ss-admin" {
            return true;
        }
        role.split_once('-')
            .filter(|(scope, _)| [environment, "all"].contains(scope))
            .and_then(|(_, rest)| rest.strip_prefix(infix(api)))
            .is_some_and(|rest| rest.starts_with('-'))
    };
    roles.iter().filter(matches).cloned().collect()
}

/// Whether a role only allows reading.
#[must_use]
pub fn is_read_only_role(role: &str) -> bool {
    role.ends_with("-audit")
}

/// What to do if no role is valid for this API in this environment.
#[must_use]
pub fn missing_role(api: ManagedApi, environment: &str) -> Remedy {
    Remedy::new(format!(
        "add a role such as {environment}-{}-admin, or correct upstream.url",
        infix(api)
    ))
    .at(SetupStep::Attributes)
}

/// What to do if the API answers 403 because the roles are not sufficient.
#[must_use]
pub fn insufficient_role() -> Remedy {
    Remedy::new(
        "the roles in the token are not sufficient: add a role for this environment, such as dev-tls-admin",
    )
    .at(SetupStep::Attributes)
}

/// What to do if the API answers 401 to a token that was issued a moment ago.
#[must_use]
pub fn rejected_token(has_no_roles: bool) -> Vec<Remedy> {
    let mut remedies = vec![
        Remedy::new("ask the operators of the Advanced Services environment to connect it")
            .at(SetupStep::Connected)
            .for_cause(
                "the PingOne environment is not connected to this Advanced Services environment",
            ),
        Remedy::new("use the environment or the domain with which it is connected (token.pingone)")
            .for_cause(
                "it is connected under another issuer: another environment, or its custom domain",
            ),
    ];
    if has_no_roles {
        remedies.push(
            Remedy::new("correct the groups first, see the check of the token's groups")
                .at(SetupStep::Attributes)
                .for_cause(
                    "the token has no roles, which some versions of the API answer with 401",
                ),
        );
    }
    remedies
}

/// What stands between environment and permission in the name of a role for this API.
const fn infix(api: ManagedApi) -> &'static str {
    match api {
        ManagedApi::SelfService => "tls",
        ManagedApi::PingAccess => "pa",
        ManagedApi::PingFederate => "pf",
    }
}
