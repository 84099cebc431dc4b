//! Who answers: a person at a terminal; in tests a script.

use std::io::{self, IsTerminal as _, Write as _};

use crate::credentials::Secret;

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
        unseen::line(prompt)
    }
}

/// The terminal's own line editing without its echo. It is off before the prompt shows up: what is pasted at once
/// is not seen either.
#[cfg(unix)]
mod unseen {
    use std::io::{self, Write as _};

    use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
    use zeroize::Zeroizing;

    use crate::credentials::Secret;

    /// The longest line that a terminal gives, in bytes (Linux; elsewhere it is less).
    const LONGEST: usize = 4096;
    /// Ctrl-C, as a character.
    const INTERRUPT: u8 = 3;

    /// Puts the terminal back as it was.
    struct Restored(Termios);

    impl Drop for Restored {
        fn drop(&mut self) {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
        }
    }

    pub(super) fn line(prompt: &str) -> io::Result<Option<Secret>> {
        let before = Restored(termios::tcgetattr(io::stdin())?);
        let mut hidden = before.0.clone();
        // Ctrl-C ends the line instead of the process, which could not put the echo back.
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        termios::tcsetattr(io::stdin(), OptionalActions::Drain, &hidden)?;
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        let mut bytes = Zeroizing::new(vec![0; LONGEST]);
        // Not through standard input's buffer, which nobody wipes; one line is one read.
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
mod unseen {
    use std::io;

    use zeroize::Zeroizing;

    use crate::credentials::Secret;

    pub(super) fn line(prompt: &str) -> io::Result<Option<Secret>> {
        use io::ErrorKind as Kind;
        match rpassword::prompt_password(prompt) {
            Ok(text) => Ok(Some(Secret::new(Zeroizing::new(text).as_bytes()))),
            // The end of the input, and Ctrl-C.
            Err(error) if matches!(error.kind(), Kind::UnexpectedEof | Kind::Interrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
