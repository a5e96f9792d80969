//! `utp`: looks into captures of uTP.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
