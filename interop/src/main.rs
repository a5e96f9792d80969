//! `utp-interop`: transfers between uTP implementations over real UDP.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("utp-interop: {error}");
                return ExitCode::from(3);
            }
        };
    // Dropping the work on Ctrl-C kills the shims; files are only ever written whole.
    let result = runtime.block_on(async {
        tokio::select! {
            result = cli.run() => Some(result),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    drop(runtime);
    match result {
        Some(Ok(true)) => ExitCode::SUCCESS,
        Some(Ok(false)) => ExitCode::from(1),
        Some(Err(Failure::Usage(message))) => {
            eprintln!("utp-interop: {message}");
            ExitCode::from(2)
        }
        Some(Err(Failure::Internal(error))) => {
            eprintln!("utp-interop: {error:#}");
            ExitCode::from(3)
        }
        None => {
            eprintln!("utp-interop: interrupted");
            ExitCode::from(130)
        }
    }
}
