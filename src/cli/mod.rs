//! The command line: what can be asked for, and the exit codes of the contract.
//!
//! One file a command. This room is the only one that prints.

mod ask;
mod banner;
mod check;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod exit;
mod health;
mod init;
mod keygen;
mod learn;
mod notify;
mod quit;
mod run;
mod status;
mod token;
mod wait;

use std::io::Write as _;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Overrides, Setting, Surroundings};
use crate::telemetry;

pub use completions::Completions;
pub use doctor::Doctor;
pub use exit::Exit;
pub use init::Init;
pub use keygen::Keygen;
pub use learn::Learn;
pub use token::Token;

/// A local reverse proxy that authenticates for you.
///
/// It holds an OAuth 2.0 client credentials grant, keeps an access token fresh, and attaches it to
/// every request that it forwards to one API, so that tools without OAuth simply work.
///
/// No `Debug`: somebody may have written a secret there.
#[derive(Parser)]
#[command(
    name = "cupbearer",
    version,
    about = "A local reverse proxy that holds an OAuth 2.0 client credentials grant and attaches \
             a fresh access token to every request",
    long_about = None,
    after_help = EXAMPLES,
    args_override_self = false
)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    /// What to do; without it, `run`.
    #[command(subcommand)]
    command: Option<Subcommands>,
}

const EXAMPLES: &str = "\
Examples:
  cupbearer demo                          try it without an account
  cupbearer init                          write a configuration, from a few pastes
  cupbearer check                         show the effective configuration, offline
  cupbearer doctor                        find out why something does not work
  cupbearer --config pingone.toml         run the proxy
  curl http://localhost:6749/docs         then call the API through it

Without a file, the environment is enough:
  CUPBEARER_UPSTREAM__URL=https://api.example.com
  CUPBEARER_TOKEN__URL=https://as.example.com/oauth2/token
  CUPBEARER_TOKEN__CLIENT_ID=…  CUPBEARER_TOKEN__CLIENT_SECRET__FILE=/run/secrets/client_secret

The file: --config FILE, else CUPBEARER_CONFIG, else ./cupbearer.toml, else cupbearer/config.toml in
your configuration directory. The environment overrides the file, flags override both.
Exit codes: 0 fine, 1 failed, 2 usage, 3 configuration, 4 the token endpoint refuses us,
5 something cannot be reached.";

#[derive(Subcommand)]
enum Subcommands {
    /// Run the proxy (what happens without a command)
    #[command(
        after_help = "Example:\n  cupbearer run --config pingone.toml --listen localhost:9000"
    )]
    Run {
        #[command(flatten)]
        settings: Settings,
    },
    /// Try it without an account: an authorization server, an API and the proxy, all on this machine
    #[cfg(feature = "demo")]
    #[command(
        after_help = "Example:\n  cupbearer demo",
        mut_arg("config", |arg| arg.hide(true)), // it brings these two itself
        mut_arg("upstream", |arg| arg.hide(true))
    )]
    Demo {
        #[command(flatten)]
        settings: Settings,
    },
    /// Show the effective configuration and where each value comes from; asks nobody
    #[command(
        after_help = "Example:\n  cupbearer check --config pingone.toml\n  cupbearer check --json | jq .effective"
    )]
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Find out why something does not work: numbered checks, each with its remedy
    #[command(
        after_help = "Example:\n  cupbearer doctor --config pingone.toml\n  cupbearer doctor --json | jq '.checks[] | select(.outcome == \"failed\")'\n\n\
                      It asks for one access token and sends one GET to the API; it changes nothing.\n\
                      Exit codes: as the first failed check has it."
    )]
    Doctor {
        #[command(flatten)]
        doctor: Doctor,
        #[command(flatten)]
        settings: Settings,
    },
    /// Ask for an access token and print it
    #[command(
        after_help = "Example:\n  cupbearer token --decode\n  curl -H \"$(cupbearer token --header)\" https://api.example.com/"
    )]
    Token {
        #[command(flatten)]
        token: Token,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a key for `private_key_jwt`, or with --caller one for a caller of this proxy
    #[command(
        after_help = "Example:\n  cupbearer keygen --out private_key.pem\n  cupbearer keygen --algorithm ES256 --out key.pem > jwks.json\n  cupbearer keygen --caller ci --out ci.key"
    )]
    Keygen(Keygen),
    /// Run a program once and print the rules that allow what it did, or compare it with rules that are there
    #[command(after_help = learn::HELP)]
    Learn {
        #[command(flatten)]
        learn: Learn,
        #[command(flatten)]
        settings: Settings,
    },
    /// Ask the running proxy whether it serves; one line, exit code 0 or 1
    #[command(
        after_help = "Example:\n  cupbearer health --ready\n\nFor probes: without --ready it asks /live, which a token outage does not touch."
    )]
    Health {
        /// Ask whether it has a usable token, too
        #[arg(long)]
        ready: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Wait until the running proxy has a usable token
    #[command(after_help = "Example:\n  cupbearer wait --max 1m && ./job\n\n\
                      Exit codes: 0 it has one, 3 admin.listen cannot be used, 4 the token endpoint refuses us, 5 nobody answers, or none has come.")]
    Wait {
        /// Give up after this long
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
        max: Duration,
        #[command(flatten)]
        settings: Settings,
    },
    /// Ask the running proxy to stop, as SIGTERM does
    #[command(after_help = "Example:\n  ./job; cupbearer quit")]
    Quit {
        #[command(flatten)]
        settings: Settings,
    },
    /// Show the running proxy's token, its last error and its recent requests
    #[command(
        after_help = "Example:\n  cupbearer status --watch\n  cupbearer status --json | jq .proxies[0].token"
    )]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Show it anew every two seconds, until interrupted
        #[arg(long, conflicts_with = "json")]
        watch: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Write a configuration: asks for what it needs, or takes it from flags, and tries what it wrote
    #[command(after_help = init::HELP)]
    Init(Init),
    /// Print completions for a shell, or the manual page
    #[command(after_help = completions::HELP)]
    Completions(Completions),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `run`, also without a command.
    Run,
    /// `demo`.
    #[cfg(feature = "demo")]
    Demo,
    /// `check`.
    Check {
        /// As JSON.
        json: bool,
    },
    /// `doctor`.
    Doctor(Doctor),
    /// `token`.
    Token(Token),
    /// `keygen`.
    Keygen(Keygen),
    /// `learn`.
    Learn(Learn),
    /// `health`.
    Health {
        /// A usable token, too.
        ready: bool,
    },
    /// `wait`.
    Wait {
        /// How long at most.
        max: Duration,
    },
    /// `quit`.
    Quit,
    /// `status`.
    Status {
        /// How it is shown.
        show: Show,
    },
    /// `init`.
    Init(Init),
    /// `completions`.
    Completions(Completions),
}

/// How the state is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Once, for people.
    Once,
    /// Again and again.
    Watch,
    /// As JSON.
    Json,
}

/// Flags that set configuration. Before and after the command alike: each place has its own copy,
/// and both are read, so that `--set` in one does not hide `--set` in the other.
#[derive(Args, Clone, Default)]
struct Settings {
    /// The configuration file; give it again for another proxy in the same process
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Where callers connect [default: localhost:6749]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The API's scheme, host and port
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where health, metrics and status are asked for [default: localhost:6750]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Set any key but a secret
    #[arg(
        long,
        value_name = "KEY=VALUE",
        value_parser = key_value,
        help = "Set any key but a secret, such as upstream.head_timeout=30s"
    )]
    set: Vec<(String, String)>,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "no duration: write \"5s\"")
}

fn key_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE, such as upstream.head_timeout=30s")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl Settings {
    /// `--set` first, so that a flag of its own wins over it.
    fn into_settings(self) -> impl Iterator<Item = Setting> {
        let own = [
            ("--listen", "listen", self.listen),
            ("--upstream", "upstream.url", self.upstream),
            ("--admin", "admin.listen", self.admin),
            ("--log-level", "log.level", self.log_level),
        ];
        let set = self.set.into_iter().map(|(key, text)| Setting {
            flag: "--set",
            key,
            text,
        });
        set.chain(own.into_iter().filter_map(|(flag, key, text)| {
            Some(Setting {
                flag,
                key: key.to_owned(),
                text: text?,
            })
        }))
    }
}

impl Cli {
    /// The command and what the command line says about the configuration of each proxy: at least one.
    ///
    /// # Errors
    /// A usage error, to be printed by its own `exit`.
    pub fn into_parts(self) -> Result<(Command, Vec<Overrides>), clap::Error> {
        let (command, inner) = match self.command {
            None => (Command::Run, Settings::default()),
            Some(Subcommands::Run { settings }) => (Command::Run, settings),
            #[cfg(feature = "demo")]
            Some(Subcommands::Demo { settings }) => (Command::Demo, settings),
            Some(Subcommands::Check { json, settings }) => (Command::Check { json }, settings),
            Some(Subcommands::Doctor { doctor, settings }) => (Command::Doctor(doctor), settings),
            Some(Subcommands::Token { token, settings }) => (Command::Token(token), settings),
            Some(Subcommands::Init(init)) => (Command::Init(init), Settings::default()),
            Some(Subcommands::Completions(wanted)) => {
                (Command::Completions(wanted), Settings::default())
            }
            Some(Subcommands::Keygen(keygen)) => (Command::Keygen(keygen), Settings::default()),
            Some(Subcommands::Learn { learn, settings }) => (Command::Learn(learn), settings),
            Some(Subcommands::Health { ready, settings }) => (Command::Health { ready }, settings),
            Some(Subcommands::Wait { max, settings }) => (Command::Wait { max }, settings),
            Some(Subcommands::Quit { settings }) => (Command::Quit, settings),
            Some(Subcommands::Status {
                json,
                watch,
                settings,
            }) => {
                let show = match (json, watch) {
                    (true, _) => Show::Json,
                    (false, true) => Show::Watch,
                    (false, false) => Show::Once,
                };
                (Command::Status { show }, settings)
            }
        };
        let mut files: Vec<PathBuf> = self.settings.config.clone();
        files.extend_from_slice(&inner.config);
        let settings = self.settings.into_settings().chain(inner.into_settings());
        let settings: Vec<Setting> = settings.collect();
        let of = |file| Overrides {
            file,
            settings: settings.clone(),
        };
        let overrides = if files.is_empty() {
            vec![of(None)]
        } else {
            files.into_iter().map(|file| of(Some(file))).collect()
        };
        if overrides.len() > 1 && command.is_about_one() {
            return Err(<Self as clap::CommandFactory>::command().error(
                clap::error::ErrorKind::TooManyValues,
                "this command is about one proxy: give --config once",
            ));
        }
        Ok((command, overrides))
    }
}

impl Command {
    /// Whether several configurations make no sense of it.
    const fn is_about_one(&self) -> bool {
        match self {
            Self::Doctor(_)
            | Self::Token(_)
            | Self::Init(_)
            | Self::Completions(_)
            | Self::Keygen(_)
            | Self::Learn(_) => true,
            #[cfg(feature = "demo")]
            Self::Demo => true,
            Self::Run
            | Self::Check { .. }
            | Self::Health { .. }
            | Self::Wait { .. }
            | Self::Quit
            | Self::Status { .. } => false,
        }
    }
}

/// Does what was asked for, with at least one configuration.
pub async fn execute(command: Command, all: &[Overrides]) -> Exit {
    let surroundings = Surroundings::of_this_process();
    let Some(one) = all.first() else {
        return Exit::Usage;
    };
    let admin = || config::holder_of_admin(all, &surroundings).unwrap_or(one);
    match command {
        Command::Run => run::run(all, &surroundings).await,
        #[cfg(feature = "demo")]
        Command::Demo => demo::demo(one).await,
        Command::Check { json } => check::check(all, &surroundings, json).await,
        Command::Doctor(wanted) => doctor::doctor(&wanted, one, &surroundings).await,
        Command::Token(wanted) => token::token(&wanted, one, &surroundings).await,
        Command::Init(wanted) => init::init(&wanted, one, &surroundings).await,
        Command::Completions(wanted) => completions::completions(wanted),
        Command::Keygen(wanted) => keygen::keygen(&wanted),
        Command::Learn(wanted) => learn::learn(&wanted, one, &surroundings).await,
        Command::Health { ready } => health::health(all, admin(), &surroundings, ready).await,
        Command::Wait { max } => wait::wait(admin(), &surroundings, max).await,
        Command::Quit => quit::quit(all, admin(), &surroundings).await,
        Command::Status { show } => status::status(all, admin(), &surroundings, show).await,
    }
}

/// Words for people, on standard error; a closed one is no reason to stop. While the proxy runs they take their
/// turn with the logs: a blocked one is no reason to wait.
fn say(words: &str) {
    if !telemetry::say(words) {
        let _ = writeln!(std::io::stderr(), "{words}");
    }
}

/// An answer, on standard output; a closed one is no reason to fail.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests;
