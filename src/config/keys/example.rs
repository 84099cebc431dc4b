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
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml");

    /// `CUPBEARER_WRITE_EXAMPLE=1 cargo test --lib example` writes the file anew.
    #[test]
    fn the_example_file_is_what_the_table_says() {
        if std::env::var_os("CUPBEARER_WRITE_EXAMPLE").is_some() {
            std::fs::write(FILE, example()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(FILE).unwrap().replace("\r\n", "\n"),
            example()
        );
    }

    #[test]
    fn every_key_of_the_table_stands_in_the_example_with_its_value() {
        let uncommented: String = example()
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with('[') => rest,
                Some(rest)
                    if rest
                        .split_once(" = ")
                        .is_some_and(|(name, _)| !name.contains(' ')) =>
                {
                    rest
                }
                _ => line,
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let example: toml::Value = toml::from_str(&uncommented).unwrap();
        for key in KEYS.iter().chain(&CALLER_KEYS) {
            let path = key.path.replace("NAME", "ci");
            let found = path.split('.').try_fold(&example, |at, part| at.get(part));
            let expected: toml::Value =
                toml::from_str(&format!("v = {}", key.fallback.text())).unwrap();
            assert_eq!(found, expected.get("v"), "{}", key.path);
        }
    }
}
