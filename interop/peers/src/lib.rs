//! What the programs of the registry's stacks share: the shims' command line and runtime, and a
//! stream.

mod utp_rs_stream;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;
use utp_shim::driver::{self, Stack, unsupported};
use utp_shim::{Buffers, Mode, ShimArgs};

pub use self::utp_rs_stream::UtpRsStream;

/// A uTP implementation behind the shim protocol: commands on standard input, JSON lines on
/// standard output.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
struct Args {
    #[command(flatten)]
    shim: ShimArgs,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done, 1 the connection failed, 2 wrong usage, 3 internal error,
89 the implementation cannot do what was asked.";

/// What the command line asks for; leaves when it is wrong.
pub fn mode() -> Mode {
    Args::parse().shim.mode
}

/// Runs a stack that `bind` binds to a socket, on one thread as the shims of ours and libutp are.
pub fn run<S: Stack>(name: &str, bind: impl AsyncFnOnce(&Mode) -> io::Result<S>) -> ExitCode {
    let mode = mode();
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(async {
            let stack = bind(&mode).await;
            driver::run(name, stack, mode).await
        })),
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(3)
        }
    }
}

/// Refuses buffers of streams, for stacks that have no such option.
///
/// # Errors
///
/// `Unsupported` when any was asked for.
pub fn no_stream_buffers(buffers: Buffers) -> io::Result<()> {
    match buffers {
        Buffers { rcvbuf: None, sndbuf: None, .. } => Ok(()),
        _ => Err(unsupported("it has no option for the buffers of a stream")),
    }
}
