//! Credentials: secrets that cannot be printed, where they are read from, and certificates with their keys.
//!
//! From the bottom: `secret` is the type that holds one, and `secret_echo` recognizes one that a server repeats;
//! `process` keeps this process's memory and `child_process` its environment from others; `regular_file` reads files,
//! and `bounded_read` waits for that only for a bounded time; `keyring` reads the desktop's keyring; `secret_error`
//! says why there is no secret; `program` finds a program, and `secret_command` runs one that prints a secret, of
//! whose standard error `stderr_line` shows the last line, without what `named_values` cuts; `secret_source` reads
//! from any of these, and `dated_file` reads a file with its time; `pem` reads certificates from
//! text, and `certificate_defect` says why one cannot be used;
//! `certificate_files` reads a certificate and its private key; `certificate_names` reads the names in one;
//! `private_file` is a file that only this user can read, and `lock_file` a lock that processes of one user share.

mod bounded_read;
mod certificate_defect;
mod certificate_files;
mod certificate_names;
mod child_process;
mod dated_file;
mod keyring;
mod lock_file;
mod named_values;
mod pem;
mod private_file;
mod process;
mod program;
mod regular_file;
mod secret;
mod secret_command;
mod secret_echo;
mod secret_error;
mod secret_source;
mod stderr_line;

#[cfg(test)]
pub(crate) use bounded_read::hanging::HangingFile;
pub use bounded_read::{FILE_TIMEOUT, read_within};
pub use certificate_defect::CertificateDefect;
pub use certificate_files::{
    CertificateFiles, CertificateFilesError, EXPIRY_NOTICE, PresentedTo, chain_end, not_after,
};
pub use certificate_names::{CertificateNames, has_same_holder};
pub use child_process::{
    VARIABLE_PREFIX, WithheldVariables, withhold_only_what_is_in_use, withhold_private_variables,
    withhold_variable,
};
pub use dated_file::DatedFile;
pub use keyring::{KeyringEntry, KeyringError};
pub use lock_file::LockFile;
pub use pem::{PemCertificates, PemDefect, pem_certificates};
pub use private_file::{
    PrivateFileError, StagedPrivateFile, aside_of, check_directory_of, prepare_directory_of,
    read_private,
};
pub use process::hide_process;
pub use program::find_program;
pub use regular_file::{FileError, read_regular, read_regular_described};
pub use secret::Secret;
pub use secret_command::{CommandOutput, kill_running_commands, run_command};
pub use secret_echo::SecretEcho;
pub use secret_error::SecretError;
pub use secret_source::SecretSource;
pub use stderr_line::without_credentials;
