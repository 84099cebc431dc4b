//! What `--version --verbose` says about how the binary was built, and where `build.rs` finds the commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cupbearer(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cupbearer"))
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_version_is_one_line_and_with_verbose_says_commit_target_toolchain_and_features() {
    let version = concat!("cupbearer ", env!("CARGO_PKG_VERSION"), "\n");
    for flag in ["--version", "-V"] {
        assert_eq!(cupbearer(&[flag]), (Some(0), version.to_owned()));
    }
    for arguments in [["--version", "--verbose"], ["--verbose", "-V"]] {
        let (code, text) = cupbearer(&arguments);
        assert_eq!(code, Some(0), "{text}");
        let mut facts = text.strip_prefix(version).unwrap().lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            assert!(!value.is_empty(), "{text}");
            (name, value)
        });
        assert_eq!(facts.next().unwrap().0, "commit");
        let (name, target) = facts.next().unwrap();
        assert!(name == "target" && target.contains(std::env::consts::ARCH));
        let (name, toolchain) = facts.next().unwrap();
        assert!(name == "toolchain" && toolchain.starts_with("rustc "));
        let (name, features) = facts.next().unwrap();
        assert!(name == "features" && features.contains("demo") == cfg!(feature = "demo"));
        assert_eq!(facts.next(), None);
    }
    assert_eq!(cupbearer(&["--verbose"]).0, Some(2));
}

/// The build script, compiled.
fn build_script(directory: &Path) -> PathBuf {
    let script = directory.join("build_script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let rustc = Command::new("rustc")
        .args(["--edition=2024", "-o"])
        .args([&script, &source])
        .output()
        .unwrap();
    assert!(rustc.status.success(), "{rustc:?}");
    script
}

/// The commit that the script records in a build of this profile in this folder.
fn commit(script: &Path, folder: &Path, profile: &str, given: &str) -> String {
    let Output { status, stdout, .. } = Command::new(script)
        .current_dir(folder)
        .env("PROFILE", profile)
        .env("TARGET", "some-target")
        .env("CUPBEARER_COMMIT", given)
        .output()
        .unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{stdout}");
    assert!(stdout.contains("\ncargo::rustc-env=CUPBEARER_BUILD_TARGET=some-target\n"));
    let (_, rest) = stdout
        .split_once("cargo::rustc-env=CUPBEARER_BUILD_COMMIT=")
        .unwrap();
    rest.lines().next().unwrap().to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_commit_is_the_given_one_or_that_of_the_package_or_of_the_checkout() {
    let directory = tempfile::tempdir().unwrap();
    let script = build_script(directory.path());
    let repository = directory.path().join("repository");
    let inside = repository.join("inside");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(repository.join("file"), "one").unwrap();
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "file"]);
    git(&repository, &["commit", "--quiet", "--message", "x"]);
    let head = git(&repository, &["rev-parse", "HEAD"]);

    assert_eq!(commit(&script, &repository, "release", ""), head);
    assert_eq!(
        commit(&script, &repository, "debug", ""),
        "not recorded",
        "a development build would be compiled again after each commit"
    );
    assert_eq!(
        commit(&script, &inside, "release", ""),
        "not recorded",
        "the repository belongs to something else"
    );
    std::fs::write(repository.join("file"), "two").unwrap();
    let changed = format!("{head} with changes");
    assert_eq!(commit(&script, &repository, "release", ""), changed);

    let packaged = |extra: &str| {
        let info = format!("{{\n  \"git\": {{\n    \"sha1\": \"abc123\"{extra}\n  }}\n}}\n");
        std::fs::write(inside.join(".cargo_vcs_info.json"), info).unwrap();
        commit(&script, &inside, "release", "")
    };
    assert_eq!(packaged(""), "abc123");
    assert_eq!(
        packaged(",\n    \"dirty\": true"),
        "abc123 with changes",
        "cargo package --allow-dirty"
    );
    assert_eq!(commit(&script, &inside, "release", "given"), "given");
}
