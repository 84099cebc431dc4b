//! The terminal on which questions are asked. Tests use a script instead.

use std::io::{self, IsTerminal as _, Write as _};

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
        no_echo::read_line(prompt)
    }
}

/// Uses the line editing of the terminal without its echo. The echo is off before the prompt appears, so that text
/// which is pasted at once is not shown either.
#[cfg(unix)]
mod no_echo {
    use std::io::{self, Write as _};

    use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
    use zeroize::Zeroizing;

    use crate::credentials::Secret;

    /// The longest line that a terminal can read, in bytes (on Linux; less elsewhere).
    const MAX_LINE: usize = 4096;
    /// Ctrl-C, as a character.
    const INTERRUPT: u8 = 3;

    /// Restores the terminal when dropped.
    struct RestoreTerminal(Termios);

    impl Drop for RestoreTerminal {
        fn drop(&mut self) {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
        }
    }

    pub(super) fn read_line(prompt: &str) -> io::Result<Option<Secret>> {
        let before = RestoreTerminal(termios::tcgetattr(io::stdin())?);
        let mut hidden = before.0.clone();
        // Ctrl-C ends the line, not the process, which could not restore the echo.
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        termios::tcsetattr(io::stdin(), OptionalActions::Drain, &hidden)?;
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        let mut bytes = Zeroizing::new(vec![0; MAX_LINE]);
        // Not through the buffer of standard input, which is never wiped. One read returns one line.
        let length = rustix::io::read(io::stdin(), &mut bytes[..])?;
        drop(before);
        err.write_all(b"\n")?;
        let line = &bytes[..length];
        if length == 0 || line.contains(&INTERRUPT) {
            return Ok(None);
        }
        let ends: &[u8] = b"\r\n";
        let end = line.iter().rposition(|byte| !ends.contains(byte));
        Ok(Some(Secret::new(&line[..end.map_or(0, |last| last + 1)])))
    }
}

#[cfg(not(unix))]
mod no_echo {
    use std::io;

    use zeroize::Zeroizing;

    use crate::credentials::Secret;

    pub(super) fn read_line(prompt: &str) -> io::Result<Option<Secret>> {
        use io::ErrorKind as Kind;
        match rpassword::prompt_password(prompt) {
            Ok(text) => Ok(Some(Secret::new(Zeroizing::new(text).as_bytes()))),
            // The end of the input, or Ctrl-C.
            Err(error) if matches!(error.kind(), Kind::UnexpectedEof | Kind::Interrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
