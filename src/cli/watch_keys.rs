//! The keys that choose what `cupbearer status --watch` shows.

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "keys are read on Unix only"))]
pub(super) enum WatchKey {
    /// The overview of all proxies.
    Overview,
    /// The proxy with this index.
    Proxy(usize),
    /// What comes after it: the next proxy, or the overview after the last.
    Next,
    /// What comes before it.
    Previous,
    /// To end.
    Quit,
}

impl WatchKey {
    /// What is shown after this key: the index of a proxy, or `None` for the overview of `proxies`.
    pub(super) fn apply(self, shown: Option<usize>, proxies: usize) -> Option<usize> {
        match self {
            Self::Overview => None,
            Self::Proxy(index) if index < proxies => Some(index),
            Self::Next => {
                let next = shown.map_or(0, |index| index + 1);
                (next < proxies).then_some(next)
            }
            Self::Previous => shown.unwrap_or(proxies).checked_sub(1),
            Self::Proxy(_) | Self::Quit => shown,
        }
    }
}

/// The keys behind what a terminal sends at once, which may be several. An arrow is three bytes; any other escape
/// sequence is ignored to its end.
#[cfg(any(unix, test))]
fn keys_of(bytes: &[u8]) -> Vec<WatchKey> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let length = if *first == b'\x1b' {
            sequence_length(rest)
        } else {
            1
        };
        let (key, after) = rest.split_at(length);
        keys.extend(key_of(key));
        rest = after;
    }
    keys
}

/// The length of the escape sequence at the start: up to a letter or `~` after `ESC [` and `ESC O`.
#[cfg(any(unix, test))]
fn sequence_length(bytes: &[u8]) -> usize {
    let is_long = matches!(bytes.get(1), Some(b'[' | b'O'));
    let end = bytes
        .iter()
        .skip(2)
        .position(|byte| (b'@'..=b'~').contains(byte));
    match end {
        Some(end) if is_long => end + 3,
        None if is_long => bytes.len(),
        _ => bytes.len().min(2),
    }
}

#[cfg(any(unix, test))]
fn key_of(bytes: &[u8]) -> Option<WatchKey> {
    match bytes {
        b"\t" | b"\x1b[C" | b"\x1bOC" => Some(WatchKey::Next),
        b"\x1b[Z" | b"\x1b[D" | b"\x1bOD" => Some(WatchKey::Previous),
        b"0" => Some(WatchKey::Overview),
        b"q" | b"Q" => Some(WatchKey::Quit),
        [digit @ b'1'..=b'9'] => Some(WatchKey::Proxy(usize::from(digit - b'1'))),
        _ => None,
    }
}

/// Reads keys without Enter and echo, where the system allows it. The terminal is as before when this is dropped.
pub(super) struct KeyReader {
    #[cfg(unix)]
    keys: unix::SingleKeys,
}

impl KeyReader {
    /// `None` if standard input is no terminal, or the terminal belongs to another program now.
    #[cfg(unix)]
    pub(super) fn new() -> Option<Self> {
        let keys = unix::SingleKeys::new()?;
        Some(Self { keys })
    }

    /// Elsewhere, keys arrive with Enter only, so none are read.
    #[cfg(not(unix))]
    pub(super) const fn new() -> Option<Self> {
        None
    }

    /// The next key. Never returns if there are no more.
    pub(super) async fn next(&mut self) -> WatchKey {
        #[cfg(unix)]
        if let Some(key) = self.keys.next().await {
            return key;
        }
        std::future::pending().await
    }
}

#[cfg(unix)]
mod unix {
    use std::io;

    use rustix::termios::{self, LocalModes, OptionalActions, Termios};
    use tokio::sync::mpsc;

    use crate::cli::watch_keys::{WatchKey, keys_of};

    /// Keys wait here until the screen is drawn.
    const WAITING: usize = 16;

    pub(super) struct SingleKeys {
        before: Termios,
        keys: mpsc::Receiver<WatchKey>,
    }

    impl SingleKeys {
        pub(super) fn new() -> Option<Self> {
            let before = termios::tcgetattr(io::stdin()).ok()?;
            let foreground = termios::tcgetpgrp(io::stdin()).ok()?;
            if foreground != rustix::process::getpgrp() {
                return None;
            }
            let mut single = before.clone();
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            termios::tcsetattr(io::stdin(), OptionalActions::Now, &single).ok()?;
            let (sender, keys) = mpsc::channel(WAITING);
            // A thread of its own, which ends with the process: a read of the runtime would have to end first.
            let reader = std::thread::Builder::new().name("keys".to_owned());
            let _ = reader.spawn(move || read_keys(&sender));
            Some(Self { before, keys })
        }

        pub(super) async fn next(&mut self) -> Option<WatchKey> {
            self.keys.recv().await
        }
    }

    impl Drop for SingleKeys {
        fn drop(&mut self) {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    fn read_keys(keys: &mpsc::Sender<WatchKey>) {
        let mut bytes = [0; 16];
        loop {
            match rustix::io::read(io::stdin(), &mut bytes) {
                Ok(0) => return,
                Ok(count) => {
                    for key in keys_of(&bytes[..count]) {
                        if keys.blocking_send(key).is_err() {
                            return;
                        }
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
