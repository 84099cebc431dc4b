//! Who answers: a person at a terminal; in tests a script.

use std::io::{self, IsTerminal as _, Write as _};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Lines out, lines in. Plain lines: they work on every terminal, with a screen reader, and when
/// answers are typed ahead.
pub(super) trait Person {
    fn tell(&mut self, words: &str);

    /// What is typed after `prompt`, without its end; nothing once the input has ended.
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>>;

    /// The same, not shown.
    fn hidden(&mut self, prompt: &str) -> io::Result<Option<Secret>>;
}

/// The terminal that this process runs in.
pub(super) struct Terminal {
    _private: (),
}

impl Terminal {
    /// Nothing, if there is none on standard input and standard error.
    pub(super) fn open() -> Option<Self> {
        let is_there = io::stdin().is_terminal() && io::stderr().is_terminal();
        is_there.then_some(Self { _private: () })
    }
}

impl Person for Terminal {
    fn tell(&mut self, words: &str) {
        super::say(words);
    }

    // Blocks the runtime, on which nothing else runs; Ctrl-C ends the process.
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn hidden(&mut self, prompt: &str) -> io::Result<Option<Secret>> {
        match rpassword::prompt_password(prompt) {
            Ok(text) => Ok(Some(Secret::new(Zeroizing::new(text).as_bytes()))),
            // The end of the input, and Ctrl-C.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
