//! `cupbearer init`: writes a configuration from a few pastes, and tries it.
//!
//! It asks on a terminal, or takes everything from flags. A secret is typed without being shown, is read from standard
//! input, or is named by its location; it is never taken from the command line. No file is overwritten without asking.
//!
//! `answers` holds what is known, and `identity` what tokens are requested with; `parse` reads both from flags
//! (`identity_args` those of unusual identities, `person_args` those of people, and `field_args` those of unusual
//! APIs, which `flag_check` checks), `questions`, `person_questions` and `secret_question` ask for them through a
//! `terminal`, `reachability` tries the addresses, `document` composes the text, and `writing` puts it and the secret
//! where they belong, within what `files` and `overwritable` allow. `port` says whether the new proxy can be started.

mod answers;
mod args;
mod document;
mod error;
mod field_args;
mod files;
mod flag_check;
mod flag_values;
mod identity;
mod identity_args;
mod keyring;
mod overwritable;
mod parse;
mod person_args;
mod person_questions;
mod port;
mod prompts;
mod questions;
mod reachability;
mod secret_question;
mod stdin_secret;
mod terminal;
#[cfg(test)]
mod tests;
mod writing;

use std::io;
use std::path::Path;

use super::doctor;
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{ResultOutput, say};
use super::signals;
use crate::config::{self, Overrides, Surroundings};
use crate::credentials;
use crate::doctor::{DoctorOptions, Outcome};

use answers::AnswerSlot;
use error::InitError;
use identity::SecretLocation;
use overwritable::Overwritable;
use port::{PortState, PortStates};
use stdin_secret::StandardInput;
use terminal::{Dialogue, Terminal};

pub(super) use args::InitArgs;

const MISPLACED_FLAGS: &str = "flags before the command change an existing configuration, and there is none yet: \
     write the flags after the command, such as cupbearer init --upstream URL --out FILE";

impl InitArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        signals::end_at_signal();
        // A secret may be typed soon.
        let _hidden = credentials::hide_process();
        let invocation = Invocation::new(before, &SettingsArgs::default());
        let surroundings = &invocation.surroundings;
        let has_misplaced_flags = invocation
            .proxies
            .iter()
            .any(|overrides| overrides.file.is_some() || !overrides.settings.is_empty());
        let result = match Terminal::open().filter(|_| !self.yes && !self.secret_stdin) {
            _ if has_misplaced_flags => Err(InitError::Usage(MISPLACED_FLAGS.to_owned())),
            Some(mut terminal) => interactive(&self, surroundings, &mut terminal).await,
            None => from_flags(&self, surroundings, &mut io::stdin()).await,
        };
        match result {
            Ok(exit) => exit,
            Err(InitError::Usage(message)) => {
                say(&format!("cupbearer init: {message}"));
                Exit::Usage
            }
            Err(InitError::Failed(message)) => {
                say(&format!("cupbearer init: {message}"));
                Exit::Failed
            }
            Err(InitError::Abandoned) => {
                say("\ncupbearer init: ended before the last answer; nothing has been written");
                Exit::Failed
            }
            Err(InitError::AbandonedAfter(path)) => {
                say(&format!(
                    "\ncupbearer init: ended before the last answer; the configuration of the earlier answers is in {}",
                    path.display()
                ));
                Exit::Failed
            }
        }
    }
}

/// Takes everything from flags, except that the secret may come from standard input.
async fn from_flags(
    args: &InitArgs,
    surroundings: &Surroundings,
    input: &mut impl StandardInput,
) -> Result<Exit, InitError> {
    let (mut answers, mut problems) = parse::answers_and_problems(args);
    if args.secret_stdin {
        let client_id = answers.client_id.known().map_or("", String::as_str);
        match stdin_secret::read(input, client_id) {
            Ok(secret) => answers.secret = AnswerSlot::Known(SecretLocation::NewFile(secret)),
            Err(InitError::Usage(problem)) => problems.push(problem),
            Err(error) => return Err(error),
        }
    }
    problems.extend(args.missing());
    let path = flag_values::absolute(&args.destination(surroundings));
    if let Err(invalid) = files::check_name(&path) {
        problems.push(format!("--out: {}: {}", invalid.problem, invalid.remedy));
    }
    if !problems.is_empty() {
        return Err(InitError::of_flags(&problems));
    }
    let config = answers.complete().map_err(InitError::Usage)?;
    files::check_destination(&path, &config).map_err(|invalid| {
        InitError::Usage(format!("--out: {}: {}", invalid.problem, invalid.remedy))
    })?;
    writing::check(&config, &path).map_err(|problems| InitError::Usage(problems.to_string()))?;
    writing::write(&config, &path, &mut Overwritable::new(args.force)).await?;
    say(&writing::summary(&config, &path));
    let tried = if args.no_doctor {
        TriedConfig::not_tried()
    } else {
        try_out(&path, surroundings).await
    };
    say(&if tried.can_be_used() {
        writing::next_steps(&config, &path, surroundings, &tried.ports)
    } else {
        writing::after_failure(&path)
    });
    Ok(tried.exit)
}

/// Asks, writes and tries, and does so again for as long as the user wants to correct something.
async fn interactive(
    args: &InitArgs,
    surroundings: &Surroundings,
    dialogue: &mut dyn Dialogue,
) -> Result<Exit, InitError> {
    let mut overwritable = Overwritable::new(args.force);
    let done = rounds(args, surroundings, dialogue, &mut overwritable).await;
    match (done, overwritable.last_written()) {
        (Err(InitError::Abandoned), Some(path)) => Err(InitError::AbandonedAfter(path.to_owned())),
        (done, _) => done,
    }
}

async fn rounds(
    args: &InitArgs,
    surroundings: &Surroundings,
    dialogue: &mut dyn Dialogue,
    overwritable: &mut Overwritable,
) -> Result<Exit, InitError> {
    let mut answers = parse::answers_in_flags(args)?;
    dialogue.show(questions::WELCOME);
    let mut chosen = args.out.clone();
    let try_with = (!args.no_doctor).then_some(surroundings);
    loop {
        let config = questions::interview(dialogue, &mut answers, overwritable, try_with).await?;
        let proposed = args.destination(surroundings);
        let chosen_before = chosen.take();
        let path =
            questions::destination(dialogue, chosen_before, proposed, &config, overwritable)?;
        if let Err(problems) = writing::check(&config, &path) {
            // No question sets these keys, so it would not help to ask again.
            let of_flags = ["listen", "token.redirect_url"];
            if problems
                .iter()
                .any(|one| of_flags.contains(&one.key.as_str()))
            {
                return Err(InitError::Usage(problems.to_string()));
            }
            dialogue.show(&format!("\nThese answers do not fit together:\n{problems}"));
            answers = answers.into_defaults();
            continue;
        }
        writing::write(&config, &path, overwritable).await?;
        dialogue.show(&format!("\n{}", writing::summary(&config, &path)));
        let tried = if args.no_doctor {
            TriedConfig::not_tried()
        } else {
            dialogue.show("Trying the configuration:\n");
            try_out(&path, surroundings).await
        };
        if tried.can_be_used() {
            let next = writing::next_steps(&config, &path, surroundings, &tried.ports);
            dialogue.show(&next);
            return Ok(tried.exit);
        }
        // A refusal is likely to be caused by an answer; an unreachable server usually is not.
        let is_likely = matches!(tried.exit, Exit::Refused | Exit::Configuration);
        let question = "\nAnswer again, with your answers as defaults?";
        if !prompts::confirm(dialogue, question, is_likely)? {
            dialogue.show(&writing::after_failure(&path));
            return Ok(tried.exit);
        }
        chosen = Some(path);
        answers = answers.into_defaults();
    }
}

/// What the doctor says about the new configuration.
struct TriedConfig {
    exit: Exit,
    /// Whether every check has passed.
    has_passed: bool,
    /// Whether every check except the one of the port has passed.
    is_right: bool,
    ports: PortStates,
}

impl TriedConfig {
    const fn not_tried() -> Self {
        Self {
            exit: Exit::Fine,
            has_passed: true,
            is_right: true,
            ports: PortStates::FREE,
        }
    }

    /// Whether a proxy can be started with it, on another port if need be.
    fn can_be_used(&self) -> bool {
        self.has_passed || self.is_right && self.ports.listen != PortState::Free
    }
}

/// Runs all checks of the doctor on the new configuration.
async fn try_out(path: &Path, surroundings: &Surroundings) -> TriedConfig {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        ..Overrides::default()
    };
    let options = DoctorOptions {
        overrides: &overrides,
        text: None,
        surroundings,
        path: None,
    };
    let mut output = ResultOutput::default();
    let checks = doctor::examine_visibly(&options, &mut output).await;
    let exit = doctor::exit_after(&checks);
    let loaded = config::load(&overrides, surroundings).ok();
    TriedConfig {
        exit: output.finish("cupbearer init", exit),
        has_passed: exit == Exit::Fine,
        is_right: checks
            .iter()
            .filter(|check| matches!(check.finding.outcome, Outcome::Failed(_)))
            .all(|check| check.id == "listener"),
        ports: loaded.map_or(PortStates::FREE, |loaded| {
            PortStates::of(&checks, &loaded.config)
        }),
    }
}
