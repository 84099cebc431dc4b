//! `cupbearer learn`: runs a program against the configured proxy, on a port and with a key of its own, and prints the
//! rules that allow its requests, or how those differ from existing rules.

mod args;
mod child;
mod comparison;
mod failure;
mod openapi;
mod rules_file;
mod session;

use std::path::Path;

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{print_result, say, write_stdout};
use super::signals::{SignalListener, until_signal};
use crate::config::{AccessRules, Config};
use crate::doctor::preflight;
use crate::learn::{
    FoldedRules, ObservedRequest, ObservedRequests, RunDescription, compare, fold, write_block,
};
use crate::text::{Unprintable, counted, sanitize};
use crate::{credentials, telemetry};

use failure::LearnFailure;
use rules_file::RulesFile;
use session::Lesson;

pub(super) use args::LearnArgs;

impl LearnArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let overrides = match invocation.single() {
            Ok(overrides) => overrides,
            Err(exit) => return exit,
        };
        let _hidden = credentials::hide_process();
        let examination = preflight::load_without_callers(overrides, &invocation.surroundings);
        let (loaded, signals) = match until_signal(examination).await {
            Ok(done) => done,
            Err(signal) => return Exit::OfProgram(signal.exit_code()),
        };
        let config = match loaded {
            Ok(loaded) => loaded.config,
            Err(problems) => {
                say(&problems.to_string());
                return Exit::Configuration;
            }
        };
        let flushing = telemetry::FlushOnDrop::start();
        match learn(&self, config, &flushing, signals).await {
            Ok(exit) => exit,
            Err((exit, message)) => {
                say(&format!("cupbearer learn: {message}"));
                exit
            }
        }
    }
}

async fn learn(
    args: &LearnArgs,
    config: Config,
    flushing: &telemetry::FlushOnDrop,
    signals: Option<SignalListener>,
) -> Result<Exit, LearnFailure> {
    let name = args.caller();
    let existing_rules = match &args.check {
        Some(name) => Some(rules_of(&config, name)?),
        None => None,
    };
    args.output.as_deref().map_or(Ok(()), RulesFile::check)?;
    // Before the run, which may remove the directory.
    let key = std::path::absolute(format!("{name}.key"));
    let key = key.map_err(|error| (Exit::Failed, format!("the current directory: {error}")))?;
    let mut lesson = session::run(args, &name, config, flushing, signals).await?;
    if lesson.seen.requests.is_empty() {
        let exit = lesson.exit().unwrap_or(Exit::Failed);
        return Err((exit, why_nothing_was_learnt(&lesson.seen)));
    }
    let exit = if let Some(rules) = existing_rules {
        let refused = refused_before_rules(&lesson.seen);
        for warning in program_failed(&lesson).into_iter().chain(refused) {
            say(&format!("cupbearer learn: {warning}"));
        }
        let comparison = compare(&lesson.seen, &rules);
        let (text, allows_all) = comparison::describe(&name, &comparison, &lesson.seen);
        let exit = if allows_all { Exit::Fine } else { Exit::Failed };
        print_result("cupbearer learn", &format!("{text}\n"), exit)
    } else {
        let output = lesson.output.take();
        let delivered = deliver(args, (&name, &key), &lesson, output);
        delivered.map_err(|(exit, message)| (lesson.exit().unwrap_or(exit), message))?;
        Exit::Fine
    };
    Ok(lesson.exit().unwrap_or(exit))
}

fn rules_of(config: &Config, name: &str) -> Result<AccessRules, LearnFailure> {
    let callers = &config.guard.callers;
    if let Some(caller) = callers.iter().find(|caller| caller.name == name) {
        return Ok(caller.rails.clone());
    }
    let names: Vec<&str> = callers.iter().map(|caller| &*caller.name).collect();
    let known = match &names[..] {
        [] => "no caller is configured".to_owned(),
        names => format!("the configured callers are {}", names.join(", ")),
    };
    Err((
        Exit::Configuration,
        format!("guard.callers.{name} does not exist: {known}"),
    ))
}

/// Prints the rules, or writes them to `output`. They are printed too if they cannot be written, since the requests of
/// the run cannot be taken back.
fn deliver(
    args: &LearnArgs,
    (name, key): (&str, &Path),
    lesson: &Lesson,
    output: Option<RulesFile>,
) -> Result<(), LearnFailure> {
    let warnings = warnings(lesson);
    for warning in &warnings {
        say(&format!("cupbearer learn: {warning}"));
    }
    let (found, program) = (lesson.found.as_ref(), args.program());
    let description = RunDescription {
        name,
        key,
        program: &program,
        requests: lesson.seen.accepted_count(),
        document: found.map(|found| &*found.location),
        warnings: &warnings,
    };
    let rules = fold(&lesson.seen, found.map(|found| &found.document));
    if rules.allow.is_empty() {
        let exit = lesson.exit().unwrap_or(Exit::Failed);
        return Err((exit, why_no_rules(&rules)));
    }
    let text = write_block(&description, &rules);
    let Some(file) = output else {
        return print_rules(&text);
    };
    let shown = file.path().display().to_string();
    match file.write(&text) {
        Ok(()) => {
            say(&format!("cupbearer learn: the rules are in {shown}"));
            Ok(())
        }
        Err(error) => {
            print_rules(&text)?;
            let message =
                format!("{shown} cannot be written: {error}; the rules have been printed");
            Err((Exit::Failed, message))
        }
    }
}

fn print_rules(text: &str) -> Result<(), LearnFailure> {
    write_stdout(text.as_bytes())
        .map_err(|error| (Exit::Failed, format!("standard output: {error}")))
}

/// Why the rules may allow less than the program needs.
fn warnings(lesson: &Lesson) -> Vec<String> {
    let mut warnings = Vec::from_iter(program_failed(lesson));
    warnings.extend(lesson.search_ended.map(str::to_owned));
    warnings.extend(refused_before_rules(&lesson.seen));
    if lesson.seen.dropped > 0 {
        warnings.push(format!(
            "not recorded, since there were too many different ones: {}",
            counted(lesson.seen.dropped, "request")
        ));
    }
    warnings
}

fn program_failed(lesson: &Lesson) -> Option<String> {
    (!lesson.status.success()).then(|| {
        format!(
            "the program failed ({}), so requests that it would have sent later are missing",
            lesson.status
        )
    })
}

fn refused_before_rules(seen: &ObservedRequests) -> Option<String> {
    let reasons = seen.rejected_by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    (!reasons.is_empty()).then(|| {
        format!(
            "requests were refused before any rule was checked ({}): does each of them have CUPBEARER_KEY?",
            reasons.join(", ")
        )
    })
}

/// A block without rules would be no configuration, and one without `allow` would allow everything.
fn why_no_rules(rules: &FoldedRules) -> String {
    let list = |requests: &[ObservedRequest], why: &str| {
        let lines = requests.iter().map(|request| {
            let (method, path) = (&request.method, &request.path);
            format!(
                "\n  {} {}",
                sanitize(method, Unprintable::Mark),
                sanitize(path, Unprintable::Mark)
            )
        });
        let lines: String = lines.collect();
        if lines.is_empty() {
            lines
        } else {
            format!("\n{why}:{lines}")
        }
    };
    format!(
        "nothing was learned: no request was accepted that a rule can express{}{}",
        list(&rules.rejected, "rejected by [guard]"),
        list(&rules.inexpressible, "no rule can express")
    )
}

fn why_nothing_was_learnt(seen: &ObservedRequests) -> String {
    let hint = "the program must send its requests to CUPBEARER_URL, and not through a proxy (NO_PROXY=127.0.0.1)";
    let why = refused_before_rules(seen).unwrap_or_else(|| hint.to_owned());
    format!("nothing was learned: no request with the key arrived; {why}")
}

#[cfg(test)]
mod tests;
