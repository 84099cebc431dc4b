//! What surrounds the program when it starts: the limit of open files, the directory for temporary files, the terminal.

use std::process::{Command, Stdio};

use crate::support::SECRET;

#[test]
fn too_few_open_files_are_named_as_the_cause_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let text = format!(
        "listen = \"localhost:0\"\nadmin.listen = \"localhost:0\"\nupstream.url = \"https://api.example.com\"\n[token]\n\
         url = \"https://as.example.com/t\"\nclient_id = \"x\"\nclient_secret = {{ file = {secret:?} }}\n"
    );
    let file = directory.path().join("c.toml");
    std::fs::write(&file, text).unwrap();
    let mut failed = 0;
    // From what the loader of the program needs to where it starts.
    for limit in 4..16 {
        let program = env!("CARGO_BIN_EXE_cupbearer");
        let line = format!(
            "ulimit -n {limit}; exec timeout 2 {program} --config {}",
            file.display()
        );
        // Only the three standard ones are open.
        let output = Command::new("sh")
            .args(["-c", &line])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panic"), "{limit}: {stderr}");
        assert!(!stderr.contains("local_users"), "{limit}: {stderr}");
        let is_cause = |line: &&str| line.contains("cannot start") && line.contains("open");
        if stderr.lines().any(|line| is_cause(&line)) {
            assert_eq!(output.status.code(), Some(1), "{limit}: {stderr}");
            assert!(
                stderr.contains("raise the limit of open files (ulimit -n"),
                "{limit}: {stderr}"
            );
            failed += 1;
        }
    }
    assert!(failed > 3, "{failed}");
}

#[cfg(feature = "demo")]
#[test]
fn a_demo_without_a_directory_for_temporary_files_says_which_and_what_chooses_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
        .args(["demo", "--listen", "localhost:0"])
        .env("TMPDIR", "/does/not/exist")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for words in [
        "/does/not/exist, the directory for temporary files",
        "with TMPDIR",
    ] {
        assert!(stderr.contains(words), "{stderr}");
    }
}

/// Runs a command without a configuration on a terminal with 60 columns.
#[test]
fn on_a_terminal_what_is_missing_fits_into_its_width() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in ["", "check"] {
        let line = format!(
            "stty cols 60; exec {} {arguments}",
            env!("CARGO_BIN_EXE_cupbearer")
        );
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(&directory)
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        assert!(
            first.starts_with("nothing is configured: `cupbearer init`"),
            "{text}"
        );
        assert!(lines.count() > 10, "{text}");
        let longest = text.lines().filter(|line| line.trim().contains(' '));
        let longest = longest.map(|line| line.chars().count()).max();
        assert!(
            longest.is_some_and(|length| length <= 60),
            "{longest:?} {text}"
        );
        assert!(text.contains("\n  token.client_id (not set)"), "{text}");
    }
}
