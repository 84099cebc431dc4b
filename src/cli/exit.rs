//! How a command ends.

use std::process::ExitCode;

/// How a command ends. The numbers are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: success.
    Fine,
    /// 1: the command failed, for example because a port is taken.
    Failed,
    /// 2: the command line is invalid.
    Usage,
    /// 3: the configuration is invalid, or the secret is missing at startup.
    Configuration,
    /// 4: the token endpoint refused the request.
    Refused,
    /// 5: something is unreachable, or its response is unusable.
    Unreachable,
    /// The exit code of the program that `learn` ran, or 128 plus the number of the signal that ended `learn` or
    /// `status --watch`.
    OfProgram(u8),
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Refused => 4,
            Self::Unreachable => 5,
            Self::OfProgram(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
