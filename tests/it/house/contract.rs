//! What other people's files and scripts rely on: keys, reasons, metrics, exit codes and the fields of `/status`.
//!
//! `packaging/contract.json` lists it as of the version that it names. A removed or changed entry is a break, which
//! needs a new major version (before 1.0, a new minor one); additions are not. Until the changelog has a section for
//! that version, and whenever nothing breaks, this writes the list again:
//!
//! ```text
//! CUPBEARER_WRITE_DOCS=1 cargo test --test it contract
//! ```
//!
//! Some defaults depend on the system, and the file has the ones on Linux, so other systems leave this out.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use cupbearer::admin::status_api::{
    ProblemStatus, ProcessStatus, ProxyStatus, RecentRequest, TokenAttemptStatus, TokenStatus,
};
use cupbearer::cli::Exit;
use cupbearer::config::keys::{self, Fallback, KeyInfo};
use cupbearer::problem::Reason;
use serde_json::Value;

use crate::support::{Binary, Config, SECRET, Upstream, ask, get, token_answer};

/// What each entry of a section is, by its name.
type Section = BTreeMap<String, String>;

/// A section by its name.
type Sections = BTreeMap<String, Section>;

#[derive(serde::Deserialize, serde::Serialize)]
struct Contract {
    version: String,
    #[serde(flatten)]
    sections: Sections,
}

#[tokio::test]
async fn generated_contract_loses_and_changes_nothing_without_a_new_major_version() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/contract.json");
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let sections = Sections::from([
        ("keys".to_owned(), keys()),
        ("reasons".to_owned(), reasons()),
        ("metrics".to_owned(), metrics().await),
        ("exit_codes".to_owned(), exit_codes()),
        ("status".to_owned(), status_fields()),
    ]);
    let writes = std::env::var_os("CUPBEARER_WRITE_DOCS").is_some();
    let present = Contract { version, sections };
    let recorded = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str::<Contract>(&text).unwrap(),
        Err(_) if writes => return write(&path, &present),
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let breaks = breaks(&recorded.sections, &present.sections);
    let may_break = !is_released(&recorded.version)
        || is_step_that_may_break(&recorded.version, &present.version);
    if writes && (breaks.is_empty() || may_break) {
        return write(&path, &present);
    }
    assert!(
        breaks.is_empty(),
        "{}\n{}",
        breaks.join("\n"),
        if may_break {
            "Run `CUPBEARER_WRITE_DOCS=1 cargo test --test it contract` and commit the result."
        } else {
            "A released version promised this: keep it, or increase the major version (before 1.0, the minor one)."
        }
    );
}

#[test]
fn a_removed_or_changed_entry_is_a_break_and_a_new_one_is_not() {
    let sections = |entries: &[(&str, &str)]| {
        let entries = entries
            .iter()
            .map(|(name, what)| ((*name).to_owned(), (*what).to_owned()));
        Sections::from([("keys".to_owned(), entries.collect())])
    };
    let before = sections(&[("drain", "duration"), ("name", "text")]);
    let more = sections(&[
        ("drain", "duration"),
        ("listen", "addresses"),
        ("name", "text"),
    ]);
    assert_eq!(breaks(&before, &before), [""; 0]);
    assert_eq!(breaks(&before, &more), [""; 0]);
    assert_eq!(breaks(&more, &before), ["keys: listen (addresses) is gone"]);
    assert_eq!(
        breaks(&before, &sections(&[("drain", "count"), ("name", "text")])),
        ["keys: drain was duration, and is now count"]
    );
    assert_eq!(breaks(&before, &Sections::new()).len(), 2);
}

#[test]
fn only_a_new_major_version_may_break_and_before_1_0_a_new_minor_one() {
    for (from, to) in [("0.1.0", "0.2.0"), ("0.9.3", "1.0.0"), ("1.4.2", "2.0.0")] {
        assert!(is_step_that_may_break(from, to), "{from} {to}");
    }
    for (from, to) in [
        ("0.1.0", "0.1.0"),
        ("0.1.0", "0.1.1"),
        ("1.4.2", "1.5.0"),
        ("1.0.0", "0.9.0"),
        ("0.2.0", "0.1.9"),
    ] {
        assert!(!is_step_that_may_break(from, to), "{from} {to}");
    }
}

fn breaks(recorded: &Sections, present: &Sections) -> Vec<String> {
    let nothing = Section::new();
    let mut breaks = Vec::new();
    for (section, entries) in recorded {
        let now = present.get(section).unwrap_or(&nothing);
        for (name, what) in entries {
            match now.get(name) {
                None => breaks.push(format!("{section}: {name} ({what}) is gone")),
                Some(new) if new != what => {
                    breaks.push(format!("{section}: {name} was {what}, and is now {new}"));
                }
                Some(_) => {}
            }
        }
    }
    breaks
}

/// Whether the changelog has a section for the version.
fn is_released(version: &str) -> bool {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md");
    fs::read_to_string(path)
        .unwrap()
        .contains(&format!("\n## [{version}]"))
}

fn is_step_that_may_break(from: &str, to: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        let core = version.split(['-', '+']).next().unwrap_or_default();
        core.split('.').map(|part| part.parse().unwrap()).collect()
    };
    let (from, to) = (numbers(from), numbers(to));
    to[0] > from[0] || (from[0] == 0 && to[0] == 0 && to[1] > from[1])
}

fn write(path: &std::path::Path, contract: &Contract) {
    let text = serde_json::to_string_pretty(contract).unwrap();
    fs::write(path, text + "\n").unwrap();
}

fn keys() -> Section {
    let keys = keys::KEYS.iter().chain(&keys::CALLER_KEYS);
    keys.map(|key| (key.path.to_owned(), description(key)))
        .collect()
}

fn description(key: &KeyInfo) -> String {
    // Without the bounds of a number: widening them is no break.
    let kind = format!("{:?}", key.kind).to_ascii_lowercase();
    let kind = kind.split('(').next().unwrap_or_default();
    match key.fallback {
        Fallback::Default(value) => format!("{kind}, default {value}"),
        Fallback::Unset(_) => kind.to_owned(),
        Fallback::Required(_) => format!("{kind}, required"),
    }
}

fn reasons() -> Section {
    let mut section = Section::new();
    for reason in Reason::ALL {
        let what = format!("{} {}", reason.status().as_u16(), reason.proxy_error());
        let entry = section.entry(reason.name().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(&what);
    }
    section
}

fn exit_codes() -> Section {
    let codes = [
        (Exit::Fine, "success"),
        (Exit::Failed, "failure"),
        (Exit::Usage, "invalid command line"),
        (Exit::Configuration, "invalid configuration"),
        (Exit::Refused, "the token endpoint refuses the credentials"),
        (Exit::Unreachable, "something is unreachable"),
    ];
    let codes = codes.into_iter();
    codes
        .map(|(exit, what)| (exit.code().to_string(), what.to_owned()))
        .collect()
}

/// The type and the labels of each of cupbearer's own metrics, after one request.
async fn metrics() -> Section {
    let (upstream, endpoint) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let config = Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "contract",
        secret: SECRET,
        settings: &["admin.listen=127.0.0.1:0"],
    };
    let binary = Binary::start(&config).await;
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    let text = loop {
        let text = ask(binary.admin(), get("/metrics")).await.text();
        if text.contains("\ncupbearer_requests_total{") {
            break text;
        }
    };
    let types = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        name.starts_with("cupbearer_").then_some((name, kind))
    });
    types
        .map(|(name, kind)| (name.to_owned(), format!("{kind}{}", labels(&text, name))))
        .collect()
}

/// The names of the labels of a metric, in the order of the text.
fn labels(text: &str, metric: &str) -> String {
    let series = text.lines().find_map(|line| {
        let (name, rest) = line.split_once('{')?;
        let family = name.strip_suffix("_bucket").unwrap_or(name);
        (family == metric).then(|| rest.split('}').next().unwrap_or_default())
    });
    let names = series.unwrap_or_default().split("\",");
    let names = names.filter_map(|label| label.split_once('='));
    let names = names.map(|(name, _)| name).filter(|name| *name != "le");
    names.fold(String::new(), |all, name| all + " " + name)
}

/// The path and the type of each field of `/status`.
fn status_fields() -> Section {
    let status = ProcessStatus {
        proxies: vec![ProxyStatus {
            listens_on: vec![String::new()],
            notes: vec![String::new()],
            problems: vec![ProblemStatus::default()],
            recent: vec![RecentRequest::default()],
            token: TokenStatus {
                attempts: vec![TokenAttemptStatus::default()],
                ..TokenStatus::default()
            },
            ..ProxyStatus::default()
        }],
        problems: vec![ProblemStatus::default()],
        ..ProcessStatus::default()
    };
    let mut section = Section::new();
    add_fields(&mut section, "", &serde_json::to_value(status).unwrap());
    section
}

fn add_fields(section: &mut Section, path: &str, value: &Value) {
    let kind = match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                add_fields(section, &format!("{path}{dot}{name}"), value);
            }
            return;
        }
        Value::Array(elements) => return add_fields(section, &format!("{path}[]"), &elements[0]),
        // A field that may be missing says nothing about its type.
        Value::Null => "optional",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    section.insert(path.to_owned(), kind.to_owned());
}
