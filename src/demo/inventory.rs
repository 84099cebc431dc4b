//! What the API administers: certificates and the hostnames that use them, in memory.

use serde::Serialize;

/// A certificate chain by name. Its private key was looked at when it came and is not kept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Certificate {
    pub(super) name: String,
    pub(super) fullchain: String,
}

/// A hostname of a product, served with a certificate.
#[derive(Debug, Clone, Serialize)]
#[allow(clippy::struct_field_names, reason = "the API's member is called that")]
pub(super) struct Hostname {
    pub(super) hostname: String,
    pub(super) product: String,
    pub(super) certname: String,
}

/// Why a change was not made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such thing.
    Unknown(&'static str),
    /// It exists already, or something else still uses it.
    Taken(&'static str),
}

/// Both lists, in the order of arrival.
#[derive(Debug)]
pub(super) struct Inventory {
    certificates: Vec<Certificate>,
    hostnames: Vec<Hostname>,
}

impl Inventory {
    /// Two certificates and a hostname, so that the first GET shows something.
    pub(super) fn seeded() -> Self {
        let certificate = |name: &str, fullchain: &str| Certificate {
            name: name.to_owned(),
            fullchain: fullchain.to_owned(),
        };
        Self {
            certificates: vec![
                certificate("wildcard", include_str!("seed/wildcard.pem")),
                certificate("login", include_str!("seed/login.pem")),
            ],
            hostnames: vec![Hostname {
                hostname: "login.dev-example.test".to_owned(),
                product: "pingfederate".to_owned(),
                certname: "login".to_owned(),
            }],
        }
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    pub(super) fn hostnames(&self) -> &[Hostname] {
        &self.hostnames
    }

    pub(super) fn add_certificate(&mut self, certificate: Certificate) -> Result<(), Refused> {
        if self.has_certificate(&certificate.name) {
            return Err(Refused::Taken("A certificate of this name exists."));
        }
        self.certificates.push(certificate);
        Ok(())
    }

    /// With `force`, the hostnames that use the certificate go too.
    pub(super) fn delete_certificate(&mut self, name: &str, force: bool) -> Result<(), Refused> {
        if !self.has_certificate(name) {
            return Err(Refused::Unknown("Certificate not found."));
        }
        if !force
            && self
                .hostnames
                .iter()
                .any(|hostname| hostname.certname == name)
        {
            return Err(Refused::Taken("A hostname uses this certificate."));
        }
        self.certificates
            .retain(|certificate| certificate.name != name);
        self.hostnames.retain(|hostname| hostname.certname != name);
        Ok(())
    }

    pub(super) fn add_hostname(&mut self, hostname: Hostname) -> Result<(), Refused> {
        if !self.has_certificate(&hostname.certname) {
            return Err(Refused::Unknown("Certificate not found."));
        }
        if self
            .hostnames
            .iter()
            .any(|other| other.hostname == hostname.hostname)
        {
            return Err(Refused::Taken("This hostname exists."));
        }
        self.hostnames.push(hostname);
        Ok(())
    }

    pub(super) fn delete_hostname(&mut self, hostname: &str) -> Result<(), Refused> {
        let before = self.hostnames.len();
        self.hostnames.retain(|other| other.hostname != hostname);
        if self.hostnames.len() == before {
            return Err(Refused::Unknown("Hostname not found."));
        }
        Ok(())
    }

    fn has_certificate(&self, name: &str) -> bool {
        self.certificates
            .iter()
            .any(|certificate| certificate.name == name)
    }
}

#[cfg(test)]
mod tests;
