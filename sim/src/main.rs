//! The binary `utp-sim`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    utp_sim::cli::main(utp_sim::run::run_tapped)
}
