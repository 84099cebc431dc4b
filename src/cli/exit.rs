//! How a command ends.

use std::process::ExitCode;

/// How a command ends. The numbers are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// It failed: a taken port, too.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// The configuration cannot be used; no secret at start, too.
    Configuration = 3,
    /// The token endpoint refuses us.
    Refused = 4,
    /// Something cannot be reached, or gives no usable answer.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
