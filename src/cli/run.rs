//! `cupbearer run`: loads the configuration and serves until it is asked to stop.

use clap::Args;

use super::exit::Exit;
use super::invocation::{Invocation, SettingsArgs};
use super::output::{fitted, say};
use super::serve::serve;
use super::signals::until_signal;
use crate::doctor::preflight;
use crate::server::PassedSockets;
use crate::{credentials, telemetry};

/// Run the proxy (the default command)
#[derive(Args, Default)]
#[group(skip)]
#[command(after_help = "Example:\n  cupbearer run --config pingone.toml --listen localhost:9000")]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl RunArgs {
    pub(super) async fn execute(self, before: SettingsArgs) -> Exit {
        let invocation = Invocation::new(before, &self.settings);
        // Before there is another thread, because it changes the environment.
        let passed = match PassedSockets::from_environment() {
            Ok(passed) => passed,
            Err(error) => {
                say(&format!("cupbearer cannot start: {error}"));
                return Exit::Configuration;
            }
        };
        let flushing = telemetry::FlushOnDrop::start();
        // Before the secret is read for the first time.
        let hidden = credentials::hide_process();
        let examination = preflight::load_all(&invocation.proxies, &invocation.surroundings);
        let Ok((examined, signals)) = until_signal(examination).await else {
            return Exit::Fine; // it is stopped as it would be later
        };
        match examined {
            Ok(mut loaded) => {
                if let (Err(error), Some(first)) = (hidden, loaded.first_mut()) {
                    first.warnings.push(format!(
                        "other processes of this user can read the memory of this one: {error}"
                    ));
                }
                let served = (passed, signals);
                serve(&loaded, served, &[], Some(&invocation), &flushing).await
            }
            Err(problems) => {
                say(&fitted(&problems));
                Exit::Configuration
            }
        }
    }
}
