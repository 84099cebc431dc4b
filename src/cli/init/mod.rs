//! `cupbearer init`: from a few pastes to a configuration that has been tried.
//!
//! Asks on a terminal, or takes everything from flags; a secret is typed hidden, comes by standard input,
//! or is named by where it is, and is never taken from the command line. Nothing is overwritten unasked.
//!
//! `answers` knows what is wanted and what is right, `questions` and `keeping` put the questions to a `person`, `document`
//! writes the text, `files` puts it on disk, `keyring` tries whether this machine keeps secrets, `way` whether
//! the addresses answer; `own` knows what may be overwritten unasked.

mod answers;
mod document;
mod files;
mod keeping;
mod keyring;
mod own;
mod person;
mod questions;
#[cfg(test)]
mod tests;
mod way;

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::{Exit, doctor, say};
use crate::config::{Overrides, Setting, Surroundings};
use crate::credentials::{self, Secret};

use answers::{Answer, Answers, Auth, Credential, Plan};
use files::Existing;
use own::Own;
use person::{Person, Terminal};

/// Below `--help`.
pub(super) const HELP: &str = "\
Example:
  cupbearer init
  cupbearer init --upstream https://api.example.com/docs --client-id my-client \\
    --token-endpoint https://as.example.com/token \\
    --secret-command 'op read op://vault/item/field' --out cupbearer.toml

The secret itself is never taken from the command line.
What is written is tried as `cupbearer doctor` does it; the exit codes are its own.";

/// What the command line answers already.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[group(skip)] // the variant that it is flattened into has the name
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Init {
    /// The API: any address on it, such as that of its /docs page
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The application's Token Endpoint, as the authorization server's console shows it; or an issuer
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<String>,
    /// The application's client id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// How the application proves itself at the token endpoint.
    #[arg(
        long,
        value_name = "METHOD",
        help = "The application's token endpoint authentication method [default: client_secret_basic]"
    )]
    auth: Option<Auth>,
    /// Scopes to ask for [default: what the server chooses]
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// A file that holds the secret already
    #[arg(long, value_name = "FILE", group = "secret")]
    secret_file: Option<PathBuf>,
    /// A command that prints the secret.
    #[arg(
        long,
        value_name = "COMMAND",
        group = "secret",
        help = "A command that prints the secret, such as 'op read op://vault/item/field'"
    )]
    secret_command: Option<String>,
    /// An entry of the system's keyring that holds the secret already
    #[arg(long, value_name = "SERVICE/ACCOUNT", group = "secret")]
    secret_keyring: Option<String>,
    /// Read the secret from standard input, and keep it in a new file beside the configuration
    #[arg(long, group = "secret")]
    secret_stdin: bool,
    /// Let only reading requests through [default: true for an API in production, after asking where that is possible]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    read_only: Option<bool>,
    /// Where callers will connect [default: localhost:6749]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where the configuration goes [default: cupbearer/config.toml in your configuration directory]
    #[arg(long, value_name = "FILE", visible_alias = "config")]
    out: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
    /// Ask nothing, also on a terminal: flags and defaults are all there is
    #[arg(long)]
    yes: bool,
    /// Write the file, and do not try it
    #[arg(long)]
    no_doctor: bool,
}

/// Why `init` ends without a configuration.
enum Stop {
    /// Flags that cannot be used, or that are missing where nobody can be asked.
    Usage(String),
    /// Something was in the way.
    Failed(String),
    /// The person has left.
    Left,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!(
            "the terminal cannot be used: {error}; give everything by flags, with --yes"
        ))
    }
}

/// Asks, writes, tries; and again, as long as somebody wants to correct something.
///
/// `settings` are the flags before the command's name: they change a configuration that is there, and so
/// have no meaning here.
pub(super) async fn init(wanted: &Init, settings: &Overrides, surroundings: &Surroundings) -> Exit {
    // A secret may be typed soon.
    let _hidden = credentials::hide_process();
    let done = match Terminal::open().filter(|_| !wanted.yes && !wanted.secret_stdin) {
        _ if is_any(settings) => Err(Stop::Usage(MISPLACED.to_owned())),
        Some(mut person) => with_person(wanted, surroundings, &mut person).await,
        None => alone(wanted, surroundings, &mut io::stdin()).await,
    };
    match done {
        Ok(exit) => exit,
        Err(Stop::Usage(words)) => {
            say(&format!("cupbearer init: {words}"));
            Exit::Usage
        }
        Err(Stop::Failed(words)) => {
            say(&format!("cupbearer init: {words}"));
            Exit::Failed
        }
        Err(Stop::Left) => {
            say("\ncupbearer init: ended before all was answered; nothing has been written");
            Exit::Failed
        }
    }
}

const MISPLACED: &str = "flags before the command change a configuration, and there is none yet: \
     write its own after it, such as cupbearer init --upstream URL --out FILE";

fn is_any(settings: &Overrides) -> bool {
    settings.file.is_some() || !settings.settings.is_empty()
}

/// Everything stands in the flags, but for the secret, perhaps.
async fn alone(
    wanted: &Init,
    surroundings: &Surroundings,
    input: &mut impl Piped,
) -> Result<Exit, Stop> {
    let mut answers = Answers::of_flags(wanted)?;
    if wanted.secret_stdin {
        let client_id = answers.client_id.known().map_or("", String::as_str);
        let secret = from_input(input, client_id)?;
        answers.credential = Answer::Known(Credential::Typed(secret));
    }
    let plan = answers.complete().map_err(Stop::Usage)?;
    let path = answers::absolute(&wanted.destination(surroundings));
    write(&plan, &path, &mut Own::of_flag(wanted.force)).await?;
    say(&written(&plan, &path));
    let exit = if wanted.no_doctor {
        Exit::Fine
    } else {
        examine(&path, surroundings).await
    };
    let next = if exit == Exit::Fine {
        next(&plan, &path, surroundings)
    } else {
        again(&path)
    };
    say(&next);
    Ok(exit)
}

/// Standard input, or what stands for it in tests.
trait Piped: io::Read {
    /// Whether nobody sits there, who would see what he types.
    fn is_piped(&self) -> bool;
}

impl Piped for io::Stdin {
    fn is_piped(&self) -> bool {
        !self.is_terminal()
    }
}

/// All of it but one line end; a terminal would show what is typed.
fn from_input(input: &mut impl Piped, client_id: &str) -> Result<Secret, Stop> {
    /// A secret is at most 64 KiB; longer is the wrong input.
    const LONGEST: u64 = 64 << 10;
    if !input.is_piped() {
        return Err(Stop::Usage(
            "--secret-stdin: standard input is a terminal, which would show the secret: leave the flag out to be asked, or use a pipe".to_owned(),
        ));
    }
    // Room for all of it: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 << 17));
    input
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Stop::Failed(format!("--secret-stdin: {error}; use --secret-file")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Stop::Usage(
            "--secret-stdin: there is more than 64 KiB: give the secret and nothing else"
                .to_owned(),
        ));
    }
    let text = bytes
        .strip_suffix(b"\r\n")
        .or_else(|| bytes.strip_suffix(b"\n"))
        .unwrap_or(&bytes);
    answers::secret(Secret::new(text), client_id).map_err(|complaint| {
        Stop::Usage(format!(
            "--secret-stdin: {}: {}",
            complaint.problem, complaint.remedy
        ))
    })
}

async fn with_person(
    wanted: &Init,
    surroundings: &Surroundings,
    person: &mut dyn Person,
) -> Result<Exit, Stop> {
    let mut answers = Answers::of_flags(wanted)?;
    person.tell(questions::WELCOME);
    let mut own = Own::of_flag(wanted.force);
    let mut chosen = wanted.out.clone();
    let tried = (!wanted.no_doctor).then_some(surroundings);
    loop {
        let plan = questions::interview(person, &mut answers, &own, tried).await?;
        let proposed = wanted.destination(surroundings);
        let path = questions::destination(person, chosen.take(), proposed, &plan, &mut own)?;
        write(&plan, &path, &mut own).await?;
        person.tell(&format!("\n{}", written(&plan, &path)));
        let exit = if wanted.no_doctor {
            Exit::Fine
        } else {
            person.tell("Trying it:\n");
            examine(&path, surroundings).await
        };
        if exit == Exit::Fine {
            person.tell(&next(&plan, &path, surroundings));
            return Ok(exit);
        }
        // What is said no to may be an answer; what cannot be reached most often is none.
        let is_likely = matches!(exit, Exit::Refused | Exit::Configuration);
        let words = "\nAnswer again, with your answers as defaults?";
        if !questions::yes(person, words, is_likely)? {
            person.tell(&again(&path));
            return Ok(exit);
        }
        chosen = Some(path);
        answers = answers.into_defaults();
    }
}

impl Init {
    /// Where it goes if nobody says otherwise: where it is found from every directory, and where no
    /// repository is.
    fn destination(&self, surroundings: &Surroundings) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| match &surroundings.user_configuration {
                Some(directory) => directory.join("cupbearer").join("config.toml"),
                None => surroundings.working_directory.join("cupbearer.toml"),
            })
    }
}

/// The secret first: a configuration that names one which is not there is of no use. What was written is our own then.
async fn write(plan: &Plan, path: &Path, own: &mut Own) -> Result<(), Stop> {
    let existing = own.existing(path);
    let failed = |path: &Path, error: &io::Error| Stop::Failed(files::refusal(path, error));
    if existing == Existing::Keep && files::is_there(path) {
        return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
    }
    files::make_parent(path).map_err(|error| failed(path, &error))?;
    let mut place = None;
    match &plan.credential {
        Credential::Typed(secret) => {
            let file = files::secret_path(path);
            // Exposed to be written where only its owner reads it.
            let existing = own.existing(&file);
            files::write(&file, secret.expose(), files::Readers::Owner, existing)
                .map_err(|error| failed(&file, &error))?;
            place = Some(file);
        }
        Credential::Keyring(entry, Some(secret)) => keyring::store(entry, secret).await?,
        Credential::Keyring(_, None) | Credential::File(_) | Credential::Command(_) => {}
    }
    let text = document::text(plan, place.as_deref());
    files::write(path, text.as_bytes(), files::Readers::Usual, existing)
        .map_err(|error| failed(path, &error))?;
    own.add_written(plan, path);
    Ok(())
}

fn written(plan: &Plan, path: &Path) -> String {
    let secret = match &plan.credential {
        Credential::Typed(_) => format!(
            "\nThe secret is in {}, for you alone to read.",
            files::secret_path(path).display()
        ),
        Credential::Keyring(entry, Some(_)) => {
            format!("\nThe secret is in the keyring, as {entry}.")
        }
        Credential::Keyring(_, None) | Credential::File(_) | Credential::Command(_) => {
            String::new()
        }
    };
    format!("Written: {}{secret}", path.display())
}

/// All of the doctor's checks, on what was written.
async fn examine(path: &Path, surroundings: &Surroundings) -> Exit {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        settings: Vec::<Setting>::new(),
    };
    doctor::doctor(&doctor::Doctor::default(), &overrides, surroundings).await
}

fn again(path: &Path) -> String {
    format!(
        "\nThe configuration stays there. Mend what is named above, then: cupbearer doctor --config {}",
        path.display()
    )
}

/// What to type now.
fn next(plan: &Plan, path: &Path, surroundings: &Surroundings) -> String {
    let here = surroundings.working_directory.join("cupbearer.toml");
    let is_found = if here.exists() {
        files::is_same(&here, path)
    } else {
        surroundings
            .user_configuration
            .as_ref()
            .is_some_and(|directory| {
                files::is_same(&directory.join("cupbearer").join("config.toml"), path)
            })
    };
    let config = if is_found {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    let url = match plan.listen.as_deref() {
        None => Some("http://localhost:6749".to_owned()),
        Some(listen) if listen.ends_with(":0") || listen.starts_with("unix:") => None,
        Some(listen) => Some(format!("http://{listen}")),
    };
    let call = url.map_or_else(
        || "\nand point your tools at the address that it prints.".to_owned(),
        |url| format!("\nand point Postman, curl or a browser at {url}; no authorization is needed there.\nThe API's documentation, if it has it there: {url}/docs"),
    );
    format!("\nNow run:\n  cupbearer{config}{call}")
}
