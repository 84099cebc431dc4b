//! Finds comment lines that are too long. rustfmt wraps code at its own width, but leaves comments as they are.

use std::fs;
use std::path::{Path, PathBuf};

/// How many columns a comment line may have. A line with a URL, which cannot be wrapped, may have more.
const MAX_COLUMNS: usize = 120;

#[test]
fn no_comment_line_has_more_than_120_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut too_long = Vec::new();
    for path in ["src", "tests", "benches", "fuzz/targets"].map(|folder| root.join(folder)) {
        for file in rust_files_below(&path) {
            let name = file.strip_prefix(root).unwrap().display();
            let lines = too_long_lines(&fs::read_to_string(&file).unwrap());
            too_long.extend(lines.into_iter().map(|line| format!("{name}:{line}")));
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn only_a_long_comment_without_a_url_is_found() {
    let long = "ä".repeat(MAX_COLUMNS - "    // ".len());
    for fine in [
        format!("    // {long}"),
        format!("    /// https://{long}"),
        format!("    let x = {long};"),
    ] {
        assert_eq!(too_long_lines(&fine), [0; 0], "{fine}");
    }
    for mark in ["//", "///", "//!"] {
        let text = format!("fn f() {{}}\n    {mark} {long}x\n");
        assert_eq!(too_long_lines(&text), [2], "{mark}");
    }
}

/// The numbers of the lines, counted from 1.
fn too_long_lines(text: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| line.trim_start().starts_with("//"))
        .filter(|(_, line)| line.chars().count() > MAX_COLUMNS && !line.contains("://"))
        .map(|(index, _)| index + 1)
        .collect()
}

fn rust_files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
