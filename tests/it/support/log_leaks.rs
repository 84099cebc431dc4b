//! Searches every log line of this process, of every crate and at level `trace`, for credentials.

use std::io;
use std::sync::Once;

use super::secrets::leaked;

/// From now on, a credential in a log line aborts the whole test run, whichever test logged it. A panic would
/// look like a panic of the code that logs.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("trace")
            .with_writer(|| LeakDetector)
            .init();
    });
}

struct LeakDetector;

impl io::Write for LeakDetector {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if let Some(word) = leaked(&line) {
            let mut terminal = io::stderr(); // unlike `eprintln!`, not captured for the output of one test
            writeln!(
                terminal,
                "a log line contains the credential {word:?}:\n{line}"
            )?;
            std::process::abort();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
