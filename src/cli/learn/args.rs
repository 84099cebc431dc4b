//! The arguments of `learn`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::invocation::SettingsArgs;
use crate::cli::keygen::caller_name;
use crate::config::is_caller_name;

/// Run a program once and print the rules that allow its requests, or compare them with existing rules
#[derive(Args, Clone)]
#[group(skip)]
#[command(after_help = "\
Example:
  cupbearer learn --name ci -- ./nightly.sh
  cupbearer learn --name ci -- sh -c 'curl -u x:$CUPBEARER_KEY $CUPBEARER_URL/api/v1/certificates'
  cupbearer learn --name ci --output ci.toml -- sh -c 'newman run c.json --env-var baseUrl=$CUPBEARER_URL'
  cupbearer learn --check ci -- ./nightly.sh

The program must send its requests to the URL in CUPBEARER_URL, each with the key in CUPBEARER_KEY: as \
X-Cupbearer-Key, as Authorization: Bearer, or as the Basic password (with token.keep_authorization: only as \
X-Cupbearer-Key). Both are valid for this run only. Use \
sh -c '…' (with single quotes) if they belong on the command line itself; your own shell would expand them too \
early. The program gets no other CUPBEARER_ variable, and not the client secret.
Its requests reach the configured API and have their real effects. The rules of [guard] apply, those of \
guard.callers do not. Paths are generalized with the OpenAPI document (JSON) of the API, which is searched at \
upstream.openapi with a few GETs. Without one, each path is listed as it was requested.
The output of the program is left unchanged. The rules follow on standard output when the program has ended, or go \
to the file of --output. Messages go to standard error.
Exit code: that of the program if it is not 0; 128 plus the number of a signal that arrives after its end; 1 if it \
sent no request, or if --check finds a request that the rules refuse or that cannot be compared with them (unused rules are listed, but are not a failure); \
3, 4 and 5 as for all commands.")]
pub(crate) struct LearnArgs {
    /// Name of the caller in the printed rules [default: that of the program]
    #[arg(long, value_name = "NAME", value_parser = caller_name, conflicts_with = "check")]
    pub(super) name: Option<String>,
    /// Compare with the rules of this caller instead
    #[arg(long, value_name = "NAME")]
    pub(super) check: Option<String>,
    /// The OpenAPI document: a path of the API, or a file
    #[arg(long, value_name = "PATH|FILE", conflicts_with = "check")]
    pub(super) openapi: Option<String>,
    /// File for the rules; an existing file is never overwritten
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(super) output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl LearnArgs {
    /// The name of the caller in this run. It can be configured.
    pub(super) fn caller(&self) -> String {
        let of_program = || {
            let stem = Path::new(self.command.first()?).file_stem()?.to_str()?;
            let name = stem.to_ascii_lowercase().replace(['.', ' '], "-");
            // One that begins with a hyphen would be read as a flag of the commands that are proposed.
            let name = name.trim_matches('-');
            is_caller_name(name).then(|| name.to_owned())
        };
        let given = self.check.clone().or_else(|| self.name.clone());
        given
            .or_else(of_program)
            .unwrap_or_else(|| "learnt".to_owned())
    }

    /// The name of the program, for people.
    pub(super) fn program(&self) -> String {
        let program = self.command.first().map(Path::new);
        let name = program.and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}
