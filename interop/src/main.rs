//! `utp-interop`: transfers between uTP implementations over real UDP, and the conformance suite.

mod cli;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use utp_interop::conformance::{Conformance, Ended};

use crate::cli::{Cli, Failure, Task, write_out};

fn main() -> ExitCode {
    match Cli::parse().command {
        Task::Bench(bench) => run(async { Ok(u8::from(!bench.run().await?)) }),
        Task::Conformance(suite) => conformance(&suite),
        Task::Libtorrent(libtorrent) => run(async {
            let (status, text) = libtorrent.run().await?;
            write_out(&mut io::stdout(), &text)?;
            Ok(status)
        }),
        Task::Transfers(transfers) => run(async { Ok(u8::from(!transfers.run().await?)) }),
    }
}

/// Runs the suite, which waits for Ctrl-C by itself to keep what is finished.
fn conformance(suite: &Conformance) -> ExitCode {
    let ended = suite.run().and_then(|(ended, text)| {
        write_out(&mut io::stdout(), &text).map_err(|error| format!("standard output: {error}"))?;
        Ok(ended)
    });
    match ended {
        Ok(Ended::AsExpected) => ExitCode::SUCCESS,
        Ok(Ended::Failed) => ExitCode::from(1),
        Ok(Ended::Interrupted) => {
            eprintln!("utp-interop: interrupted");
            ExitCode::from(130)
        }
        Ok(_) => ExitCode::from(3),
        Err(message) => {
            eprintln!("utp-interop: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs what returns an exit status, until Ctrl-C.
fn run(work: impl Future<Output = Result<u8, Failure>>) -> ExitCode {
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
            result = work => Some(result),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    drop(runtime);
    match result {
        Some(Ok(status)) => ExitCode::from(status),
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
