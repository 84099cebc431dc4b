//! Everything that is logged in this process, by every crate at `trace`, searched as it is written.

use std::io;
use std::sync::Once;

use super::secrets::leaked;

/// From here on a credential in a log line ends the whole run, whichever test it comes from: a panic there
/// would be taken for one of the code that logs.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("trace")
            .with_writer(|| Searched)
            .init();
    });
}

struct Searched;

impl io::Write for Searched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if let Some(word) = leaked(&line) {
            let mut terminal = io::stderr(); // unlike `eprintln!` not kept for a test that never ends
            writeln!(
                terminal,
                "a log line holds the credential {word:?}:\n{line}"
            )?;
            std::process::abort();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
