//! Changing key files, on paused time.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use super::super::tests::{OURS, request, someone};
use super::super::{Guard, callers::tests::config};
use super::*;
use crate::credentials::HangingFile;

const OLD: &str = "the-old-key-000001";
const NEW: &str = "the-new-key-000001";
const OTHER: &str = "the-key-of-another-1";

struct WatchedKeyFile {
    directory: TempDir,
    guard: Guard,
}

impl WatchedKeyFile {
    /// `ci` and `backup`, each with a file that is followed.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("ci"), OLD).unwrap();
        std::fs::write(path("backup"), OTHER).unwrap();
        let guard = Guard::new(&config(&format!(
            "guard.callers.ci.key.file = '{}'\nguard.callers.backup.key.file = '{}'\n",
            path("ci").display(),
            path("backup").display()
        )));
        follow(&guard).await;
        Self { directory, guard }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn is_admitted(&self, key: &str) -> bool {
        self.caller(key).is_some()
    }

    /// Whose key it is.
    fn caller(&self, key: &str) -> Option<String> {
        let request = request("GET", "/", &[OURS, ("x-cupbearer-key", key)]);
        let admitted = self.guard.check(&request, &someone()).ok()?;
        Some(admitted.into_caller()?.as_str().to_owned())
    }
}

/// Follows the keys of a guard's callers, and returns once all of them have been read.
async fn follow(guard: &Guard) {
    let (loaded, all_loaded) = oneshot::channel();
    let may_ask = watch::channel(true).1;
    let watch = KeyWatch::new(guard.callers().unwrap(), None, may_ask);
    tokio::spawn(watch.run(move || {
        let _ = loaded.send(()); // the test may have gone on
    }));
    all_loaded.await.unwrap();
}

/// What is logged until this is dropped.
struct RecordedLines {
    file: NamedTempFile,
    _guards: (Dispatch, DefaultGuard),
}

impl RecordedLines {
    fn record() -> Self {
        let file = NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Arc::new(file.reopen().unwrap()))
            .finish();
        // With a single subscriber, tracing asks only the current thread whether an event is enabled.
        let second = Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
        let guards = (second, tracing::subscriber::set_default(subscriber));
        Self {
            file,
            _guards: guards,
        }
    }

    fn count(&self, message: &str) -> usize {
        let text = std::fs::read_to_string(self.file.path()).unwrap();
        text.lines().filter(|line| line.contains(message)).count()
    }
}

/// How long a revoked key may keep working.
async fn three_seconds() {
    sleep(Duration::from_secs(3)).await;
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_removed_from_its_file_stops_working_within_3_s_and_others_keep_working() {
    let scene = WatchedKeyFile::new().await;
    assert!(scene.is_admitted(OLD) && scene.is_admitted(OTHER));

    write(&scene.file("ci"), &format!("{OLD}\n{NEW}\n"));
    three_seconds().await;
    assert!(scene.is_admitted(OLD) && scene.is_admitted(NEW));

    write(&scene.file("ci"), &format!("# {OLD}\n{NEW}\n"));
    three_seconds().await;
    assert!(!scene.is_admitted(OLD) && scene.is_admitted(NEW) && scene.is_admitted(OTHER));
}

#[tokio::test(start_paused = true)]
async fn an_emptied_file_revokes_every_key() {
    let scene = WatchedKeyFile::new().await;
    write(&scene.file("ci"), "");
    three_seconds().await;
    assert!(!scene.is_admitted(OLD) && scene.is_admitted(OTHER));
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_changes_nothing_and_a_broken_one_revokes_what_it_lacks() {
    let scene = WatchedKeyFile::new().await;
    std::fs::remove_file(scene.file("ci")).unwrap();
    three_seconds().await;
    assert!(scene.is_admitted(OLD));
    for broken in [
        "short\n{OLD}",
        "{OLD} # of the nightly run",
        "{OLD}\n{OTHER}",
        "{NEW}\n{OLD}\nx y",
    ] {
        let broken = broken
            .replace("{OLD}", OLD)
            .replace("{NEW}", NEW)
            .replace("{OTHER}", OTHER);
        write(&scene.file("ci"), &broken);
        three_seconds().await;
        assert!(
            scene.is_admitted(OLD) && !scene.is_admitted(NEW),
            "{broken}"
        );
    }
    for broken in [
        "short",
        "# {OLD}\nshort",
        "two words that are not a key\n",
        "{OTHER}",
    ] {
        write(&scene.file("ci"), OLD);
        three_seconds().await;
        assert!(scene.is_admitted(OLD));
        let broken = broken.replace("{OLD}", OLD).replace("{OTHER}", OTHER);
        write(&scene.file("ci"), &broken);
        three_seconds().await;
        assert!(!scene.is_admitted(OLD), "{broken}");
        assert_eq!(scene.caller(OTHER).as_deref(), Some("backup"));
    }
    write(&scene.file("ci"), NEW);
    three_seconds().await;
    assert!(!scene.is_admitted(OLD) && scene.is_admitted(NEW));
}

#[tokio::test(start_paused = true)]
async fn a_file_with_the_key_of_another_caller_is_used_once_that_caller_no_longer_has_it() {
    let scene = WatchedKeyFile::new().await;
    write(&scene.file("backup"), &format!("# {OTHER}\n{OLD}\n{NEW}\n"));
    three_seconds().await;
    assert_eq!(
        scene.caller(OTHER),
        None,
        "revoked although the file is refused"
    );
    assert_eq!(scene.caller(OLD).as_deref(), Some("ci"));
    assert_eq!(scene.caller(NEW), None);

    write(&scene.file("ci"), "# none\n");
    three_seconds().await;
    assert_eq!(scene.caller(OLD).as_deref(), Some("backup"));
    assert_eq!(scene.caller(NEW).as_deref(), Some("backup"));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_does_not_delay_the_revocation_of_a_key_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ci");
    write(&file, OLD);
    let guard = Guard::new(&config(&format!(
        "guard.callers.ci.key.file = '{}'\nguard.callers.a.key.command = ['sleep', '600']",
        file.display()
    )));
    follow(&guard).await;
    sleep(RETRY_INTERVAL + POLL_INTERVAL).await;
    let scene = WatchedKeyFile { directory, guard };
    assert!(scene.is_admitted(OLD));
    write(&file, "# none\n");
    three_seconds().await;
    assert!(!scene.is_admitted(OLD));
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_runs_only_once_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("it-ran");
    let guard = Guard::new(&config(&format!(
        "guard.callers.a.key.command = ['sh', '-c', 'touch {} && echo {OLD}']",
        marker.display()
    )));
    let (allow, may_ask) = watch::channel(false);
    let (loaded, mut all_loaded) = oneshot::channel();
    let watch = KeyWatch::new(guard.callers().unwrap(), None, may_ask);
    tokio::spawn(watch.run(move || loaded.send(()).unwrap()));
    let early = timeout(Duration::from_millis(500), &mut all_loaded).await;
    assert!(early.is_err() && !marker.exists());
    allow.send_replace(true);
    all_loaded.await.unwrap();
    assert!(WatchedKeyFile { directory, guard }.is_admitted(OLD));
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_source_cannot_be_read_keeps_the_keys_that_it_had_but_no_revoked_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("before"), &format!("{OLD}\n{OTHER}"));
    let with_source = |name: &str| {
        let file = path(name);
        Guard::new(&config(&format!(
            "guard.callers.ci.key.file = '{}'",
            file.display()
        )))
    };
    let live = with_source("before");
    follow(&live).await;

    let missing = with_source("missing");
    follow(&missing).await;
    missing.take_over_keys(&live);
    // This one cannot be used, but says that one of the keys is revoked.
    write(&path("after"), &format!("{OLD}\nx y"));
    let invalid = with_source("after");
    follow(&invalid).await;
    invalid.take_over_keys(&live);

    let (directory, other) = (directory, tempfile::tempdir().unwrap());
    let missing = WatchedKeyFile {
        directory,
        guard: missing,
    };
    let invalid = WatchedKeyFile {
        directory: other,
        guard: invalid,
    };
    assert!(missing.is_admitted(OLD) && missing.is_admitted(OTHER));
    assert!(invalid.is_admitted(OLD) && !invalid.is_admitted(OTHER));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_keys_in_files_count_before_a_command_has_answered() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ci");
    write(&file, OLD);
    let guard = Guard::new(&config(&format!(
        "guard.callers.ci.key.file = '{}'\nguard.callers.a.key.command = ['sleep', '600']",
        file.display()
    )));
    let loading = follow(&guard);
    let loaded = timeout(Duration::from_secs(1), loading).await;
    assert!(loaded.is_err(), "the command has answered");
    assert!(WatchedKeyFile { directory, guard }.is_admitted(OLD));
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_loaded_or_refused_are_logged_once_until_their_file_changes() {
    const LOADED: &str = "caller keys loaded";
    const REFUSED: &str = "caller keys cannot be loaded";
    let a_minute = Duration::from_mins(1);
    let log = RecordedLines::record();
    let scene = WatchedKeyFile::new().await;
    sleep(a_minute).await;
    assert_eq!((log.count(LOADED), log.count(REFUSED)), (2, 0));
    write(&scene.file("backup"), OLD);
    sleep(a_minute).await;
    assert_eq!((log.count(LOADED), log.count(REFUSED)), (2, 1));
    write(&scene.file("backup"), &format!("{OLD}\n{NEW}"));
    sleep(a_minute).await;
    assert_eq!((log.count(LOADED), log.count(REFUSED)), (2, 2));
    write(&scene.file("backup"), NEW);
    sleep(a_minute).await;
    assert_eq!((log.count(LOADED), log.count(REFUSED)), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_file_does_not_count_while_it_still_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ci");
    write(&path, OLD);
    let guard = Guard::new(&config(&format!(
        "guard.callers.ci.key.file = '{}'",
        path.display()
    )));
    let start = Instant::now();
    follow(&guard).await;
    let scene = WatchedKeyFile { directory, guard };

    sleep_until(start + POLL_INTERVAL * 9 / 10).await;
    write(&path, "");
    sleep_until(start + POLL_INTERVAL + SETTLE_TIME / 2).await;
    write(&path, &format!("{OLD}\n{NEW}"));
    sleep_until(start + POLL_INTERVAL * 2 - SETTLE_TIME / 10).await;
    assert!(scene.is_admitted(OLD) && !scene.is_admitted(NEW));
    three_seconds().await;
    assert!(scene.is_admitted(OLD) && scene.is_admitted(NEW));
}

#[tokio::test]
async fn files_that_cannot_be_read_do_not_delay_the_revocation_of_a_key_in_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let lines = ["a", "b", "c", "d", "ci"].map(|name| {
        let file = path(name);
        write(&file, &format!("the-key-of-{name}-00000001"));
        format!("guard.callers.{name}.key.file = '{}'", file.display())
    });
    let guard = Guard::new(&config(&lines.join("\n")));
    follow(&guard).await;
    let key = "the-key-of-ci-00000001";
    let _hanging = ["a", "b", "c", "d"].map(|name| HangingFile::new(&path(name)));
    let file = path("ci");
    let scene = WatchedKeyFile { directory, guard };
    // When they begin to hang, while they do, and once that is known.
    for _ in 0..3 {
        assert!(scene.is_admitted(key));
        let revoked = Instant::now();
        write(&file, "# none\n");
        while scene.is_admitted(key) {
            sleep(Duration::from_millis(10)).await;
        }
        assert!(revoked.elapsed() < Duration::from_secs(3));
        assert!(scene.is_admitted("the-key-of-a-00000001"));
        write(&file, key);
        while !scene.is_admitted(key) {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_at_the_start_does_not_delay_the_keys_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("a"), OTHER);
    write(&path("ci"), OLD);
    let guard = Guard::new(&config(&format!(
        "guard.callers.a.key.file = '{}'\nguard.callers.ci.key.file = '{}'\n",
        path("a").display(),
        path("ci").display()
    )));
    let hanging = HangingFile::new(&path("a"));
    let mut following = Box::pin(follow(&guard));
    let loaded = timeout(Duration::from_secs(3), &mut following).await;
    assert!(loaded.is_err(), "the file has been read");
    let scene = WatchedKeyFile {
        directory,
        guard: guard.clone(),
    };
    assert!(scene.is_admitted(OLD) && !scene.is_admitted(OTHER));
    drop(hanging);
    following.await;
    while !scene.is_admitted(OTHER) {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_can_move_from_one_caller_to_another_in_one_step_and_that_is_no_problem() {
    let log = RecordedLines::record();
    let scene = WatchedKeyFile::new().await;
    write(&scene.file("backup"), OLD);
    write(&scene.file("ci"), NEW);
    three_seconds().await;
    assert_eq!(scene.caller(OLD).as_deref(), Some("backup"));
    assert_eq!(scene.caller(NEW).as_deref(), Some("ci"));
    assert_eq!(log.count("caller keys cannot be loaded"), 0);
}

#[tokio::test]
async fn the_check_before_the_start_reports_each_caller_and_never_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let mut lines = vec!["guard.callers.f.key.file = '/nonexistent'".to_owned()];
    for (name, text) in [
        ("a", OLD),
        ("b", "# revoked"),
        ("c", ""),
        ("d", "hunter2"),
        ("e", OLD),
    ] {
        let path = directory.path().join(name);
        write(&path, text);
        lines.push(format!(
            "guard.callers.{name}.key.file = '{}'",
            path.display()
        ));
    }

    let found = check_keys(&config(&lines.join("\n")).callers).await;

    let said: Vec<String> = found
        .into_iter()
        .map(|(name, keys)| match keys {
            Ok(keys) => format!("{name} {keys}"),
            Err(problem) => format!("{name} {}: {}", problem.problem, problem.remedy),
        })
        .collect();
    for (said, expected) in said.iter().zip([
        "a 1",
        "b 0",
        "c the secret is empty",
        "d line 1 is shorter",
        "e contains a key that also belongs to guard.callers.a",
        "f the secret's file /nonexistent cannot be read",
    ]) {
        assert!(
            said.starts_with(expected) && !said.contains("hunter2"),
            "{said}"
        );
    }
    assert_eq!(said.len(), 6);
}
