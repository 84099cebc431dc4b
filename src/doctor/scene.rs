//! What the checks are about, read out of the configuration: whose authorization server, which API.
//!
//! The only place of this room that recognises the vendor.

use url::{Host, Url};

use crate::config::{Config, Endpoint, Origin};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The configuration as the checks see it.
pub(super) struct Scene<'a> {
    pub(super) config: &'a Config,
    /// Whether the authorization server is `PingOne`, so that the guide's steps apply.
    pub(super) is_pingone: bool,
    /// The issuer, where the configuration or the vendor's rule names it.
    pub(super) issuer: Option<String>,
    /// Which of the vendor's APIs the upstream is, by its host name.
    pub(super) api: Api,
    /// What the harmless GET is for.
    pub(super) path: String,
}

/// Which API the upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// The self-service API, or its stand-in on loopback.
    SelfService,
    /// `PingAccess`' administrative API.
    PingAccess,
    /// `PingFederate`'s administrative API.
    PingFederate,
    /// Any other.
    Other,
}

impl<'a> Scene<'a> {
    pub(super) fn of(config: &'a Config, path: Option<&str>) -> Self {
        let endpoint = config.token.endpoint.as_str();
        let of_vendor = endpoint.strip_suffix("/token").unwrap_or(endpoint);
        let is_pingone = of_vendor.ends_with("/as");
        let issuer = match &config.token.endpoint {
            Endpoint::Issuer { issuer, .. } => Some(issuer.clone()),
            Endpoint::Url(_) => is_pingone.then(|| of_vendor.to_owned()),
        };
        let api = api(&config.upstream.url, is_pingone);
        let usual = match api {
            Api::SelfService => "/api/v1/certificates",
            Api::PingAccess | Api::PingFederate | Api::Other => "/",
        };
        Self {
            config,
            is_pingone,
            issuer,
            api,
            path: path.unwrap_or(usual).to_owned(),
        }
    }

    /// Where the issuer's metadata is.
    pub(super) fn metadata(&self) -> Option<Url> {
        let issuer = self.issuer.as_ref()?.trim_end_matches('/');
        Url::parse(&format!("{issuer}{WELL_KNOWN}")).ok()
    }

    /// The environment id in the endpoint's path; a custom domain has none.
    pub(super) fn environment_id(&self) -> Option<String> {
        let url = Url::parse(self.issuer.as_ref()?).ok()?;
        let first = url.path_segments()?.next()?.to_owned();
        (self.is_pingone && first != "as").then_some(first)
    }

    /// The region's top-level domain, where the host is one of the vendor's.
    pub(super) fn region(&self) -> Option<String> {
        let url = Url::parse(self.config.token.endpoint.as_str()).ok()?;
        let tld = url.host_str()?.strip_prefix("auth.pingone.")?;
        Some(tld.to_owned())
    }

    /// `dev`, `test`, `stage` or `prod`, as the upstream's host name says it.
    pub(super) fn environment(&self) -> Option<&str> {
        let host = self.config.upstream.url.authority.host();
        let label = host.split('.').nth(1)?;
        let (environment, _) = label.split_once('-')?;
        ["dev", "test", "stage", "prod"]
            .contains(&environment)
            .then_some(environment)
    }
}

impl Api {
    /// The middle of the names of its roles.
    pub(super) const fn product(self) -> Option<&'static str> {
        match self {
            Self::SelfService => Some("tls"),
            Self::PingAccess => Some("pa"),
            Self::PingFederate => Some("pf"),
            Self::Other => None,
        }
    }

    /// The value of `X-XSRF-Header` that it wants on every request.
    pub(super) const fn fixed_header(self) -> Option<&'static str> {
        match self {
            Self::PingAccess => Some("PingAccess"),
            Self::PingFederate => Some("PingFederate"),
            Self::SelfService | Self::Other => None,
        }
    }
}

fn api(upstream: &Origin, is_pingone: bool) -> Api {
    let url = Url::parse(&format!("{}://{}/", upstream.scheme, upstream.authority)).ok();
    let host = url.as_ref().and_then(Url::host);
    let is_loopback = match &host {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => *name == "localhost",
        None => false,
    };
    if is_loopback && is_pingone {
        return Api::SelfService;
    }
    let text = upstream.authority.host();
    match text.split('.').next() {
        Some("self-service-api") => Api::SelfService,
        Some("pingaccess-admin-api") => Api::PingAccess,
        Some("pingfederate-admin-api") => Api::PingFederate,
        Some(_) | None => Api::Other,
    }
}
