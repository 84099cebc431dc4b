//! `cupbearer init`: writes a configuration from a few pastes, and tries it.
//!
//! It asks on a terminal, or takes everything from flags. A secret is typed without being shown, is read from standard
//! input, or is named by its location; it is never taken from the command line. No file is overwritten without asking.
//!
//! `answers` holds what is known, `parse` reads it, `questions` and `secret_question` ask for it through a `terminal`,
//! `reachability` tries the addresses, `document` composes the text, and `writing` puts it and the secret where they
//! belong, within what `overwritable` allows.

mod answers;
mod args;
mod document;
mod error;
mod files;
mod keyring;
mod overwritable;
mod parse;
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

use super::doctor::DoctorArgs;
use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::say;
use crate::config::{Overrides, Setting, Surroundings};
use crate::credentials;

use answers::{AnswerSlot, SecretLocation};
use error::InitError;
use overwritable::Overwritable;
use stdin_secret::StandardInput;
use terminal::{Dialogue, Terminal};

pub(super) use args::InitArgs;

const MISPLACED_FLAGS: &str = "flags before the command change an existing configuration, and there is none yet: \
     write the flags after the command, such as cupbearer init --upstream URL --out FILE";

impl InitArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
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
        }
    }
}

/// Takes everything from flags, except that the secret may come from standard input.
async fn from_flags(
    args: &InitArgs,
    surroundings: &Surroundings,
    input: &mut impl StandardInput,
) -> Result<Exit, InitError> {
    let mut answers = parse::answers_in_flags(args)?;
    if args.secret_stdin {
        let client_id = answers.client_id.known().map_or("", String::as_str);
        let secret = stdin_secret::read(input, client_id)?;
        answers.secret = AnswerSlot::Known(SecretLocation::NewFile(secret));
    }
    let config = answers.complete().map_err(InitError::Usage)?;
    let path = parse::absolute(&args.destination(surroundings));
    writing::write(&config, &path, &mut Overwritable::new(args.force)).await?;
    say(&writing::summary(&config, &path));
    let exit = if args.no_doctor {
        Exit::Fine
    } else {
        try_out(&path, surroundings).await
    };
    let next = if exit == Exit::Fine {
        writing::next_steps(&config, &path, surroundings)
    } else {
        writing::after_failure(&path)
    };
    say(&next);
    Ok(exit)
}

/// Asks, writes and tries, and does so again for as long as the user wants to correct something.
async fn interactive(
    args: &InitArgs,
    surroundings: &Surroundings,
    dialogue: &mut dyn Dialogue,
) -> Result<Exit, InitError> {
    let mut answers = parse::answers_in_flags(args)?;
    dialogue.show(questions::WELCOME);
    let mut overwritable = Overwritable::new(args.force);
    let mut chosen = args.out.clone();
    let try_with = (!args.no_doctor).then_some(surroundings);
    loop {
        let config = questions::interview(dialogue, &mut answers, &overwritable, try_with).await?;
        let proposed = args.destination(surroundings);
        let chosen_before = chosen.take();
        let path = questions::destination(
            dialogue,
            chosen_before,
            proposed,
            &config,
            &mut overwritable,
        )?;
        writing::write(&config, &path, &mut overwritable).await?;
        dialogue.show(&format!("\n{}", writing::summary(&config, &path)));
        let exit = if args.no_doctor {
            Exit::Fine
        } else {
            dialogue.show("Trying the configuration:\n");
            try_out(&path, surroundings).await
        };
        if exit == Exit::Fine {
            dialogue.show(&writing::next_steps(&config, &path, surroundings));
            return Ok(exit);
        }
        // A refusal is likely to be caused by an answer; an unreachable server usually is not.
        let is_likely = matches!(exit, Exit::Refused | Exit::Configuration);
        let question = "\nAnswer again, with your answers as defaults?";
        if !prompts::confirm(dialogue, question, is_likely)? {
            dialogue.show(&writing::after_failure(&path));
            return Ok(exit);
        }
        chosen = Some(path);
        answers = answers.into_defaults();
    }
}

/// Runs all checks of the doctor on the new configuration.
async fn try_out(path: &Path, surroundings: &Surroundings) -> Exit {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        settings: Vec::<Setting>::new(),
    };
    DoctorArgs::default()
        .examine(&overrides, surroundings)
        .await
}
