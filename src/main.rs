//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use cupbearer::cli::{self, Cli};
use mimalloc::MiMalloc;

/// Each request allocates a dozen times and each connection its buffers: `docs/performance.md` has what that saves.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().into_parts() {
        Ok((command, overrides)) => cli::execute(command, &overrides).await.into(),
        Err(usage) => usage.exit(),
    }
}
