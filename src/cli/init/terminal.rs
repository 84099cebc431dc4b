//! The terminal on which questions are asked. Tests use a script instead.

use std::io::{self, IsTerminal as _, Write as _};

use crate::cli::hidden_line::{Typed, read_hidden_line};
use crate::cli::output::say;
use crate::credentials::Secret;

/// Asks and answers in plain lines, which work on every terminal, with a screen reader, and with text that is typed
/// ahead.
pub(super) trait Dialogue {
    fn show(&mut self, text: &str);

    /// The line that is typed after `prompt`, without its end; `None` if the input has ended.
    fn read_line(&mut self, prompt: &str) -> io::Result<Option<String>>;

    /// The same without showing what is typed.
    fn read_hidden(&mut self, prompt: &str) -> io::Result<Option<Secret>>;
}

/// The terminal of this process.
pub(super) struct Terminal {
    _private: (),
}

impl Terminal {
    /// `None` unless standard input and standard error are terminals.
    pub(super) fn open() -> Option<Self> {
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        is_terminal.then_some(Self { _private: () })
    }
}

impl Dialogue for Terminal {
    fn show(&mut self, text: &str) {
        say(text);
    }

    // Blocks the runtime, on which nothing else runs. Ctrl-C ends the process.
    fn read_line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn read_hidden(&mut self, prompt: &str) -> io::Result<Option<Secret>> {
        Ok(match read_hidden_line(prompt)? {
            Typed::Text(secret) => Some(secret),
            Typed::Abandoned => None,
        })
    }
}
