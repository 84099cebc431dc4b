//! Parses the arguments and returns the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use cupbearer::cli::Cli;
use mimalloc::MiMalloc;

/// A request needs about a dozen allocations, and a connection its buffers. `benches/NOTES.md` has what this saves.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a process that has just started has descriptors for its runtime");
    let exit = runtime.block_on(cli.execute());
    // Dropping it would wait for DNS look-ups in progress, which can take many seconds.
    runtime.shutdown_background();
    exit.into()
}
