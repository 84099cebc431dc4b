//! `cupbearer doctor`: the checks as they are made, for people; or all of them as JSON.
//!
//! On a terminal a line stands there while its check is under way, and the result takes its place.

use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Value, json};

use super::Exit;
use crate::config::{Overrides, Surroundings};
use crate::credentials;
use crate::doctor::{self, Check, CheckProgress, DoctorOptions, FailureKind, Outcome};
use crate::vendor::{Remedy, SetupStep};

/// What the command line says beside configuration.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[group(skip)] // the variant that it is flattened into has the name
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What to GET at the API [default: a list that the API has, else /]
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Option<String>,
}

fn path(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("write a path of the API, such as /api/v1/certificates")
    }
}

/// Examines, prints, and says how it went: by the first check that failed.
pub(super) async fn doctor(
    wanted: &Doctor,
    overrides: &Overrides,
    surroundings: &Surroundings,
) -> Exit {
    let _hidden = credentials::hide_process();
    let options = DoctorOptions {
        overrides,
        surroundings,
        path: wanted.path.as_deref(),
    };
    let checks = if wanted.json {
        let checks = Box::pin(doctor::examine(&options, &mut |_| {})).await;
        put(&format!("{:#}\n", to_json(&checks)));
        checks
    } else {
        let style = Style::of_standard_output();
        let checks = Box::pin(doctor::examine(&options, &mut |progress| {
            put(&style.shown(&progress));
        }))
        .await;
        put(&style.summary(&checks));
        checks
    };
    exit(&checks)
}

/// These checks as they are shown, with their remedies.
pub(super) fn lines(checks: &[&Check]) -> String {
    let style = Style::of_standard_output();
    checks.iter().map(|check| style.line(check)).collect()
}

/// A closed pipe (`doctor | head`) says nothing about the configuration.
fn put(text: &str) {
    let mut out = io::stdout();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn exit(checks: &[Check]) -> Exit {
    let first = checks.iter().find_map(|check| match check.finding.outcome {
        Outcome::Failed(kind) => Some(kind),
        Outcome::Ok | Outcome::Note | Outcome::Skipped => None,
    });
    match first {
        None => Exit::Fine,
        Some(FailureKind::Configuration) => Exit::Configuration,
        Some(FailureKind::RejectedByTokenEndpoint) => Exit::Refused,
        Some(FailureKind::Unreachable) => Exit::Unreachable,
        Some(FailureKind::Other) => Exit::Failed,
    }
}

/// The field names are a promise to programs.
fn to_json(checks: &[Check]) -> Value {
    let exit = exit(checks);
    json!({
        "ok": exit == Exit::Fine,
        "exit_code": exit.code(),
        "checks": checks.iter().map(check_to_json).collect::<Vec<_>>(),
    })
}

fn check_to_json(check: &Check) -> Value {
    let finding = &check.finding;
    json!({
        "number": check.number,
        "id": check.id,
        "title": check.title,
        "outcome": finding.outcome.as_str(),
        "time_ms": u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX),
        "said": finding.message,
        "undecided": finding.is_undecided(),
        "remedies": finding.remedies.iter().map(remedy_to_json).collect::<Vec<_>>(),
    })
}

fn remedy_to_json(remedy: &Remedy) -> Value {
    json!({
        "cause": remedy.cause,
        "remedy": remedy.action,
        "step": remedy.step.map(|step| json!({
            "number": step.number(),
            "tab": step.tab(),
            "guide": step.guide(),
        })),
    })
}

/// How a terminal, or what is none, is written to.
struct Style {
    /// A line can be taken back.
    is_terminal: bool,
    has_colours: bool,
}

impl Style {
    fn of_standard_output() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_terminal: is_terminal && !is_dumb,
            has_colours: is_terminal && !is_dumb && !is_set("NO_COLOR"),
        }
    }

    fn shown(&self, progress: &CheckProgress<'_>) -> String {
        match progress {
            CheckProgress::Started { number, title } if self.is_terminal => {
                format!("{number:>3}  {title} …")
            }
            CheckProgress::Started { .. } => String::new(),
            CheckProgress::Finished(check) if self.is_terminal => {
                format!("\r\x1b[2K{}", self.line(check))
            }
            CheckProgress::Finished(check) => self.line(check),
        }
    }

    fn line(&self, check: &Check) -> String {
        let finding = &check.finding;
        let outcome = format!("{:<7}", finding.outcome.as_str());
        let first = format!(
            "{:>3}  {}  {:<32}  {:>8}  {}",
            check.number,
            self.coloured(finding.outcome, &outcome),
            check.title,
            format!("{} ms", check.took.as_millis()),
            finding.message
        );
        let mut lines = vec![first];
        match &finding.remedies[..] {
            [] => {}
            all if finding.all_apply => {
                for remedy in all {
                    let cause = remedy.cause.as_deref().unwrap_or_default();
                    lines.push(format!("{MARGIN}{cause}"));
                    lines.push(format!("{MARGIN}   remedy: {}", action(remedy)));
                }
            }
            [only] => lines.push(format!("{MARGIN}remedy: {}", action(only))),
            several => {
                lines.push(format!("{MARGIN}cannot be told apart from here:"));
                for (index, remedy) in several.iter().enumerate() {
                    let word = if index == 0 { "either" } else { "or" };
                    let cause = remedy.cause.as_deref().unwrap_or("something else");
                    lines.push(format!("{MARGIN}  {word} {cause}"));
                    lines.push(format!("{MARGIN}     remedy: {}", action(remedy)));
                }
            }
        }
        lines.join("\n") + "\n"
    }

    fn summary(&self, checks: &[Check]) -> String {
        let count = |outcome: &str| {
            let same = |check: &&Check| check.finding.outcome.as_str() == outcome;
            checks.iter().filter(same).count()
        };
        let first = checks
            .iter()
            .find(|check| matches!(check.finding.outcome, Outcome::Failed(_)));
        let verdict = match first {
            None => self.coloured(Outcome::Ok, "All is well."),
            Some(check) => {
                let words = format!("Begin with number {}: {}.", check.number, check.title);
                self.coloured(check.finding.outcome, &words)
            }
        };
        format!(
            "\n{verdict} {} ok, {} to note, {} failed, {} skipped.\n",
            count("ok"),
            count("note"),
            count("failed"),
            count("skipped")
        )
    }

    fn coloured(&self, outcome: Outcome, text: &str) -> String {
        if !self.has_colours {
            return text.to_owned();
        }
        let colour = match outcome {
            Outcome::Ok => "32",
            Outcome::Note => "33",
            Outcome::Failed(_) => "31",
            Outcome::Skipped => "2",
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

/// Below the number and the outcome.
const MARGIN: &str = "              ";

fn action(remedy: &Remedy) -> String {
    match remedy.step {
        None => remedy.action.clone(),
        Some(step) => format!("{} [{}]", remedy.action, place(step)),
    }
}

fn place(step: SetupStep) -> String {
    let number = match step.number() {
        0 => "before step 1".to_owned(),
        number => format!("step {number}"),
    };
    format!("{number}: {}; {}", step.tab(), step.guide())
}
