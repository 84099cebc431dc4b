//! The text of `config/example.toml`.

use std::fmt::Write as _;

use super::key::{Fallback, KeyInfo};
use super::table::{CALLER_KEYS, KEYS};

/// Every key with its default and its help. A key without a default is commented out, with an example.
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

/// A configuration has any number of callers, by default none, so the whole table is commented out.
fn write_caller(text: &mut String) {
    text.push_str(CALLER);
    for key in &CALLER_KEYS {
        let (help, name, value) = (key.help, key.split().1, key.fallback.text());
        let _infallible = write!(text, "# {help}\n# {name} = {value}\n");
    }
}

const CALLER: &str = "
# A named caller; there can be several. With at least one, every request must come from one of them. A caller
# sends its key as Authorization: Bearer, as the Basic password (curl -u x:KEY) or as X-Cupbearer-Key, which are
# never forwarded. A name consists of a-z, 0-9, \"_\" and \"-\".
# [guard.callers.ci]
";

fn write_key(text: &mut String, key: &KeyInfo, name: &str) {
    let (note, mark) = match key.fallback {
        Fallback::Default(_) => ("", ""),
        Fallback::Unset(_) => ("", "# "),
        Fallback::Required(_) => (" Required.", "# "),
    };
    let _infallible = write!(
        text,
        "\n# {}{note}\n{mark}{name} = {}\n",
        key.help,
        key.fallback.text()
    );
}

const HEAD: &str = "\
# Every key of cupbearer with its default. Keys without one are commented out, with an example.
#
# cupbearer reads the first of these files: --config FILE, CUPBEARER_CONFIG, ./cupbearer.toml, and
# cupbearer/config.toml in the user's configuration directory. Every key can also be set by an environment
# variable, CUPBEARER_ and the path in capitals with \"__\" between levels (CUPBEARER_UPSTREAM__URL), except those of
# a caller with \"-\" in its name; its value is the text itself, or TOML for lists and tables. For a secret it is the
# secret itself, never a table with its source; with __FILE after its name, it is the name of a file, and with
# __COMMAND a list with the words of a command. Flags override the environment, the environment overrides the file,
# and the file overrides these defaults. Durations are \"500ms\", \"10s\", \"2m\", \"1h\"; sizes are \"64KiB\", \"1MiB\".
# Relative file names are relative to the working directory.
";

#[cfg(test)]
mod tests;
