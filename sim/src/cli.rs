//! The command line of `utp-sim`: what it accepts, prints and returns.
//!
//! Results go to stdout and nothing else does; progress, speed and errors go to stderr. The engine
//! is an argument, so that what is printed can be tested without simulating anything.

use crate::report::Paint;
use crate::scenario::reference;
use crate::time::Ns;
use clap::Parser;
use options::{Cli, Command};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

mod capture;
mod files;
mod options;
mod results;
mod simulate;
mod store;
mod sweep;

pub use crate::pool::Engine;

/// Runs the command line of this process.
pub fn main(engine: impl Engine) -> ExitCode {
    let paint = match io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => Paint::Ansi,
        false => Paint::Plain,
    };
    let mut io = Streams { out: &mut io::stdout(), err: &mut io::stderr(), paint };
    ExitCode::from(run(std::env::args_os(), engine, &mut io))
}

/// Where a command writes to.
struct Streams<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    paint: Paint,
}

fn run(args: impl IntoIterator<Item = OsString>, engine: impl Engine, io: &mut Streams<'_>) -> u8 {
    let command = match Cli::try_parse_from(args) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Help and version are results, all else is wrong usage. A closed pipe is no news.
            drop(error.print());
            return if error.use_stderr() { WRONG_INPUT } else { GOOD };
        }
    };
    match command {
        Command::Keys => match io.out.write_all(reference().as_bytes()) {
            Ok(()) => GOOD,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => GOOD,
            Err(_) => INTERNAL,
        },
        Command::Results(options) => {
            let places = results::Places {
                scenarios: Path::new("scenarios"),
                check: Path::new("target/results"),
            };
            results::results(&options, places, &engine, io)
        }
        Command::Simulate(options) => simulate::simulate(&options, &engine, io),
        Command::Sweep(options) => sweep::sweep(&options, &engine, io),
    }
}

/// How fast the simulation was. Runs go side by side, so that their times do not add up.
fn speed(lengths: &[Ns], events: u64, took_s: f64) -> String {
    let shortest = lengths.iter().min().copied().unwrap_or_default().as_secs_f64();
    let longest = lengths.iter().max().copied().unwrap_or_default().as_secs_f64();
    let all: f64 = lengths.iter().map(|length| length.as_secs_f64()).sum();
    let took_s = took_s.max(1e-9);
    let what = match lengths.len() {
        1 => format!("{longest:.1} s"),
        count if shortest == longest => format!("{count} runs of {longest:.1} s"),
        count => format!("{count} runs of {shortest:.1} s to {longest:.1} s"),
    };
    format!(
        "{what} simulated in {took_s:.1} s, {:.0} x real time, {} events/s",
        all / took_s,
        short(events as f64 / took_s)
    )
}

/// A large number in a few letters.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2} M", value / 1e6),
        1e3.. => format!("{:.0} k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

const GOOD: u8 = 0;
const MISSED: u8 = 1;
const WRONG_INPUT: u8 = 2;
const INTERNAL: u8 = 3;

#[cfg(test)]
mod tests;
