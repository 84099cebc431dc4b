//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use cupbearer::cli::{self, Cli};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().into_parts() {
        Ok((command, overrides)) => cli::execute(command, &overrides).await.into(),
        Err(usage) => usage.exit(),
    }
}
