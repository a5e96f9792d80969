//! `libutp-peer`: the reference implementation behind the shim protocol.

use std::process::ExitCode;

use clap::Parser;
use utp_interop::libutp_peer::{LibutpArgs, run};
use utp_interop::shim::ShimArgs;

/// libutp behind the shim protocol: commands on standard input, JSON lines on standard output.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    shim: ShimArgs,
    #[command(flatten)]
    libutp: LibutpArgs,
}

const EXAMPLES: &str = "\
Examples:
  libutp-peer listen 127.0.0.1:4000 --role sink --once
  libutp-peer connect 127.0.0.1:4000 --role source:64MiB
  libutp-peer connect '[::1]:4000' --role source:8MiB --syn-seq above
  echo 'write 1000 7' | libutp-peer connect 127.0.0.1:4000 --role script

Commands on standard input (role script takes all of them):
  write N SEED | read N | pause | resume | shutdown | close | abort | stats | quit

Exit status: 0 done, 1 the connection failed, 2 wrong usage, 3 internal error,
89 libutp cannot do what was asked.";

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args.shim, &args.libutp) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("libutp-peer: {error}");
            ExitCode::from(3)
        }
    }
}
