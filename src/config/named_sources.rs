//! What a configuration names that must be readable: its secrets and files. It is known even where other keys are
//! invalid, so that all problems can be reported at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::guard::CallerConfig;
use super::token::RequestSource;
use crate::credentials::CertificateFiles;

/// The secrets and files of one configuration.
#[derive(Debug, Clone, Default)]
pub struct NamedSources {
    /// What token requests are made with.
    pub requests: Vec<RequestSource>,
    /// The program of `token.source`.
    pub token_program: Option<String>,
    /// The client certificates for the API and the token endpoint.
    pub certificates: Vec<CertificateFiles>,
    /// `network.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `tls.client_ca_file`.
    pub client_ca_file: Option<PathBuf>,
    /// The callers that have a key.
    pub callers: Vec<CallerConfig>,
    /// The variables that contain a secret.
    pub variables: Vec<String>,
    /// Where each key was set.
    pub(super) set_in: BTreeMap<String, String>,
}

impl NamedSources {
    /// Where a key was set.
    #[must_use]
    pub fn source_of(&self, key: &str) -> &str {
        self.set_in.get(key).map_or("default", String::as_str)
    }
}
