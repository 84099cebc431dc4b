//! Changing key files, on paused time.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::tests::{OURS, request, someone};
use super::super::{Guard, callers::tests::config};
use super::*;

const OLD: &str = "the-old-key-000001";
const NEW: &str = "the-new-key-000001";
const OTHER: &str = "the-key-of-another-1";

struct Scene {
    directory: TempDir,
    guard: Guard,
}

impl Scene {
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
        let watch = KeyWatch::load(guard.callers().unwrap(), None).await;
        tokio::spawn(watch.follow());
        Self { directory, guard }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn is_admitted(&self, key: &str) -> bool {
        let request = request("GET", "/", &[OURS, ("x-cupbearer-key", key)]);
        self.guard.check(&request, &someone()).is_ok()
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
    let scene = Scene::new().await;
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
    let scene = Scene::new().await;
    write(&scene.file("ci"), "");
    three_seconds().await;
    assert!(!scene.is_admitted(OLD) && scene.is_admitted(OTHER));
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_invalid_file_changes_nothing_until_it_is_fixed() {
    let scene = Scene::new().await;
    std::fs::remove_file(scene.file("ci")).unwrap();
    three_seconds().await;
    assert!(scene.is_admitted(OLD));
    for broken in ["short", "two words that are not a key\n", OTHER] {
        write(&scene.file("ci"), broken);
        three_seconds().await;
        assert!(scene.is_admitted(OLD), "{broken}");
    }
    write(&scene.file("ci"), NEW);
    three_seconds().await;
    assert!(!scene.is_admitted(OLD) && scene.is_admitted(NEW));
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
    let mut watch = KeyWatch::load(guard.callers().unwrap(), None).await;
    let scene = Scene { directory, guard };

    write(&path, "");
    let writer = async {
        sleep(SETTLE_TIME / 2).await;
        write(&path, &format!("{OLD}\n{NEW}"));
    };
    tokio::join!(watch.poll(false), writer);
    assert!(scene.is_admitted(OLD) && !scene.is_admitted(NEW));
    watch.poll(false).await;
    assert!(scene.is_admitted(OLD) && scene.is_admitted(NEW));
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
