//! Asks for a token or a secret on the terminal without showing it.
//!
//! The terminal's own line editing is switched off, because it limits a line: to 4,096 bytes on Linux and 1,024 on
//! macOS, which is less than many tokens have.

use std::io;

use crate::credentials::Secret;

/// The longest input that is read, in bytes.
pub(super) const MAX_INPUT: usize = 64 << 10;

/// How a prompt ends.
pub(super) enum Typed {
    /// What was typed or pasted.
    Text(Secret),
    /// Ctrl-C, Ctrl-D or the end of the input.
    Abandoned,
}

/// Reads until Enter, also if the paste itself contains line breaks. Blocks.
#[cfg(unix)]
pub(super) fn read_hidden(prompt: &str) -> io::Result<Typed> {
    unix::read_without_echo(prompt, unix::HiddenInput::Paste)
}

/// Reads one line, without its end. What is typed ahead after it stays for the next question. Blocks.
#[cfg(unix)]
pub(super) fn read_hidden_line(prompt: &str) -> io::Result<Typed> {
    unix::read_without_echo(prompt, unix::HiddenInput::Line)
}

#[cfg(unix)]
mod unix {
    use std::io::{self, Write as _};

    use rustix::termios::{
        self, InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios,
    };
    use zeroize::Zeroizing;

    use crate::cli::hidden_line::{MAX_INPUT, Typed};
    use crate::credentials::Secret;

    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;

    /// In tenths of a second: a paste of several lines continues sooner than this after a line break.
    const PAUSE: u8 = 3;

    /// Where the input ends.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum HiddenInput {
        /// With the first line.
        Line,
        /// With the last line of a paste.
        Paste,
    }

    /// Restores the terminal when dropped.
    struct RestoreLineEditing(Termios);

    impl Drop for RestoreLineEditing {
        fn drop(&mut self) {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
        }
    }

    pub(super) fn read_without_echo(prompt: &str, input: HiddenInput) -> io::Result<Typed> {
        let restore = RestoreLineEditing(termios::tcgetattr(io::stdin())?);
        let mut raw = restore.0.clone();
        // Ctrl-C arrives as a character: ended by the signal, this process could not restore the echo.
        raw.local_modes -=
            LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        raw.input_modes -= InputModes::IXON;
        set_pause(&mut raw, None)?;
        let mut err = io::stderr();
        err.write_all(prompt.as_bytes())?;
        err.flush()?;
        let typed = match input {
            HiddenInput::Line => read_line(),
            HiddenInput::Paste => read_paste(&mut raw),
        };
        if typed.is_err() || input == HiddenInput::Paste {
            // The rest of a paste is not meant for what comes next, such as a shell.
            let _ = termios::tcflush(io::stdin(), QueueSelector::IFlush);
        }
        drop(restore);
        err.write_all(b"\n")?;
        typed
    }

    /// Makes a read wait for a byte, or return without one after a pause.
    fn set_pause(raw: &mut Termios, pause: Option<u8>) -> io::Result<()> {
        raw.special_codes[SpecialCodeIndex::VMIN] = u8::from(pause.is_none());
        raw.special_codes[SpecialCodeIndex::VTIME] = pause.unwrap_or(0);
        Ok(termios::tcsetattr(io::stdin(), OptionalActions::Now, raw)?)
    }

    /// Reads one byte at a time, because what follows the line is for the next question.
    fn read_line() -> io::Result<Typed> {
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_INPUT));
        let mut byte = [0; 1];
        loop {
            if rustix::io::read(io::stdin(), &mut byte)? == 0 {
                return Ok(Typed::Abandoned);
            }
            if matches!(byte[0], b'\n' | b'\r') {
                return Ok(Typed::Text(Secret::new(&line[..])));
            }
            if is_abandoned_by(&mut line, byte[0])? {
                return Ok(Typed::Abandoned);
            }
        }
    }

    /// Adds what was typed to the line, or edits it. Returns whether that ends the prompt without an answer.
    fn is_abandoned_by(line: &mut Vec<u8>, byte: u8) -> io::Result<bool> {
        match byte {
            CTRL_C => return Ok(true),
            CTRL_D if line.is_empty() => return Ok(true),
            BACKSPACE | DELETE => drop(line.pop()),
            CTRL_U => line.clear(),
            byte if line.len() < MAX_INPUT => line.push(byte),
            _ => return Err(io::Error::other("it is longer than 64 KiB")),
        }
        Ok(false)
    }

    fn read_paste(raw: &mut Termios) -> io::Result<Typed> {
        // Not through the buffer of standard input, which is never wiped; and allocated once.
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_INPUT));
        let mut bytes = Zeroizing::new([0; 4096]);
        loop {
            let read = rustix::io::read(io::stdin(), &mut bytes[..])?;
            if read == 0 {
                // The pause after a line break, or a terminal that is gone.
                return Ok(if line.is_empty() {
                    Typed::Abandoned
                } else {
                    Typed::Text(Secret::new(&line[..]))
                });
            }
            for &byte in &bytes[..read] {
                if is_abandoned_by(&mut line, byte)? {
                    return Ok(Typed::Abandoned);
                }
            }
            let has_ended = line
                .last()
                .is_some_and(|last| matches!(last, b'\n' | b'\r'));
            if has_ended && line.trim_ascii().is_empty() {
                return Ok(Typed::Text(Secret::new(Vec::new())));
            }
            set_pause(raw, has_ended.then_some(PAUSE))?;
        }
    }
}

/// Reads a line. Blocks.
#[cfg(not(unix))]
pub(super) fn read_hidden_line(prompt: &str) -> io::Result<Typed> {
    read_hidden(prompt)
}

/// Reads a line. Blocks.
#[cfg(not(unix))]
pub(super) fn read_hidden(prompt: &str) -> io::Result<Typed> {
    use io::ErrorKind as Kind;
    use zeroize::Zeroizing;
    match rpassword::prompt_password(prompt) {
        Ok(text) => Ok(Typed::Text(Secret::new(Zeroizing::new(text).as_bytes()))),
        Err(error) if matches!(error.kind(), Kind::UnexpectedEof | Kind::Interrupted) => {
            Ok(Typed::Abandoned)
        }
        Err(error) => Err(error),
    }
}

/// Reads standard input to its end. Blocks.
pub(super) fn read_piped() -> io::Result<Secret> {
    use io::Read as _;
    use zeroize::Zeroizing;
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_INPUT + 1));
    let limit = u64::try_from(MAX_INPUT).unwrap_or(u64::MAX) + 1;
    io::stdin().lock().take(limit).read_to_end(&mut text)?;
    if text.len() > MAX_INPUT {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    Ok(Secret::new(&text[..]))
}
