//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use cupbearer::cli::{Cli, Command, Exit, check};
use cupbearer::config::Surroundings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (command, overrides) = match Cli::parse().into_parts() {
        Ok(parts) => parts,
        Err(usage) => usage.exit(),
    };
    let surroundings = Surroundings::of_this_process();
    let exit = match command {
        Command::Check { json } => check::check(&overrides, &surroundings, json).await,
        _ => Exit::Failed,
    };
    exit.into()
}
