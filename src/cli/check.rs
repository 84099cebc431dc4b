//! `cupbearer check`: the effective configuration, offline.
//!
//! It reads everything that the proxy would read at startup, including the secret, and prints no secret.

use clap::Args;
use serde_json::{Value, json};

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{fitted, print_result, put_error};
use super::signals::until_signal;
use crate::config::{
    ConfigProblems, Loaded, TokenConfig, TokenOrigin, TokenPlace, effective_table,
};
use crate::doctor::preflight;
use crate::text::{Unprintable, sanitize};

/// Show the effective configuration and where each value comes from; sends no requests
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "Example:\n  cupbearer check --config pingone.toml\n  cupbearer check --json | jq .effective"
)]
pub(super) struct CheckArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl CheckArgs {
    /// The table or the JSON goes to standard output, problems and warnings for people to standard error.
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        let examination = preflight::load_all(&invocation.proxies, &invocation.surroundings);
        let checked = match until_signal(examination).await {
            Ok((checked, _)) => checked,
            Err(signal) => return Exit::OfProgram(signal.exit_code()),
        };
        let exit = match &checked {
            Ok(_) => Exit::Fine,
            Err(_) => Exit::Configuration,
        };
        if self.json {
            print_result(COMMAND, &format!("{:#}\n", to_json(&checked)), exit)
        } else {
            let (table, messages) = to_text(&checked);
            let exit = print_result(COMMAND, &table, exit);
            put_error(&messages);
            exit
        }
    }
}

/// In messages.
const COMMAND: &str = "cupbearer check";

/// One proxy is an object; several are a list.
fn to_json(checked: &Result<Vec<Loaded>, ConfigProblems>) -> Value {
    let object = |loaded: &Loaded| {
        json!({
            "ok": true,
            "file": loaded.file,
            "effective": loaded.effective,
            "token_endpoint": loaded.config.token.grant().map(|grant| grant.endpoint.to_string()),
            "warnings": loaded.warnings,
        })
    };
    match checked.as_deref() {
        Ok([only]) => object(only),
        Ok(several) => {
            json!({ "ok": true, "proxies": several.iter().map(object).collect::<Vec<_>>() })
        }
        Err(problems) => json!({ "ok": false, "problems": problems }),
    }
}

/// For standard output and standard error.
fn to_text(checked: &Result<Vec<Loaded>, ConfigProblems>) -> (String, String) {
    match checked {
        Ok(all) => all.iter().map(text_of).unzip(),
        Err(problems) => (String::new(), fitted(problems) + "\n"),
    }
}

fn text_of(loaded: &Loaded) -> (String, String) {
    let file = loaded
        .file
        .as_ref()
        .map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let file = sanitize(&file, Unprintable::Mark);
    let token = &loaded.config.token;
    // One of the warnings may be that a secret has yet to be written.
    let secret = if loaded.warnings.is_empty() {
        what_was_read(token)
    } else {
        "with warnings"
    };
    let origin = match token.grant() {
        Some(_) => "token endpoint",
        None if token.is_of_person() => "token",
        None => "token source",
    };
    let out = format!(
        "{}\n{}: {}\nThe configuration is valid ({file}), {secret}.\n",
        effective_table(&loaded.effective),
        origin,
        token,
    );
    let warnings = loaded
        .warnings
        .iter()
        .map(|warning| format!("warning: {}\n", sanitize(warning, Unprintable::Mark)));
    (out, warnings.collect())
}

/// What was found out about the secret, of which nothing is wrong.
fn what_was_read(token: &TokenConfig) -> &'static str {
    match &token.origin {
        TokenOrigin::Grant(_) => "and the secret can be read",
        TokenOrigin::SignIn(_) => "and a person signs in once it runs",
        TokenOrigin::Source(source) => match &source.place {
            TokenPlace::File(_) => "and the token can be read",
            TokenPlace::Command(_) => "and the program of token.source is there, but was not run",
            TokenPlace::Http { .. } => "but token.source was not asked",
        },
    }
}

#[cfg(test)]
mod tests;
