//! A PingOne authorization server, recognised by the form of its address: what can be said about it.

use url::Url;

use super::remedy::Remedy;

/// The authorization server of a PingOne environment.
///
/// It is recognised by the path alone, so that a simulated one on loopback is recognised too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingOneServer {
    /// The issuer.
    pub issuer: String,
    /// The environment id in the path; `None` for a custom domain.
    pub environment_id: Option<String>,
    /// The top-level domain of the region; `None` for a custom domain.
    pub region: Option<String>,
}

impl PingOneServer {
    /// Reads the address of a token endpoint (`…/as/token`) or an issuer (`…/as`). `None` for any other server.
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        let issuer = address.strip_suffix("/token").unwrap_or(address);
        if !issuer.ends_with("/as") {
            return None;
        }
        let url = Url::parse(issuer).ok()?;
        let first = url.path_segments()?.next()?;
        let region = url.host_str()?.strip_prefix("auth.pingone.");
        Some(Self {
            issuer: issuer.to_owned(),
            environment_id: (first != "as").then(|| first.to_owned()),
            region: region.map(str::to_owned),
        })
    }

    /// In words, if the environment is named by its id.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let id = self.environment_id.as_ref()?;
        Some(match &self.region {
            Some(region) => format!("environment {id} in region {region}"),
            None => format!("environment {id}"),
        })
    }

    /// What to do if the server answers 404 to a request for the metadata of this environment.
    #[must_use]
    pub fn unknown_environment(&self) -> Vec<Remedy> {
        match (&self.environment_id, &self.region) {
            (Some(id), Some(region)) => vec![
                Remedy::new(
                    "copy the id from the application's Token Endpoint in the console (Configuration tab)",
                )
                .for_cause(format!("there is no environment {id}")),
                Remedy::new(
                    "set token.pingone.region to what follows auth.pingone. in that Token Endpoint",
                )
                .for_cause(format!(
                    "the environment is in another region than {region}"
                )),
            ],
            (Some(id), None) => vec![Remedy::new(format!(
                "check whether {id} is the environment id: compare with the application's Token Endpoint in the console"
            ))],
            (None, _) => vec![Remedy::new(
                "check whether this is the custom domain of the environment",
            )],
        }
    }

    /// What to do if the server at the address does not seem to be PingOne.
    #[must_use]
    pub fn wrong_address() -> Remedy {
        Remedy::new(
            "compare the address with the Token Endpoint in the console (Applications > the application > Configuration)",
        )
    }
}
