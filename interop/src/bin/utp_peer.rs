//! `utp-peer`: our own implementation behind the shim protocol.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use utp_interop::shim::ShimArgs;
use utp_interop::utp_peer::{UtpArgs, run};

/// utp-tokio behind the shim protocol: commands on standard input, JSON lines on standard output.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    shim: ShimArgs,
    #[command(flatten)]
    utp: UtpArgs,
}

const EXAMPLES: &str = "\
Examples:
  utp-peer listen 127.0.0.1:4000 --role sink --once
  utp-peer connect 127.0.0.1:4000 --role source:64MiB
  utp-peer connect '[::1]:4000' --role source:8MiB --threads 2
  echo 'write 1000 7' | utp-peer connect 127.0.0.1:4000 --role script

Commands on standard input (role script takes all of them):
  write N SEED | read N | pause | resume | shutdown | close | abort | stats | quit

Exit status: 0 done, 1 the connection failed, 2 wrong usage, 3 internal error.";

fn main() -> ExitCode {
    let args = Args::parse();
    match runtime(args.utp.threads) {
        Ok(runtime) => ExitCode::from(runtime.block_on(run(&args.shim, &args.utp))),
        Err(error) => {
            eprintln!("utp-peer: {error}");
            ExitCode::from(3)
        }
    }
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}
