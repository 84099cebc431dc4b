//! Records how the program is built, for `cupbearer --version --verbose`: the commit, the target and the compiler.
#![allow(
    clippy::print_stdout,
    reason = "a build script talks to cargo through its standard output"
)]

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Written by `cargo package`: a published crate comes without its repository.
const PACKAGED_COMMIT: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-env-changed=CUPBEARER_COMMIT");
    let commit = given_commit()
        .or_else(packaged_commit)
        .or_else(checked_out_commit)
        .unwrap_or_else(|| "not recorded".to_owned());
    let target = env::var("TARGET").unwrap_or_default();
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = output(&compiler, &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=CUPBEARER_BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=CUPBEARER_BUILD_TARGET={target}");
    println!("cargo::rustc-env=CUPBEARER_BUILD_TOOLCHAIN={compiler}");
}

/// What the build of an image sets, which has no repository either.
fn given_commit() -> Option<String> {
    env::var("CUPBEARER_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
}

fn packaged_commit() -> Option<String> {
    let info = fs::read_to_string(PACKAGED_COMMIT).ok()?;
    println!("cargo::rerun-if-changed={PACKAGED_COMMIT}");
    let (_, rest) = info.split_once("\"sha1\": \"")?;
    let commit = rest.split('"').next()?.to_owned();
    Some(marked(commit, info.contains("\"dirty\": true")))
}

/// Not in development builds, which would be compiled again after each commit. A repository further up, such as one of
/// a home directory, is not ours.
fn checked_out_commit() -> Option<String> {
    if env::var("PROFILE").as_deref() == Ok("debug") || !Path::new(".git").exists() {
        return None;
    }
    let commit = output("git", &["rev-parse", "HEAD"])?;
    for path in ["HEAD", "logs/HEAD"] {
        let file = output("git", &["rev-parse", "--git-path", path])?;
        println!("cargo::rerun-if-changed={file}");
    }
    let changes = output("git", &["status", "--porcelain", "--untracked-files=no"])?;
    Some(marked(commit, !changes.is_empty()))
}

fn marked(commit: String, is_changed: bool) -> String {
    if is_changed {
        commit + " with changes"
    } else {
        commit
    }
}

/// What a program prints, if it succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
