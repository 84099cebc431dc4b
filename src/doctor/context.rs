//! What the checks need to know about the configuration: the authorization server, the API, and what to GET.

use url::Url;

use crate::config::{Config, Endpoint, is_loopback_origin};
use crate::token::metadata_addresses;
use crate::vendor::pingone::{ManagedApi, is_own_host, managed_api};
use crate::vendor::{PingOneServer, advanced_services};

/// The configuration as the checks see it.
pub(super) struct DoctorContext<'a> {
    pub(super) config: &'a Config,
    /// The authorization server, if it is `PingOne`.
    pub(super) pingone: Option<PingOneServer>,
    /// The issuer, if the configuration names it or it follows from the token endpoint.
    pub(super) issuer: Option<String>,
    /// The API, if it is one of `PingOne` Advanced Services.
    pub(super) api: Option<ManagedApi>,
    /// The path for the harmless GET.
    pub(super) path: String,
}

impl<'a> DoctorContext<'a> {
    pub(super) fn new(config: &'a Config, path: Option<&str>) -> Self {
        let endpoint = config.token.grant().map(|grant| &grant.endpoint);
        let pingone = endpoint.and_then(|endpoint| PingOneServer::at(endpoint.as_str()));
        let issuer = match endpoint {
            Some(Endpoint::Issuer { issuer, .. }) => Some(issuer.clone()),
            Some(Endpoint::Url(_)) => pingone.as_ref().map(|server| server.issuer.clone()),
            None => None,
        };
        let upstream = &config.upstream.url;
        let api = if pingone.is_some() && is_loopback_origin(upstream) {
            Some(ManagedApi::SelfService) // the demo's
        } else {
            managed_api(upstream.authority.host())
        };
        let path = path.unwrap_or_else(|| api.map_or("/", advanced_services::harmless_path));
        Self {
            config,
            pingone,
            issuer,
            api,
            path: path.to_owned(),
        }
    }

    /// The API, if it is one of `PingOne` Advanced Services and its tokens come from `PingOne`, or from a person who
    /// copies them there.
    pub(super) fn managed_api(&self) -> Option<ManagedApi> {
        let is_of_pingone = self.pingone.is_some() || self.config.token.sign_in().is_some();
        self.api.filter(|_| is_of_pingone)
    }

    /// Whether a person signs in, so that only the running proxy has a token.
    pub(super) fn has_person(&self) -> bool {
        self.config.token.sign_in().is_some() || self.config.token.login().is_some()
    }

    /// The URLs at which the issuer's metadata may be, as for a token request.
    pub(super) fn metadata(&self) -> Option<[Url; 2]> {
        metadata_addresses(self.issuer.as_deref()?)
    }

    /// Whether the API is one of `PingOne` itself.
    pub(super) fn is_api_of_pingone(&self) -> bool {
        is_own_host(self.config.upstream.url.authority.host())
    }

    /// The environment in the host name of the API.
    pub(super) fn environment(&self) -> Option<&str> {
        advanced_services::environment_of_host(self.config.upstream.url.authority.host())
    }
}
