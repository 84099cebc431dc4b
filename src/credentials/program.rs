//! Finds the program of a command: where the system would find it, and on Windows also scripts such as `az.cmd`, which
//! it would not.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf, absolute};

/// The program to start: an absolute path, or a name that the system looks for in `PATH`. `None` if there is no such
/// program.
///
/// A path is relative to our own working directory, although the program runs in another one.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let extensions = if cfg!(windows) {
        let listed = env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".to_owned());
        listed.split(';').map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    find(name, &path, &extensions, &is_executable)
}

/// `extensions`: what a program's name may end with, if it was written without.
fn find(
    name: &str,
    path: &OsStr,
    extensions: &[String],
    is_program: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let mut forms = vec![name.to_owned()];
    // What follows a dot is part of the name, as in `python3.11`, unless it is one of them.
    if !extensions.iter().any(|end| ends_with(name, end)) {
        let extensions = extensions.iter().filter(|end| !end.is_empty());
        forms.splice(0..0, extensions.map(|end| format!("{name}{end}")));
    }
    if Path::new(name).components().count() > 1 || Path::new(name).is_absolute() {
        let files = forms.iter().map(absolute).filter_map(Result::ok);
        return files.into_iter().find(|file| is_program(file));
    }
    // A relative directory in PATH would mean another one where the program runs.
    let directories = env::split_paths(path).filter(|directory| directory.is_absolute());
    directories
        .flat_map(|directory| {
            forms
                .iter()
                .map(move |form| directory.join(form))
                .collect::<Vec<_>>()
        })
        .find(|file| is_program(file))
}

fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    let found = start.and_then(|start| name.get(start..));
    !end.is_empty() && found.is_some_and(|found| found.eq_ignore_ascii_case(end))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests;
