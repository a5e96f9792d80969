//! Runs many seeds, tells which of them fail, and replays one.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
