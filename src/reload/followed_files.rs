//! Which files a configuration depends on, besides those that are followed elsewhere.

use std::path::PathBuf;

use super::file_watch::MAX_FILE_BYTES;
use crate::config::{Config, KeyDigests, Loaded};
use crate::credentials::{CertificateFiles, read_regular};

/// The configuration file, and the files that it names, except those that other tasks follow.
pub(super) fn files_of(loaded: &Loaded) -> Vec<PathBuf> {
    let own = loaded.file.clone();
    own.into_iter()
        .chain(
            named_files(&loaded.config)
                .into_iter()
                .map(|(_, file)| file),
        )
        .collect()
}

/// All of `files`, and those of `others` that are not among them.
pub(super) fn union(files: &[PathBuf], others: &[PathBuf]) -> Vec<PathBuf> {
    let more = others.iter().filter(|other| !files.contains(other));
    files.iter().chain(more).cloned().collect()
}

/// The files to follow, each with its key. The token's client certificate is read again for each attempt, and secrets
/// and callers' keys are followed elsewhere.
fn named_files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let authorities = config.network.ca_file.clone();
    let mut named: Vec<_> = authorities
        .map(|file| ("network.ca_file", file))
        .into_iter()
        .collect();
    let authorities = config
        .tls
        .as_ref()
        .and_then(|tls| tls.client_ca_file.clone());
    named.extend(authorities.map(|file| ("tls.client_ca_file", file)));
    let of_listener = config.tls.as_ref().map(|tls| &tls.certificate);
    let certificates = of_listener
        .into_iter()
        .chain(&config.upstream.client_certificate);
    for CertificateFiles {
        to,
        cert_file,
        key_file,
    } in certificates
    {
        named.push((to.cert_key(), cert_file.clone()));
        named.push((to.private_key_setting(), key_file.clone()));
    }
    named
}

/// The digests of a configuration and of the files that it names.
pub(super) fn with_contents(digests: &KeyDigests, config: &Config) -> KeyDigests {
    let mut settings = digests.clone();
    for (key, file) in named_files(config) {
        // A file that cannot be read is rejected later, where it is used.
        if let Ok(bytes) = read_regular(&file, MAX_FILE_BYTES) {
            settings.note_content(key, &bytes);
        }
    }
    settings
}
