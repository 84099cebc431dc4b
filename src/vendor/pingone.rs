//! PingOne and PingOne Advanced Services: regions, token endpoints, and what an administrator copies from
//! the console.

use rustls::pki_types::DnsName;
use url::{Host, Url};

use super::VendorRejection;
use super::remedy::Remedy;
use crate::text::quoted;

/// What to paste when something else was pasted.
const PASTE_TOKEN_ENDPOINT: &str =
    "paste the application's Token Endpoint, https://auth.pingone.…/<environment id>/as/token";

/// The regions, by their top-level domains and by their names in the console.
const REGIONS: [(&str, &str); 6] = [
    ("com", "NA"),
    ("ca", "CA"),
    ("eu", "EU"),
    ("com.au", "AU"),
    ("sg", "SG"),
    ("asia", "AP"),
];

/// A region, by its top-level domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(&'static str);

impl Region {
    /// Reads either name of a region, in any case.
    ///
    /// # Errors
    /// There is no such region.
    pub fn parse(text: &str) -> Result<Self, VendorRejection> {
        REGIONS
            .into_iter()
            .find(|(tld, name)| text.eq_ignore_ascii_case(tld) || text.eq_ignore_ascii_case(name))
            .map(|(tld, _)| Self(tld))
            .ok_or_else(|| {
                VendorRejection::new(
                    format!("{} is not a PingOne region", quoted(text)),
                    "write com, ca, eu, com.au, sg or asia (or NA, CA, EU, AU, SG, AP)",
                )
            })
    }

    /// The top-level domain, which is also what `token.pingone.region` is best set to.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Where an environment issues tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PingOneEndpoint {
    /// `https://auth.pingone.<tld>/<environment id>/as/token`.
    Environment {
        /// Where the environment is hosted.
        region: Region,
        /// A UUID in lower case.
        environment_id: String,
    },
    /// `https://<domain>/as/token`: a custom domain has no environment id in its path.
    Domain(String),
}

impl PingOneEndpoint {
    /// From a custom domain.
    ///
    /// # Errors
    /// It is not a domain name, or more than one.
    pub fn of_domain(domain: &str) -> Result<Self, VendorRejection> {
        let is_plain = domain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        match Url::parse(&format!("https://{domain}/")) {
            Ok(url) if is_plain && is_dns_name(&url) => {
                Ok(Self::Domain(url.host_str().unwrap_or(domain).to_owned()))
            }
            Ok(_) | Err(_) => Err(VendorRejection::new(
                format!("{} is not a domain name", quoted(domain)),
                "write the name only: \"auth.example.com\"",
            )),
        }
    }

    /// From any address at the authorization server, if it is PingOne's: `None` for every other server.
    ///
    /// # Errors
    /// The address is PingOne's, and does not say which environment is meant.
    pub fn of_address(url: &Url) -> Option<Result<Self, VendorRejection>> {
        let host = url.host_str()?;
        if is_own_host(host) {
            return Some(Self::of_own_host(host, url.path()));
        }
        if managed_api(host).is_some() {
            return Some(Err(VendorRejection::new(
                format!("{host} is the API, not the authorization server"),
                "paste the application's Token Endpoint",
            )));
        }
        if url.path() != "/as/token" || url.port().is_some() {
            return None;
        }
        Self::of_domain(host).ok().map(Ok)
    }

    fn of_own_host(host: &str, path: &str) -> Result<Self, VendorRejection> {
        let Some(tld) = host.strip_prefix("auth.pingone.") else {
            // The console's own address may name the administrator's environment, not the application's.
            return Err(VendorRejection::new(
                format!("{host} is not a Token Endpoint"),
                PASTE_TOKEN_ENDPOINT,
            ));
        };
        let Some((tld, _)) = REGIONS.into_iter().find(|(region, _)| *region == tld) else {
            return Err(VendorRejection::new(
                format!("{tld} is not a PingOne region"),
                "com, ca, eu, com.au, sg or asia",
            ));
        };
        let first = path.trim_start_matches('/').split('/').next();
        match environment_id(first.unwrap_or_default()) {
            Ok(environment_id) => Ok(Self::Environment {
                region: Region(tld),
                environment_id,
            }),
            Err(_) => Err(VendorRejection::new(
                "there is no environment id in its path",
                PASTE_TOKEN_ENDPOINT,
            )),
        }
    }

    /// The token endpoint.
    ///
    /// # Panics
    /// Never: every variant makes a URL.
    #[must_use]
    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("{}/token", self.issuer()))
            .expect("a known top-level domain and a UUID, or a domain name, make a URL")
    }

    /// The issuer: the token endpoint without its last segment.
    #[must_use]
    pub fn issuer(&self) -> String {
        match self {
            Self::Environment {
                region,
                environment_id,
            } => format!("https://auth.pingone.{}/{environment_id}/as", region.0),
            Self::Domain(domain) => format!("https://{domain}/as"),
        }
    }

    /// In words, for a person to confirm.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Environment {
                region,
                environment_id,
            } => format!("PingOne, region {}, environment {environment_id}", region.0),
            Self::Domain(domain) => format!("PingOne with the custom domain {domain}"),
        }
    }

    /// Checks a client id of an application in this environment.
    ///
    /// # Errors
    /// It cannot be one; an easy mistake is to copy the environment's id.
    pub fn client_id(&self, text: &str) -> Result<String, VendorRejection> {
        let Self::Environment { environment_id, .. } = self else {
            return Ok(text.to_owned());
        };
        match self::environment_id(text) {
            Ok(id) if id == *environment_id => Err(VendorRejection::new(
                "that is the environment's id",
                "copy the application's Client ID, which is a different one",
            )),
            Ok(id) => Ok(id),
            Err(_) => Err(VendorRejection::new(
                format!(
                    "{} is not a UUID, as PingOne's client ids are",
                    quoted(text)
                ),
                "copy the application's Client ID",
            )),
        }
    }
}

/// Whether the host is a name that DNS can have, which TLS requires.
fn is_dns_name(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => DnsName::try_from(name).is_ok(),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
    }
}

/// An environment's id, in lower case: a UUID, which is 8-4-4-4-12 hexadecimal digits.
///
/// # Errors
/// It is not one.
pub fn environment_id(text: &str) -> Result<String, VendorRejection> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    let is_uuid = groups.iter().map(|group| group.len()).eq(GROUPS)
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_uuid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(VendorRejection::new(
        format!("{} is not an environment id", quoted(text)),
        "write the UUID that the console's Environment page shows",
    ))
}

/// Whether this host is one of PingOne's own, such as the console's or the authorization server's.
#[must_use]
pub fn is_own_host(host: &str) -> bool {
    let labels: Vec<&str> = host.rsplit('.').collect();
    matches!(
        labels.as_slice(),
        [_, "pingone", ..] | ["au", "com", "pingone", ..]
    )
}

/// The largest head of a request that a server of PingOne's own accepts, in bytes, if this host is one.
#[must_use]
pub fn head_limit(host: &str) -> Option<usize> {
    is_own_host(host).then_some(6 << 10)
}

/// What to do if PingOne answers 429, besides waiting as `wait` says.
#[must_use]
pub fn rate_limited(wait: &str) -> Vec<Remedy> {
    vec![
        Remedy::new(format!(
            "{wait}; look for a program that requests tokens in a loop"
        ))
        .for_cause("all applications of the license share its rate limit"),
        Remedy::new(
            "use fewer processes there, or have the address put on PingOne's list of server-sourced traffic",
        )
        .for_cause(
            "a single IP address gets 35 % of that limit, which everything behind the same NAT shares, such as all pods \
             of a cluster",
        ),
    ]
}

/// An API of PingOne Advanced Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedApi {
    /// The self-service API.
    SelfService,
    /// `PingAccess`'s administrative API.
    PingAccess,
    /// `PingFederate`'s administrative API.
    PingFederate,
}

impl ManagedApi {
    /// The `X-XSRF-Header` that every request to this API must carry, if it wants one.
    #[must_use]
    pub const fn xsrf_header(self) -> Option<&'static str> {
        match self {
            Self::SelfService => None,
            Self::PingAccess => Some("PingAccess"),
            Self::PingFederate => Some("PingFederate"),
        }
    }
}

/// Which API of PingOne Advanced Services a host is, by the first label of its name.
#[must_use]
pub fn managed_api(host: &str) -> Option<ManagedApi> {
    match host.split('.').next() {
        Some("self-service-api") => Some(ManagedApi::SelfService),
        Some("pingaccess-admin-api") => Some(ManagedApi::PingAccess),
        Some("pingfederate-admin-api") => Some(ManagedApi::PingFederate),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests;
