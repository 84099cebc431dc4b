//! The block to paste, as TOML with what a reader should know in comments.

use std::fmt::Write as _;
use std::path::Path;

use super::{Folded, FoldedRule, Request};
use crate::config::{is_plain, plain};

/// What the block is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `guard.callers.NAME`.
    pub name: &'a str,
    /// Where its key will be.
    pub key: &'a Path,
    /// The program that was run, without its arguments: there may be a secret among them.
    pub program: &'a str,
    /// How many requests passed.
    pub requests: u64,
    /// Where the document is that paths were folded by.
    pub document: Option<&'a str>,
    /// What makes the run doubtful.
    pub warnings: &'a [String],
}

/// Writes `[guard.callers.NAME]`. Whatever the program chose stands in strings, or in comments on one line.
#[must_use]
pub fn write(about: &About<'_>, folded: &Folded) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let (name, key) = (about.name, about.key.display().to_string());
    let paths = match about.document {
        Some(document) => format!("paths folded by {}", plain(document)),
        None => "each path as it was asked for, since no OpenAPI document was found".to_owned(),
    };
    let (program, requests) = (plain(about.program), about.requests);
    line(&format!(
        "# Learned from one run of {program}: {requests} requests; {paths}."
    ));
    for warning in about.warnings {
        line(&format!("# Warning: {}", plain(warning)));
    }
    line(&format!(
        "# Make its key: cupbearer keygen --caller {name} --out {}",
        plain(&key)
    ));
    line(&format!("[guard.callers.{name}]"));
    line(&format!("key = {{ file = {} }}", quoted(&key)));
    if folded.read_only {
        line("read_only = true");
    }
    line("allow = [");
    for rule in &folded.allow {
        line(&format!("  {},{}", quoted(&rule.rule), remark(rule)));
    }
    line("]");
    if !folded.deny.is_empty() {
        line("# Within a rule above, and something else to the API, which the run did not use:");
        line("deny = [");
        for rule in &folded.deny {
            line(&format!("  {},", quoted(rule)));
        }
        line("]");
    }
    list(
        &mut text,
        "No rule can say these; they will be refused:",
        &folded.unwritable,
    );
    list(
        &mut text,
        "Refused in this run, by [guard] or since servers differ on the path or a field:",
        &folded.refused,
    );
    text
}

fn list(text: &mut String, title: &str, requests: &[Request]) {
    if requests.is_empty() {
        return;
    }
    // A String takes every write.
    let _ = writeln!(text, "# {title}");
    for Request { path, method } in requests {
        let _ = writeln!(text, "#   {} {}", plain(method), plain(path));
    }
}

fn remark(rule: &FoldedRule) -> String {
    match &rule.notes[..] {
        [] => String::new(),
        notes => format!(" # {}", notes.join("; ")),
    }
}

/// As TOML; where an eye would be misled by what the string holds, with that escaped.
fn quoted(text: &str) -> String {
    if text.chars().all(is_plain) {
        return toml::Value::from(text).to_string();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        // A String takes every write.
        let _ = match letter {
            '"' | '\\' => write!(quoted, "\\{letter}"),
            letter if is_plain(letter) => write!(quoted, "{letter}"),
            letter => write!(quoted, "\\U{:08X}", u32::from(letter)),
        };
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::{Seen, Times, fold};
    use super::*;

    #[test]
    fn the_block_is_toml_whatever_the_program_chose() {
        let mut seen = Seen::default();
        for (method, path) in [
            ("GET", "/a\"b"),
            ("GET", "/%22'%C3%BC"),
            ("POST", "/it's"),
            ("BREW", "/x"),
        ] {
            let request = Request {
                path: path.to_owned(),
                method: method.to_owned(),
            };
            seen.requests.insert(
                request,
                Times {
                    passed: 1,
                    statuses: [200].into(),
                    refused: 1,
                },
            );
        }
        let about = About {
            name: "ci",
            key: Path::new("/home/o'hara/ci \"1\".key"),
            program: "evil\n[guard.callers.root]",
            requests: 4,
            document: Some("/o\u{1b}.json"),
            warnings: &["it ended with 1".to_owned()],
        };
        let text = write(&about, &fold(&seen, None));
        let parsed: toml::Value = toml::from_str(&text).unwrap();
        let callers = parsed["guard"]["callers"].as_table().unwrap();
        assert_eq!(callers.keys().collect::<Vec<_>>(), ["ci"]);
        let ci = &callers["ci"];
        assert_eq!(ci["key"]["file"].as_str(), about.key.to_str());
        let allow: Vec<_> = ci["allow"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(toml::Value::as_str)
            .collect();
        assert_eq!(allow, ["GET /\"'ü", "GET /a\"b", "POST /it's"]);
        assert!(!text.contains('\u{1b}'), "{text}");
        for line in [
            "# Warning: it ended with 1",
            "#   BREW /x",
            "#   GET /a\"b",
            "keygen --caller ci --out ",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn what_misleads_an_eye_is_escaped_in_strings_and_replaced_in_comments() {
        let mut folded = Folded::default();
        let rule = "GET /a\"\\\u{202e}\u{9b}b";
        folded.deny.push(rule.to_owned());
        folded.refused.push(Request {
            path: "/\u{202e}\u{9b}x".to_owned(),
            method: "GET".to_owned(),
        });
        let about = About {
            name: "ci",
            key: Path::new("ci.key"),
            program: "ci",
            requests: 1,
            document: None,
            warnings: &[],
        };
        let text = write(&about, &folded);
        assert!(
            text.chars().all(|one| one == '\n' || is_plain(one)),
            "{text}"
        );
        assert!(text.contains("#   GET /??x"), "{text}");
        let parsed: toml::Value = toml::from_str(&text).unwrap();
        let deny = &parsed["guard"]["callers"]["ci"]["deny"][0];
        assert_eq!(deny.as_str(), Some(rule));
    }
}
