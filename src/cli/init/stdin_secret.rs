//! Reads a secret from standard input.

use std::io::{self, IsTerminal, Read as _};

use zeroize::Zeroizing;

use super::error::InitError;
use super::parse;
use crate::credentials::Secret;

/// The longest secret, in bytes. Longer input is most likely the wrong file.
const MAX_SECRET: u64 = 64 << 10;

/// Standard input, or what replaces it in tests.
pub(super) trait StandardInput: io::Read {
    /// Whether a terminal would show what is typed.
    fn is_terminal(&self) -> bool;
}

impl StandardInput for io::Stdin {
    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(self)
    }
}

/// All of it, without the line break at its end.
pub(super) fn read(input: &mut impl StandardInput, client_id: &str) -> Result<Secret, InitError> {
    if input.is_terminal() {
        return Err(InitError::Usage(
            "--secret-stdin: standard input is a terminal, which would show the secret: use a pipe, or leave the flag out to be asked".to_owned(),
        ));
    }
    // With room for all of it, since a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 << 17));
    input
        .take(MAX_SECRET + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            InitError::Failed(format!("--secret-stdin: {error}; use --secret-file"))
        })?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(InitError::Usage(
            "--secret-stdin: the input is longer than 64 KiB: send the secret and nothing else"
                .to_owned(),
        ));
    }
    let text = bytes
        .strip_suffix(b"\r\n")
        .or_else(|| bytes.strip_suffix(b"\n"))
        .unwrap_or(&bytes);
    parse::secret(Secret::new(text), client_id).map_err(|invalid| {
        InitError::Usage(format!(
            "--secret-stdin: {}: {}",
            invalid.problem, invalid.remedy
        ))
    })
}
