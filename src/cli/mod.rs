//! The command line. This room is the only one that prints.
//!
//! Each command has a file of its own, with its arguments, its help and what it does. To add one, write such a file
//! with a struct that derives `Args` and has an `execute` method, and name it in [`Command`] below.
//!
//! The other files are shared: `exit` (exit codes), `output` (printing), `invocation` (the flags that set
//! configuration), `staged_file` (writing files), `quoting` (paths in advice), `admin_client` (asking a running proxy),
//! `sign_in_order` (signing in and out), `login_browser` (with a browser), `open_browser` (opening a page),
//! `hidden_line` (reading a token), `serve` (running proxies, for `run` and `demo`).

mod admin_client;
mod admin_error;
mod admin_owner;
mod banner;
mod check;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod exit;
mod free_port;
mod health;
mod hidden_line;
mod http_client;
mod init;
mod invocation;
mod keygen;
mod learn;
mod login;
mod login_browser;
mod login_device;
mod login_question;
mod login_wait;
mod logout;
mod open_browser;
mod output;
mod page_doctor;
mod quit;
mod quoting;
mod run;
mod sd_notify;
mod serve;
mod sign_in_order;
mod signals;
mod staged_file;
mod start_failure;
mod status;
mod terminal_size;
mod token;
mod version;
mod wait;
mod watch_keys;
mod watch_screen;
mod watched_terminal;

use std::io::IsTerminal as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use tokio::runtime::Runtime;

use invocation::SettingsArgs;
use signals::until_signal;

use crate::config::keys::on_system;
use crate::credentials;
use crate::server;

pub use exit::Exit;

/// A local reverse proxy that authenticates for you.
///
/// There is no `Debug`, since a user may have written a secret on the command line.
#[derive(Parser)]
#[command(
    name = "cupbearer",
    version,
    disable_version_flag = true,
    about = "A local reverse proxy that holds an OAuth 2.0 client credentials grant and attaches \
             a fresh access token to every request",
    long_about = None,
    after_help = on_system(EXAMPLES, cfg!(unix)),
    args_override_self = false
)]
pub struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the version
    #[arg(short = 'V', long)]
    version: bool,
    /// With --version, also print the commit, target, toolchain and features
    #[arg(long, requires = "version")]
    verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  cupbearer demo                          try it without an account
  cupbearer init                          write a configuration file, from a few pastes
  cupbearer check                         show the effective configuration, offline
  cupbearer doctor                        find out why something does not work
  cupbearer --config pingone.toml         run the proxy
  curl http://localhost:6749/docs         then call the API through it

Environment variables can replace the configuration file:
  CUPBEARER_UPSTREAM__URL=https://api.example.com
  CUPBEARER_TOKEN__URL=https://as.example.com/oauth2/token
  CUPBEARER_TOKEN__CLIENT_ID=…  CUPBEARER_TOKEN__CLIENT_SECRET__FILE=/run/secrets/client_secret

The configuration file is --config FILE, or else CUPBEARER_CONFIG, ./cupbearer.toml, or
cupbearer/config.toml in your configuration directory. Environment variables override the file, and
flags override both.
Exit codes: 0 success, 1 failure, 2 invalid command line, 3 invalid configuration,
4 the token endpoint refuses the credentials, 5 something is unreachable.";

/// The commands, in the order of `--help`.
#[derive(Subcommand)]
enum Command {
    Run(run::RunArgs),
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    Check(check::CheckArgs),
    Doctor(doctor::DoctorArgs),
    Token(token::TokenArgs),
    Keygen(keygen::KeygenArgs),
    Learn(learn::LearnArgs),
    Health(health::HealthArgs),
    Wait(wait::WaitArgs),
    Quit(quit::QuitArgs),
    Status(status::StatusArgs),
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Init(Box<init::InitArgs>),
    Completions(completions::CompletionsArgs),
}

/// The runtime for everything that a command does.
///
/// # Errors
/// The system does not allow it. The message has been shown.
pub fn runtime() -> Result<Runtime, Exit> {
    let failed = |cause: &str| {
        output::say(&format!(
            "cupbearer cannot start: {cause}; {}",
            start_failure::MORE_FILES
        ));
        Exit::Failed
    };
    if server::has_too_few_files() {
        return Err(failed("the process may not open enough files"));
    }
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_all().build();
    built.map_err(|error| failed(&error.to_string()))
}

/// Removes from the error what may be a secret or a token in the wrong place: in a log, others could read it. The words
/// of a flag stay, and values that can only be mistyped.
fn withhold_values(error: &mut clap::Error) {
    const WITHHELD: &str = "…";
    let withheld = || ContextValue::String(WITHHELD.to_owned());
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let is_flag = |text: &str| text.starts_with('-');
    match error.kind() {
        ErrorKind::UnknownArgument if !is_flag(&text(ContextKind::InvalidArg)) => {
            error.insert(ContextKind::InvalidArg, withheld());
        }
        ErrorKind::TooManyValues => {
            error.insert(ContextKind::InvalidValue, withheld());
        }
        ErrorKind::ValueValidation if text(ContextKind::InvalidArg).starts_with("--set ") => {
            error.insert(ContextKind::InvalidValue, withheld());
        }
        _ => {}
    }
}

impl Cli {
    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// There is no command to execute: help or the version has been shown, or why the command line is invalid.
    pub fn from_command_line() -> Result<Self, Exit> {
        let cli = Self::try_parse().map_err(|mut other| {
            withhold_values(&mut other);
            let is_mistake = other.use_stderr();
            if is_mistake || std::io::stdout().is_terminal() {
                // In colour, if the terminal has any.
                let _closed = other.print();
                return if is_mistake { Exit::Usage } else { Exit::Fine };
            }
            output::print_result("cupbearer", &other.render().to_string(), Exit::Fine)
        })?;
        if cli.version {
            let text = version::version_text(cli.verbose);
            return Err(output::print_result("cupbearer", &text, Exit::Fine));
        }
        Ok(cli)
    }

    /// Executes the command; without one, `run`. Nothing that it has started outlives it.
    pub async fn execute(self) -> Exit {
        let exit = Box::pin(self.execute_command()).await;
        credentials::kill_running_commands();
        exit
    }

    async fn execute_command(self) -> Exit {
        let before = self.settings;
        match self
            .command
            .unwrap_or(Command::Run(run::RunArgs::default()))
        {
            Command::Run(args) => args.execute(before).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => args.execute(before).await,
            Command::Check(args) => args.execute(before).await,
            Command::Doctor(args) => match until_signal(args.execute(before)).await {
                Ok((exit, _)) => exit,
                Err(signal) => Exit::OfProgram(signal.exit_code()),
            },
            Command::Token(args) => args.execute(before).await,
            Command::Keygen(args) => args.execute(before),
            Command::Learn(args) => args.execute(before).await,
            Command::Health(args) => args.execute(before).await,
            Command::Wait(args) => args.execute(before).await,
            Command::Quit(args) => args.execute(before).await,
            Command::Status(args) => args.execute(before).await,
            Command::Login(args) => args.execute(before).await,
            Command::Logout(args) => args.execute(before).await,
            Command::Init(args) => args.execute(before).await,
            Command::Completions(args) => args.execute(before, Self::command()),
        }
    }
}

#[cfg(test)]
mod tests;
