//! Credentials: secrets that cannot be printed, where they are read from, and certificates with their keys.
//!
//! From the bottom: `secret` is the type that holds one, and `secret_echo` recognizes one that a server repeats;
//! `process` keeps this process's memory and `child_process` its environment from others; `regular_file` reads files,
//! and `bounded_read` waits for that only for a bounded time; `keyring` reads the desktop's keyring; `secret_error`
//! says why there is no secret; `secret_command` runs a program that prints one; `secret_source` reads from any of
//! these; `pem` reads certificates from text; `certificate_files` reads a certificate and its private key.

mod bounded_read;
mod certificate_files;
mod child_process;
mod keyring;
mod pem;
mod process;
mod regular_file;
mod secret;
mod secret_command;
mod secret_echo;
mod secret_error;
mod secret_source;

pub use certificate_files::{CertificateFiles, CertificateFilesError, PresentedTo, not_after};
pub use child_process::{VARIABLE_PREFIX, withhold_private_variables, withhold_variable};
pub use keyring::{KeyringEntry, KeyringError};
pub use pem::{CertificateDefect, PemCertificates, PemDefect, pem_certificates};
pub use process::hide_process;
pub use regular_file::{FileError, read_regular};
pub use secret::Secret;
pub use secret_echo::SecretEcho;
pub use secret_error::SecretError;
pub use secret_source::SecretSource;
