//! Parses the arguments and returns the exit code.

use std::process::ExitCode;

use cupbearer::cli::{self, Cli, Exit};
use mimalloc::MiMalloc;

/// A request needs about a dozen allocations, and a connection its buffers. `benches/NOTES.md` has what this saves.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    run().unwrap_or_else(|exit| exit).into()
}

fn run() -> Result<Exit, Exit> {
    let cli = Cli::from_command_line()?;
    let runtime = cli::runtime()?;
    let exit = runtime.block_on(cli.execute());
    // Dropping it would wait for DNS look-ups in progress, which can take many seconds.
    runtime.shutdown_background();
    Ok(exit)
}
