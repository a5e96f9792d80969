//! Runs many seeds, sorts what differs into classes, and replays one.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
