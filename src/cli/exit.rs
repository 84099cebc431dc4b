//! How a command ends.

use std::process::ExitCode;

/// How a command ends. The numbers are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: all is well.
    Fine,
    /// 1: it failed: a taken port, too.
    Failed,
    /// 2: the command line cannot be understood.
    Usage,
    /// 3: the configuration cannot be used; no secret at start, too.
    Configuration,
    /// 4: the token endpoint refuses us.
    Refused,
    /// 5: something cannot be reached, or gives no usable answer.
    Unreachable,
    /// Whatever the program that `learn` ran ended with; 128 and the number of the signal that `learn` ended by.
    OfProgram(u8),
}

impl Exit {
    /// The number that the process ends with.
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
