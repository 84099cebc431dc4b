//! `config/example.toml`, written from the table, so that it cannot say anything else.

use std::fmt::Write as _;

use super::{CALLER_KEYS, Fallback, KEYS, Key};

/// The text of `config/example.toml`: every key with its default, its unit and one line.
///
/// What has no default stands there as a comment with an example value.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(HEAD);
    let mut current = "";
    for key in &KEYS {
        let (section, name) = key.split();
        if section != current {
            if current == "guard" {
                write_caller(&mut text);
            }
            current = section;
            let _infallible = write!(text, "\n[{section}]\n");
        }
        write_key(&mut text, key, name);
    }
    text
}

/// A caller's table is there once for each, or not at all: the whole of it is an example.
fn write_caller(text: &mut String) {
    text.push_str(CALLER);
    for key in &CALLER_KEYS {
        let (doc, name, value) = (key.doc, key.split().1, key.fallback.text());
        let _infallible = write!(text, "# {doc}\n# {name} = {value}\n");
    }
}

const CALLER: &str = "
# A named caller, as many as there are: with any, a request must be one of them. It sends its key as
# Authorization: Bearer, as the Basic password (curl -u x:KEY) or as X-Cupbearer-Key, none of which goes on.
# Names are of a-z, 0-9, \"_\" and \"-\".
# [guard.callers.ci]
";

fn write_key(text: &mut String, key: &Key, name: &str) {
    let (note, mark) = match key.fallback {
        Fallback::Default(_) => ("", ""),
        Fallback::Unset(_) => ("", "# "),
        Fallback::Required(_) => (" Required.", "# "),
    };
    let _infallible = write!(
        text,
        "\n# {}{note}\n{mark}{name} = {}\n",
        key.doc,
        key.fallback.text()
    );
}

const HEAD: &str = "\
# Every key of cupbearer with its default. Keys without one are commented out, with an example.
#
# The file is looked for as --config FILE, CUPBEARER_CONFIG, ./cupbearer.toml, and cupbearer/config.toml
# in the user's configuration directory. Every key can also be set in the environment: CUPBEARER_ and the
# path in capitals, \"__\" between levels (CUPBEARER_UPSTREAM__URL); text as it is, lists and tables as TOML.
# Order: these defaults, the file, the environment, flags. Durations are \"500ms\", \"10s\", \"2m\", \"1h\";
# sizes are \"64KiB\", \"1MiB\". Relative file names start at the working directory.
";

#[cfg(test)]
mod tests;
