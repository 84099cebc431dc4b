//! The data of the API: certificates and the hostnames that use them, in memory.

use serde::Serialize;

/// A named certificate chain. Its private key is not kept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Certificate {
    pub(super) name: String,
    pub(super) fullchain: String,
}

/// A hostname of a product, and the certificate that it uses.
#[derive(Debug, Clone, Serialize)]
#[allow(
    clippy::struct_field_names,
    reason = "the API calls its member hostname"
)]
pub(super) struct Hostname {
    pub(super) hostname: String,
    pub(super) product: String,
    pub(super) certname: String,
}

/// Why a change was rejected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InventoryError {
    /// The certificate or hostname does not exist.
    NotFound(&'static str),
    /// The name is already in use, or a hostname still uses the certificate.
    Conflict(&'static str),
}

/// Both lists, in the order of creation.
#[derive(Debug)]
pub(super) struct Inventory {
    certificates: Vec<Certificate>,
    hostnames: Vec<Hostname>,
}

impl Inventory {
    /// Two certificates and a hostname, so that the first GET returns something.
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

    pub(super) fn add_certificate(
        &mut self,
        certificate: Certificate,
    ) -> Result<(), InventoryError> {
        if self.has_certificate(&certificate.name) {
            return Err(InventoryError::Conflict(
                "A certificate with this name already exists.",
            ));
        }
        self.certificates.push(certificate);
        Ok(())
    }

    /// With `force`, hostnames that use the certificate are deleted too.
    pub(super) fn delete_certificate(
        &mut self,
        name: &str,
        force: bool,
    ) -> Result<(), InventoryError> {
        if !self.has_certificate(name) {
            return Err(InventoryError::NotFound("Certificate not found."));
        }
        if !force
            && self
                .hostnames
                .iter()
                .any(|hostname| hostname.certname == name)
        {
            return Err(InventoryError::Conflict(
                "A hostname uses this certificate.",
            ));
        }
        self.certificates
            .retain(|certificate| certificate.name != name);
        self.hostnames.retain(|hostname| hostname.certname != name);
        Ok(())
    }

    pub(super) fn add_hostname(&mut self, hostname: Hostname) -> Result<(), InventoryError> {
        if !self.has_certificate(&hostname.certname) {
            return Err(InventoryError::NotFound("Certificate not found."));
        }
        if self
            .hostnames
            .iter()
            .any(|other| other.hostname == hostname.hostname)
        {
            return Err(InventoryError::Conflict("This hostname already exists."));
        }
        self.hostnames.push(hostname);
        Ok(())
    }

    pub(super) fn delete_hostname(&mut self, hostname: &str) -> Result<(), InventoryError> {
        let before = self.hostnames.len();
        self.hostnames.retain(|other| other.hostname != hostname);
        if self.hostnames.len() == before {
            return Err(InventoryError::NotFound("Hostname not found."));
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
