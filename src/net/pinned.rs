//! A server certificate that `network.ca_file` contains itself.
//!
//! Many servers use a self-signed certificate that is also marked as a certificate authority, as `openssl req -x509`
//! makes it. The platform's verifier rejects an authority as a server's certificate. Where the file contains exactly
//! the certificate that the server presents, its owner has already decided to trust it, and only the name and the time
//! are left to check.

use std::net::IpAddr;

use rustls::CertificateError;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;

/// Checks the validity period and the name of a pinned certificate.
///
/// The common name counts if there is no subject alternative name. RFC 9525 section 2 no longer allows that, since the
/// common name of a public certificate may be anything; here, the certificate itself was chosen.
pub(super) fn check(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), CertificateError> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    check_time(&parsed, now)?;
    let rejected = match ParsedCertificate::try_from(certificate)
        .and_then(|certificate| verify_server_name(&certificate, name))
    {
        Ok(()) => return Ok(()),
        Err(rustls::Error::InvalidCertificate(rejected)) => rejected,
        Err(_) => CertificateError::BadEncoding,
    };
    let is_about_name = matches!(
        rejected,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    );
    let tbs = parsed.tbs_certificate();
    if !is_about_name || !matches!(tbs.get_extension::<SubjectAltName>(), Ok(None)) {
        return Err(rejected);
    }
    let Ok(Some(common_name)) = tbs.subject().common_name() else {
        return Err(rejected);
    };
    let common_name = common_name.value();
    if is_name_of(&common_name, name) {
        return Ok(());
    }
    Err(CertificateError::NotValidForNameContext {
        expected: name.to_owned(),
        presented: vec![common_name.into_owned()],
    })
}

fn check_time(certificate: &Certificate, now: UnixTime) -> Result<(), CertificateError> {
    let validity = certificate.tbs_certificate().validity();
    let not_before = UnixTime::since_unix_epoch(validity.not_before.to_unix_duration());
    let not_after = UnixTime::since_unix_epoch(validity.not_after.to_unix_duration());
    if now < not_before {
        return Err(CertificateError::NotValidYetContext {
            time: now,
            not_before,
        });
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext {
            time: now,
            not_after,
        });
    }
    Ok(())
}

/// Whether a common name is this host: the same name or address, or `*.` and all but the first label of the name.
fn is_name_of(common_name: &str, name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(host) => {
            let host = host.as_ref();
            common_name.eq_ignore_ascii_case(host)
                || common_name
                    .strip_prefix("*.")
                    .zip(host.split_once('.'))
                    .is_some_and(|(domain, (_, parent))| {
                        domain.contains('.') && domain.eq_ignore_ascii_case(parent)
                    })
        }
        ServerName::IpAddress(address) => common_name
            .parse()
            .is_ok_and(|common: IpAddr| common == IpAddr::from(*address)),
        _ => false, // rustls's own enum, which grows
    }
}

#[cfg(test)]
mod tests;
