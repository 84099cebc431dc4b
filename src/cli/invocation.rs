//! The flags that set configuration, and what they say about each proxy.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::output::say;
use super::quoting::shell_word;
use crate::config::{self, Overrides, Setting, Surroundings};

const ADMIN_LISTEN: &str = "admin.listen";

// No doc comment: clap would show it as the description of every command that has these flags.
#[derive(Args, Clone, Default)]
#[group(skip)]
pub(super) struct SettingsArgs {
    /// Configuration file; repeat it to run several proxies in one process
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Address that clients connect to [default: localhost:6749]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Scheme, host and port of the API
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Address of the admin listener: health, metrics, status [default: localhost:6750]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<String>,
    /// Log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any configuration key except a secret.
    #[arg(
        long,
        value_name = "KEY=VALUE",
        value_parser = key_value,
        help = "Set any configuration key except a secret, such as upstream.head_timeout=30s"
    )]
    set: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE, such as upstream.head_timeout=30s")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl SettingsArgs {
    /// `--set` comes first, so that a dedicated flag takes precedence over it.
    fn into_settings(self) -> impl Iterator<Item = Setting> {
        let dedicated = [
            ("--listen", "listen", self.listen),
            ("--upstream", "upstream.url", self.upstream),
            ("--admin", ADMIN_LISTEN, self.admin),
            ("--log-level", "log.level", self.log_level),
        ];
        let set = self.set.into_iter().map(|(key, text)| Setting {
            flag: "--set",
            key,
            text,
        });
        set.chain(dedicated.into_iter().filter_map(|(flag, key, text)| {
            Some(Setting {
                flag,
                key: key.to_owned(),
                text: text?,
            })
        }))
    }
}

/// Everything that a command knows about its configuration.
pub(super) struct Invocation {
    /// What the command line says about each proxy. There is at least one.
    pub(super) proxies: Vec<Overrides>,
    pub(super) surroundings: Surroundings,
}

impl Invocation {
    /// Combines the flags before the command with those after it: `--set` in one place does not hide `--set` in the
    /// other.
    pub(super) fn new(before: SettingsArgs, after: &SettingsArgs) -> Self {
        let mut files = before.config.clone();
        files.extend_from_slice(&after.config);
        let settings = before.into_settings().chain(after.clone().into_settings());
        let settings: Vec<Setting> = settings.collect();
        let overrides = |file| Overrides {
            file,
            settings: settings.clone(),
            ..Overrides::default()
        };
        let proxies = if files.is_empty() {
            vec![overrides(None)]
        } else {
            files
                .into_iter()
                .map(|file| overrides(Some(file)))
                .collect()
        };
        Self {
            proxies,
            surroundings: Surroundings::of_this_process(),
        }
    }

    /// The only configuration.
    ///
    /// # Errors
    /// Several were given. The message has been shown.
    pub(super) fn single(&self) -> Result<&Overrides, Exit> {
        if let [only] = &self.proxies[..] {
            Ok(only)
        } else {
            say("error: this command works on one proxy: give --config only once");
            Err(Exit::Usage)
        }
    }

    /// The flags that lead another command to the process that this one starts, each after a space.
    pub(super) fn flags_to_find_it(&self) -> String {
        let files = self.proxies.iter().filter_map(|proxy| proxy.file.as_ref());
        let mut flags: Vec<String> = files
            .map(|file| format!(" --config {}", shell_word(file)))
            .collect();
        // Every proxy has the same settings.
        let mut settings = self.proxies.iter().flat_map(|proxy| &proxy.settings).rev();
        let admin = settings.find(|setting| setting.key == ADMIN_LISTEN);
        flags
            .extend(admin.map(|setting| format!(" --admin {}", shell_word(setting.text.as_ref()))));
        flags.concat()
    }

    /// The configuration that has the keys of the admin listener.
    pub(super) fn admin(&self) -> &Overrides {
        config::holder_of_admin(&self.proxies, &self.surroundings).unwrap_or(&self.proxies[0])
    }
}
