//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use cupbearer::cli::{self, Cli};
use mimalloc::MiMalloc;

/// Each request allocates a dozen times and each connection its buffers: `benches/NOTES.md` has what that saves.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().into_parts() {
        Ok((command, overrides)) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a process that has just started has descriptors for its runtime");
            let exit = runtime.block_on(cli::execute(command, &overrides));
            // Dropping it would wait for a name that is being looked up, which can take the system many seconds.
            runtime.shutdown_background();
            exit.into()
        }
        Err(usage) => usage.exit(),
    }
}
