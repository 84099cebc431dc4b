//! The errors of PingOne's token endpoint: which setting each one points to.

use http::StatusCode;

use super::remedy::Remedy;
use super::setup_guide::SetupStep;

/// Why PingOne's token endpoint rejected a request.
///
/// An answer that does not tell several causes apart is one variant, and has a remedy for each cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEndpointRejection {
    /// Another Token Endpoint Auth Method is selected.
    AuthMethod,
    /// The application is a Worker without role assignments.
    Worker,
    /// The scopes belong to more than one resource.
    MultipleResources,
    /// No scope can be granted.
    NoScope,
    /// Client id or secret is wrong, or the application is disabled.
    Credentials,
    /// The application may not use the client credentials grant.
    GrantType,
    /// There is no such environment in this region.
    UnknownEnvironment,
    /// Any other error.
    Other,
}

/// The part of the configuration that a remedy refers to.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings<'a> {
    /// The key that names the client's secret or private key.
    pub credential_key: &'a str,
    /// The value of `token.auth`.
    pub auth_method: &'a str,
    /// The value of `token.scope`.
    pub scope: Option<&'a str>,
    /// The environment id, if the configuration names the token endpoint by it.
    pub environment_id: Option<&'a str>,
}

impl TokenEndpointRejection {
    /// Classifies an error response (RFC 6749 5.2).
    ///
    /// One `error` code stands for several mistakes, which only the description tells apart, so the description is
    /// checked first. PingOne may change descriptions, codes and statuses; what is not recognised is
    /// [`Other`](Self::Other), or what the code means by itself.
    #[must_use]
    pub fn classify(status: StatusCode, code: &str, description: &str) -> Self {
        const DESCRIPTIONS: [(&str, TokenEndpointRejection); 4] = [
            (
                "unsupported authentication method",
                TokenEndpointRejection::AuthMethod,
            ),
            ("role assignments", TokenEndpointRejection::Worker),
            (
                "multiple resources",
                TokenEndpointRejection::MultipleResources,
            ),
            ("at least one scope", TokenEndpointRejection::NoScope),
        ];
        let description = description.to_ascii_lowercase();
        let described = DESCRIPTIONS
            .into_iter()
            .find(|(part, _)| description.contains(part));
        if let Some((_, rejection)) = described {
            return rejection;
        }
        match (code, status) {
            ("invalid_client", _) => Self::Credentials,
            ("invalid_scope", _) => Self::NoScope,
            ("unauthorized_client" | "unsupported_grant_type", _) => Self::GrantType,
            ("NOT_FOUND", _) | (_, StatusCode::NOT_FOUND) => Self::UnknownEnvironment,
            (_, StatusCode::UNAUTHORIZED) => Self::Credentials,
            _ => Self::Other,
        }
    }

    /// What to do; several remedies if the causes cannot be told apart.
    #[must_use]
    pub fn remedies(self, client: &ClientSettings<'_>) -> Vec<Remedy> {
        match self {
            Self::AuthMethod => vec![
                Remedy::new(format!(
                    "the application's Token Endpoint Auth Method is not {}: select that method there, or set token.auth to \
                     the method that is selected there",
                    client.auth_method
                ))
                .at(SetupStep::Configuration),
            ],
            Self::Worker => vec![
                Remedy::new(
                    "the application is a Worker: add an application of the type OIDC Web App and use its client id and secret",
                )
                .at(SetupStep::Application),
            ],
            Self::MultipleResources => vec![multiple_resources(client.scope)],
            Self::NoScope => no_scope(client.scope),
            Self::Credentials => credentials(client.credential_key),
            Self::GrantType => vec![
                Remedy::new(
                    "the application may not use this grant: select Grant Type Client Credentials and Response Type none there",
                )
                .at(SetupStep::Configuration),
            ],
            Self::UnknownEnvironment => unknown_environment(client.environment_id),
            Self::Other => vec![Remedy::new(
                "compare the application with the steps of docs/setup-pingone.md; PingOne's support can look up the \
                 correlation id",
            )],
        }
    }
}

/// PingOne sends the same answer for all three, so that nobody can find out which client ids exist.
fn credentials(key: &str) -> Vec<Remedy> {
    vec![
        Remedy::new(
            "copy the Client ID from there to token.client_id, and compare the environment id in the Token Endpoint there",
        )
        .at(SetupStep::Configuration)
        .for_cause("the client id does not belong to this environment"),
        Remedy::new(format!("copy the secret from there to where {key} points"))
            .at(SetupStep::Configuration)
            .for_cause("the secret is wrong, or has been replaced there"),
        Remedy::new("enable it")
            .at(SetupStep::Toggle)
            .for_cause("the application is disabled"),
    ]
}

fn no_scope(scope: Option<&str>) -> Vec<Remedy> {
    let add = Remedy::new("add the scope of step 3 to the application").at(SetupStep::Resources);
    match scope {
        None => vec![add],
        Some(scope) => vec![
            add.for_cause("the scope was not granted to the application"),
            Remedy::new(
                "write it as it is spelled there, or omit token.scope to get all scopes of the only resource",
            )
            .at(SetupStep::Scopes)
            .for_cause(format!("token.scope ({scope}) is misspelled")),
        ],
    }
}

fn multiple_resources(scope: Option<&str>) -> Remedy {
    let action = match scope {
        None => {
            "the application has scopes of two resources: set token.scope to the scopes of one, or remove those of the other \
             there"
        }
        Some(_) => "token.scope contains scopes of two resources: keep those of one",
    };
    Remedy::new(action).at(SetupStep::Resources)
}

fn unknown_environment(id: Option<&str>) -> Vec<Remedy> {
    let compare = "compare the address with the application's Token Endpoint in the console (Configuration tab)";
    match id {
        Some(id) => vec![
            Remedy::new(
                "copy the id from the application's Token Endpoint in the console (Configuration tab)",
            )
            .for_cause(format!("there is no environment {id}")),
            Remedy::new(compare).for_cause("the environment is in another region"),
        ],
        None => vec![Remedy::new(compare)],
    }
}
