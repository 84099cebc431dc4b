//! Text in the repository that is generated from code: a whole file, or one section of a document.
//!
//! A section is enclosed by `<!-- generated: NAME -->` and `<!-- /generated -->`, each on a line of its
//! own. The tests compare it with what the code generates today. After a change, generate it again:
//!
//! ```text
//! CUPBEARER_WRITE_DOCS=1 cargo test --test it generated
//! ```

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cupbearer::config::keys;
use cupbearer::{doctor, metrics, problem};

const WRITE: &str = "CUPBEARER_WRITE_DOCS";

// The default of `guard.local_users` depends on the system; the files show the one on Linux.
#[cfg(target_os = "linux")]
#[test]
fn generated_example_configuration_is_up_to_date() {
    assert_generated("config/example.toml", None, &keys::example());
}

#[cfg(target_os = "linux")]
#[test]
fn generated_table_of_keys_is_up_to_date() {
    assert_generated(
        "docs/configuration.md",
        Some("keys"),
        &keys::markdown_table(),
    );
}

#[test]
fn generated_table_of_reasons_is_up_to_date() {
    assert_generated(
        "docs/troubleshooting.md",
        Some("reasons"),
        &problem::markdown_table(),
    );
}

#[test]
fn generated_table_of_checks_is_up_to_date() {
    assert_generated("docs/doctor.md", Some("checks"), &doctor::markdown_table());
}

// The process's own metrics exist only on Linux.
#[cfg(target_os = "linux")]
#[test]
fn generated_table_of_metrics_is_up_to_date() {
    let reasons = problem::Reason::ALL.map(problem::Reason::name);
    assert_generated(
        "docs/metrics.md",
        Some("metrics"),
        &metrics::markdown_table(&reasons),
    );
}

#[test]
fn generated_section_is_replaced_and_everything_around_it_is_kept() {
    let document = "before\n<!-- generated: a -->\nold\n<!-- /generated -->\nafter\n";
    let new = "before\n<!-- generated: a -->\n\nnew\n\n<!-- /generated -->\nafter\n";
    assert_eq!(replace_section(document, "a", "new\n").as_deref(), Ok(new));
    assert_eq!(replace_section(new, "a", "new\n").as_deref(), Ok(new));
    assert!(replace_section(document, "b", "new\n").is_err());
    assert!(replace_section("<!-- generated: a -->\n", "a", "new\n").is_err());
}

/// Fails unless `file`, or its section of that name, is exactly `expected`.
/// With `CUPBEARER_WRITE_DOCS=1`, writes the file instead.
pub(super) fn assert_generated(file: &str, section: Option<&str>, expected: &str) {
    // One file can have several sections, each written by a test of its own.
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let present = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let expected = match section {
        None => expected.to_owned(),
        Some(name) => replace_section(&present, name, expected)
            .unwrap_or_else(|problem| panic!("{file}: {problem}")),
    };
    if present == expected {
        return;
    }
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let differs = present
        .lines()
        .zip(expected.lines())
        .position(|(present, expected)| present != expected)
        .unwrap_or_else(|| present.lines().count().min(expected.lines().count()));
    panic!(
        "{file} is out of date from line {}: the code that generates it now says\n  {}\n\
         Run `{WRITE}=1 cargo test --test it generated` and commit the result.",
        differs + 1,
        expected.lines().nth(differs).unwrap_or("(end of file)"),
    );
}

/// Returns `document` with `text` between the two markers, with an empty line before and after it.
fn replace_section(document: &str, name: &str, text: &str) -> Result<String, String> {
    const END: &str = "<!-- /generated -->";
    let start = format!("<!-- generated: {name} -->\n");
    let (before, rest) = document
        .split_once(&start)
        .ok_or_else(|| format!("the line `{}` is missing", start.trim_end()))?;
    let (_, after) = rest
        .split_once(END)
        .ok_or_else(|| format!("the section `{name}` has no end: add `{END}`"))?;
    let text = text.trim_end();
    Ok(format!("{before}{start}\n{text}\n\n{END}{after}"))
}
