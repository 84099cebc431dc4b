//! The subject alternative names of a certificate. The common name is not one of them.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The names that a certificate was issued for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateNames {
    uris: Vec<String>,
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
    /// Two URIs, one of them a SPIFFE ID. An identity document of SPIFFE has exactly one URI (X509-SVID section 2), so
    /// none of the names counts, of whichever kind.
    is_ambiguous: bool,
}

impl CertificateNames {
    /// Those of `certificate`. None at all if it, or its list of names, cannot be parsed.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut names = Self::default();
        let Ok(certificate) = x509_cert::Certificate::from_der(certificate) else {
            return names;
        };
        let listed = certificate.tbs_certificate().get_extension();
        let Ok(Some((_, SubjectAltName(listed)))) = listed else {
            return names;
        };
        for name in listed {
            match name {
                GeneralName::UniformResourceIdentifier(uri) => names.uris.push(uri.to_string()),
                GeneralName::DnsName(name) => names.dns.push(name.to_string()),
                GeneralName::IpAddress(bytes) => names.addresses.extend(address(bytes.as_bytes())),
                _ => {} // nobody is named by it
            }
        }
        names.is_ambiguous = names.uris.len() > 1 && names.uris.iter().any(|uri| is_spiffe(uri));
        names
    }

    /// Whether this URI is among the names.
    #[must_use]
    pub fn has_uri(&self, uri: &str) -> bool {
        !self.is_ambiguous && self.uris.iter().any(|own| own == uri)
    }

    /// Whether this DNS name is among the names. A wildcard is no name.
    #[must_use]
    pub fn has_dns(&self, name: &str) -> bool {
        !self.is_ambiguous && self.dns.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether this address is among the names.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        !self.is_ambiguous && self.addresses.contains(&address)
    }

    /// The URIs, for an error, even if none of them counts.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.uris
    }
}

/// Whether two certificates were issued to the same holder by the same authority, so that one can renew the other: they
/// have the same issuer, subject and names, and at least one of the two latter.
#[must_use]
pub fn has_same_holder(one: &CertificateDer<'_>, other: &CertificateDer<'_>) -> bool {
    let parsed = |der| x509_cert::Certificate::from_der(der).ok();
    let (Some(one), Some(other)) = (parsed(one), parsed(other)) else {
        return false;
    };
    let (one, other) = (one.tbs_certificate(), other.tbs_certificate());
    let names = |of: &TbsCertificate| of.get_extension::<SubjectAltName>().ok().flatten();
    one.issuer() == other.issuer()
        && one.subject() == other.subject()
        && names(one) == names(other)
        && (names(one).is_some() || !one.subject().is_empty())
}

fn is_spiffe(uri: &str) -> bool {
    let scheme = uri.split(':').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe"))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}
