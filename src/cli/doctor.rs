//! `cupbearer doctor`: shows the checks while they run, or all of them as JSON.
//!
//! On a terminal, a line shows the check in progress, and its result replaces it.

use std::io::{self, IsTerminal as _};

use clap::Args;
use http::uri::PathAndQuery;
use serde_json::{Value, json};

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{ResultOutput, print_result};
use crate::config::{Overrides, Surroundings};
use crate::credentials;
use crate::doctor::{self, Check, CheckProgress, DoctorOptions, FailureKind, Outcome};
use crate::vendor::{Remedy, SetupStep};

/// Find out why something does not work: numbered checks, each with its remedy
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "Example:\n  cupbearer doctor --config pingone.toml\n  cupbearer doctor --json | jq '.checks[] | select(.outcome == \"failed\")'\n\n\
                  It requests one access token and sends one GET to the API, unless a person signs in. It changes nothing.\n\
                  The exit code is that of the first check that failed."
)]
pub(super) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Path to GET at the API [default: a list that the API has, or /]
    #[arg(long, value_name = "PATH", value_parser = api_path)]
    path: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn api_path(text: &str) -> Result<String, &'static str> {
    // A fragment is never sent, so another path would be requested than the one that is shown.
    let is_target = text.starts_with('/') && !text.contains('#');
    if is_target
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.parse::<PathAndQuery>().is_ok()
    {
        Ok(text.to_owned())
    } else {
        Err("write a path of the API, such as /api/v1/certificates")
    }
}

impl DoctorArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        match invocation.single() {
            Ok(overrides) => self.examine(overrides, &invocation.surroundings).await,
            Err(exit) => exit,
        }
    }

    async fn examine(&self, overrides: &Overrides, surroundings: &Surroundings) -> Exit {
        let options = DoctorOptions {
            overrides,
            text: None,
            surroundings,
            path: self.path.as_deref(),
        };
        if !self.json {
            let mut output = ResultOutput::default();
            let checks = examine_visibly(&options, &mut output).await;
            return output.finish(COMMAND, exit_after(&checks));
        }
        let _hidden = credentials::hide_process();
        let checks = Box::pin(doctor::examine(&options, &mut |_| {})).await;
        let json = format!("{:#}\n", to_json(&checks));
        print_result(COMMAND, &json, exit_after(&checks))
    }
}

/// In messages.
const COMMAND: &str = "cupbearer doctor";

/// Runs and shows all checks.
pub(super) async fn examine_visibly(
    options: &DoctorOptions<'_>,
    output: &mut ResultOutput,
) -> Vec<Check> {
    let _hidden = credentials::hide_process();
    let style = TerminalStyle::of_standard_output();
    let checks = Box::pin(doctor::examine(options, &mut |progress| {
        output.put(&style.progress(&progress));
    }))
    .await;
    output.put(&style.summary(&checks));
    checks
}

/// The lines of these checks, with their remedies.
pub(super) fn lines(checks: &[&Check]) -> String {
    let style = TerminalStyle::of_standard_output();
    checks.iter().map(|check| style.lines(check)).collect()
}

/// The exit code of the first check that failed.
pub(super) fn exit_after(checks: &[Check]) -> Exit {
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
    let exit = exit_after(checks);
    json!({
        "ok": exit == Exit::Fine,
        "exit_code": exit.code(),
        "checks": checks.iter().map(check_to_json).collect::<Vec<_>>(),
    })
}

pub(super) fn check_to_json(check: &Check) -> Value {
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

/// What standard output can show.
struct TerminalStyle {
    /// Whether a line can be replaced.
    is_terminal: bool,
    has_colours: bool,
}

impl TerminalStyle {
    fn of_standard_output() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_terminal: is_terminal && !is_dumb,
            has_colours: is_terminal && !is_dumb && !is_set("NO_COLOR"),
        }
    }

    fn progress(&self, progress: &CheckProgress<'_>) -> String {
        match progress {
            CheckProgress::Started { number, title } if self.is_terminal => {
                format!("{number:>3}  {title} …")
            }
            CheckProgress::Started { .. } => String::new(),
            CheckProgress::Finished(check) if self.is_terminal => {
                format!("\r\x1b[2K{}", self.lines(check))
            }
            CheckProgress::Finished(check) => self.lines(check),
        }
    }

    fn lines(&self, check: &Check) -> String {
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
                    lines.push(format!("{MARGIN}   remedy: {}", remedy_text(remedy)));
                }
            }
            [only] => lines.push(format!("{MARGIN}remedy: {}", remedy_text(only))),
            several => {
                lines.push(format!("{MARGIN}the cause cannot be told from here:"));
                for (index, remedy) in several.iter().enumerate() {
                    let word = if index == 0 { "either" } else { "or" };
                    let cause = remedy.cause.as_deref().unwrap_or("something else");
                    lines.push(format!("{MARGIN}  {word} {cause}"));
                    lines.push(format!("{MARGIN}     remedy: {}", remedy_text(remedy)));
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
                let words = format!("Start with check {}: {}.", check.number, check.title);
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

/// Aligns with the outcome of the check.
const MARGIN: &str = "              ";

fn remedy_text(remedy: &Remedy) -> String {
    match remedy.step {
        None => remedy.action.clone(),
        Some(step) => format!("{} [{}]", remedy.action, step_text(step)),
    }
}

fn step_text(step: SetupStep) -> String {
    let number = match step.number() {
        0 => "before step 1".to_owned(),
        number => format!("step {number}"),
    };
    format!("{number}: {}; {}", step.tab(), step.guide())
}
