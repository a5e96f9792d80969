//! `cargo xtask`: the commands of this workspace, from simulations to the checks of CI.
//!
//! It builds what a command needs and spawns it, always in the root of the workspace, whatever the
//! directory it is called in; see the module `place` for the paths in its arguments. It depends on
//! none of the crates that it builds, so that it compiles in seconds.
//!
//! The exit status is 0 when all is good, 1 when a check, a test or an expectation failed, 2 for
//! wrong usage, 3 for an internal error such as a program that does not start. That of a simulation
//! or a transfer is handed on as it is.

mod canaries;
mod capi;
mod ci;
mod cite;
mod command;
mod differential;
mod instructions;
mod interop;
mod place;
mod results;
mod simulate;
mod swarm;
mod test;
mod tidy;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{ci::Step, command::Failure};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The commands of this workspace",
    after_help = "Example: cargo xtask simulate scenarios/bufferbloat.toml",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure throughput, latency, connections and memory, this stack next to others
    #[command(after_help = interop::BENCH_HELP, override_usage = interop::BENCH_USAGE)]
    Bench(PassedOn),
    /// Plant known bugs in the core and look whether the tests find them, or conformance does
    #[command(after_help = canaries::HELP)]
    Canaries(canaries::Canaries),
    /// Install the C library, or compare it with libutp
    #[command(subcommand, after_help = capi::HELP)]
    Capi(capi::Capi),
    /// Run every check of continuous integration, and stop at the first that fails
    #[command(after_help = ci::HELP)]
    Ci {
        /// Steps to run, in the order of the list below; all of them without this
        #[arg(value_enum, value_name = "STEP")]
        steps: Vec<Step>,
    },
    /// Check which code and which test stands for which clause of the requirements
    #[command(after_help = cite::HELP)]
    Cite(cite::Cite),
    /// Play a scripted peer against an implementation, case by case
    #[command(after_help = interop::CONFORMANCE_HELP, override_usage = interop::CONFORMANCE_USAGE)]
    Conformance(PassedOn),
    /// Run random scripts of two applications over this stack and over libutp, and compare
    #[command(after_help = differential::HELP, override_usage = differential::USAGE)]
    Differential(PassedOn),
    /// Count the instructions of acks and of the hot paths, and hold them to their limits
    Instructions(instructions::Instructions),
    /// Transfer files between uTP implementations over real UDP
    #[command(after_help = interop::HELP, override_usage = interop::USAGE)]
    Interop(PassedOn),
    /// Make everything in results/ that is the same on every machine, or check that it is there
    Results(results::Results),
    /// Run scenario files in the simulator
    Simulate(simulate::Simulate),
    /// Run every combination of the lists in scenario files
    Sweep(simulate::Sweep),
    /// Run random operations on two endpoints, one seed after the other
    #[command(after_help = swarm::HELP, override_usage = swarm::USAGE)]
    Swarm(PassedOn),
    /// Run every test and every example of the documentation; for before a push
    #[command(after_help = test::HELP)]
    Test,
    /// Check the layout of the files and the direction of the dependencies
    #[command(after_help = tidy::HELP)]
    Tidy,
}

/// The arguments of a program that checks them itself.
#[derive(clap::Args)]
struct PassedOn {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl PassedOn {
    /// They are one list, also when some of them stand behind a `--`.
    fn all(mut self) -> Vec<OsString> {
        if let Some(at) = self.arguments.iter().position(|argument| argument == "--") {
            self.arguments.remove(at);
        }
        self.arguments
    }
}

fn main() -> ExitCode {
    if let Some(status) = canaries::wrapped() {
        return status;
    }
    // Ctrl-C reaches the program that is running as well: it ends in its own way, and its status is
    // handed on. Without a handler this process would be gone before it.
    if let Err(error) = ctrlc::set_handler(|| {}) {
        eprintln!("warning: Ctrl-C ends this program before what it runs: {error}");
    }
    let result = match Cli::parse().command {
        Task::Bench(passed_on) => interop::run("bench", &passed_on.all()),
        Task::Canaries(canaries) => canaries.run(),
        Task::Capi(capi) => capi::run(&capi),
        Task::Ci { steps } => ci::run(&steps),
        Task::Cite(cite) => cite.run(),
        Task::Conformance(passed_on) => interop::run("conformance", &passed_on.all()),
        Task::Differential(passed_on) => differential::run(&passed_on.all()),
        Task::Instructions(instructions) => instructions.run(),
        Task::Interop(passed_on) => interop::run("interop", &passed_on.all()),
        Task::Results(results) => results.run(),
        Task::Simulate(simulate) => simulate.run(),
        Task::Sweep(sweep) => sweep.run(),
        Task::Swarm(passed_on) => swarm::run(&passed_on.all()),
        Task::Test => test::run(),
        Task::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever ended with this status has said why.
        Err(Failure::Status(status)) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn status_of(arguments: &[&str]) -> i32 {
        let arguments = ["xtask"].iter().chain(arguments);
        Cli::try_parse_from(arguments).err().expect("these arguments are wrong").exit_code()
    }

    #[test]
    fn the_definition_of_the_arguments_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_command_and_an_unknown_step_are_wrong_usage() {
        assert_eq!(status_of(&["simulat"]), 2);
        assert_eq!(status_of(&["ci", "nosuchstep"]), 2);
        assert_eq!(status_of(&["tidy", "--fix"]), 2);
    }

    #[test]
    fn a_simulation_of_nothing_is_wrong_usage_without_a_build() {
        let error = Cli::try_parse_from(["xtask", "simulate", "--json"]).err().expect("no file");
        assert_eq!(error.exit_code(), 2);
        let words = error.to_string();
        assert!(words.contains("Usage: cargo xtask simulate FILE... [OPTIONS]"), "{words}");

        // Nor does the help need one.
        let help = Cli::try_parse_from(["xtask", "simulate", "--help"]).err().expect("help");
        assert_eq!(help.exit_code(), 0);
        assert!(help.to_string().contains("--seed <N>"), "{help}");
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_help().to_string();
            let example = format!("cargo xtask {}", command.get_name());
            assert!(help.contains("Example"), "{example} shows no example");
            assert!(help.contains(&example), "{example} is not in its own help");
        }
    }

    #[test]
    fn options_are_handed_on_as_they_are() {
        let passed_on = |given: &[&str]| {
            let words = ["xtask", "interop"].iter().chain(given);
            let cli = Cli::try_parse_from(words).expect("parses");
            let Task::Interop(passed_on) = cli.command else { panic!("another command") };
            passed_on.all()
        };
        let given = ["--quick", "--out", "a", "--json", "--help"];
        assert!(passed_on(&given).iter().eq(&given));
        // Behind others as well as alone: what is built depends on them.
        for given in [&["--", "--help"][..], &["--impl", "all", "--", "--help"]] {
            let expected = given.iter().filter(|word| **word != "--");
            assert!(passed_on(given).iter().eq(expected), "{given:?}");
        }
    }
}
