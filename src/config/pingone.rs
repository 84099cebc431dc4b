//! The token endpoint from what the vendor's console shows. The only place that knows the vendor,
//! but for its rows in the table of keys.

use url::{Host, Url};

use super::problems::{InvalidValue, quoted};

/// `https://auth.pingone.<tld>/<environment id>/as/token`.
pub(crate) fn endpoint(tld: &str, environment_id: &str) -> Url {
    Url::parse(&format!(
        "https://auth.pingone.{tld}/{environment_id}/as/token"
    ))
    .expect("a known top-level domain and a UUID make a URL")
}

/// `https://<domain>/as/token`: a custom domain has no environment id in its path.
pub(crate) fn endpoint_of_domain(domain: &str) -> Result<Url, InvalidValue> {
    let complaint = || {
        (
            format!("{} is no domain name", quoted(domain)),
            "write the name only: \"auth.example.com\"",
        )
    };
    let is_plain = domain
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let url = Url::parse(&format!("https://{domain}/as/token")).map_err(|_| complaint())?;
    match url.host() {
        Some(Host::Domain(_)) if is_plain => Ok(url),
        Some(_) | None => Err(complaint().into()),
    }
}

/// The issuer of an endpoint that was derived here: the same up to `/as`.
pub(crate) fn issuer(endpoint: &Url) -> String {
    let text = endpoint.as_str();
    text.strip_suffix("/token").unwrap_or(text).to_owned()
}

/// Whether this host is one of the vendor's own, the console's among them.
pub(crate) fn is_own_host(host: &str) -> bool {
    let labels: Vec<&str> = host.rsplit('.').collect();
    matches!(
        labels.as_slice(),
        [_, "pingone", ..] | ["au", "com", "pingone", ..]
    )
}

/// The region of `auth.pingone.<tld>`.
pub(crate) fn region_of_host(host: &str) -> Option<&'static str> {
    const REGIONS: [&str; 6] = ["com", "ca", "eu", "com.au", "sg", "asia"];
    let tld = host.strip_prefix("auth.pingone.")?;
    REGIONS.into_iter().find(|region| *region == tld)
}

/// The fixed `X-XSRF-Header` that an administrative API beside the self-service one wants.
pub(crate) fn xsrf_header(host: &str) -> Option<&'static str> {
    match host.split('.').next() {
        Some("pingaccess-admin-api") => Some("PingAccess"),
        Some("pingfederate-admin-api") => Some("PingFederate"),
        Some(_) | None => None,
    }
}

/// The top-level domain of a region, by its own name or by the console's.
pub(crate) fn tld(region: &str) -> Result<&'static str, InvalidValue> {
    match region.to_ascii_lowercase().as_str() {
        "com" | "na" => Ok("com"),
        "ca" => Ok("ca"),
        "eu" => Ok("eu"),
        "com.au" | "au" => Ok("com.au"),
        "sg" => Ok("sg"),
        "asia" | "ap" => Ok("asia"),
        _ => Err((
            format!("{} is no region", quoted(region)),
            "write com, ca, eu, com.au, sg or asia (or NA, CA, EU, AU, SG, AP)",
        )
            .into()),
    }
}

/// A UUID: 8-4-4-4-12 hexadecimal digits.
pub(crate) fn environment_id(text: &str) -> Result<String, InvalidValue> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    let fits = groups.iter().map(|group| group.len()).eq(GROUPS)
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if fits {
        return Ok(text.to_ascii_lowercase());
    }
    Err((
        format!("{} is no environment id", quoted(text)),
        "write the UUID that the console's Environment page shows",
    )
        .into())
}

#[cfg(test)]
mod tests;
