//! The command line of `utp-sim`: what it accepts, prints and returns.
//!
//! Results go to stdout and nothing else does; progress, speed and errors go to stderr. The engine
//! is an argument, so that what is printed can be tested without simulating anything.

use crate::record::Record;
use crate::report::{Given, Paint, RESULTS_BYTES_MAX, Report, summary, table, write_all};
use crate::scenario::{Scenario, ScenarioFile, load, reference};
use crate::time::Ns;
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode};
use std::time::Instant;

mod pool;

/// What runs a scenario: calls back with the virtual time reached, returns what it recorded.
pub trait Engine: Fn(&Scenario, &dyn Fn(Ns)) -> anyhow::Result<Record> + Sync {}

impl<E: Fn(&Scenario, &dyn Fn(Ns)) -> anyhow::Result<Record> + Sync> Engine for E {}

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
        Command::Simulate(options) => simulate(&options, &engine, io),
    }
}

fn simulate(options: &Simulate, engine: &impl Engine, io: &mut Streams<'_>) -> u8 {
    let Ok(Some(files)) = load_all(options, io) else { return WRONG_INPUT };
    // Nobody should wait for a simulation whose results have no place to go.
    for file in &files {
        if let Err(error) = check_writable(&options.out.join(&file.name)) {
            drop(writeln!(io.err, "error: {error:#}"));
            return INTERNAL;
        }
    }
    let mut status = GOOD;
    for file in &files {
        let printed = match one(file, options, engine) {
            Ok(done) => {
                status = status.max(if done.pass { GOOD } else { MISSED });
                print(&done, options, io)
            }
            Err(error) => {
                status = INTERNAL;
                writeln!(io.err, "error: {}: {error:#}", file.path.display())
            }
        };
        match printed {
            Ok(()) => {}
            // The reader of our output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(_) => return INTERNAL,
        }
    }
    status
}

/// All files or, when anything is wrong with any of them, none: then nothing is run or written.
fn load_all(options: &Simulate, io: &mut Streams<'_>) -> io::Result<Option<Vec<ScenarioFile>>> {
    let mut files = Vec::new();
    let mut names = BTreeMap::new();
    let mut good = true;
    for path in &options.files {
        match load(path) {
            Ok(mut file) => {
                if let Some(other) = names.insert(file.name.clone(), path) {
                    let (path, other) = (path.display(), other.display());
                    writeln!(io.err, "error: {path}: its results would replace those of {other}")?;
                    good = false;
                }
                for scenario in &mut file.variants {
                    scenario.seed = options.seed.unwrap_or(scenario.seed);
                }
                files.push(file);
            }
            Err(error) => {
                writeln!(io.err, "error: {error}")?;
                good = false;
            }
        }
    }
    Ok(good.then_some(files))
}

/// Makes the folder, with a file in it that goes away again.
fn check_writable(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join(".writable.partial");
    fs::write(&file, "")
        .and_then(|()| fs::remove_file(&file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// A file that was run and whose results are written.
struct Done<'a> {
    file: &'a ScenarioFile,
    records: Vec<Record>,
    pass: bool,
    folder: PathBuf,
    results_bytes: usize,
    took_s: f64,
}

fn one<'a>(
    file: &'a ScenarioFile,
    options: &Simulate,
    engine: &impl Engine,
) -> anyhow::Result<Done<'a>> {
    let began = Instant::now();
    let records = pool::run_variants(file, engine)?;
    let took_s = began.elapsed().as_secs_f64();
    let report = Report { file, records: &records, given: options.given() };
    let (pass, files) = (report.pass(), report.files()?);
    let folder = options.out.join(&file.name);
    write_all(&folder, &files)?;
    let results_bytes = files.iter().map(|(_, text)| text.len()).sum();
    Ok(Done { file, records, pass, folder, results_bytes, took_s })
}

fn print(done: &Done<'_>, options: &Simulate, io: &mut Streams<'_>) -> io::Result<()> {
    let report = Report { file: done.file, records: &done.records, given: options.given() };
    let text = match options.json {
        true => summary(report)?,
        false => table(report, io.paint),
    };
    io.out.write_all(text.as_bytes())?;
    if !done.pass {
        let stream = if options.json { &mut *io.err } else { &mut *io.out };
        stream.write_all(format!("replay: {}\n", replay(done.file, options)).as_bytes())?;
    }
    if !options.json {
        io.out.write_all(b"\n")?;
    }
    io.out.flush()?;
    let (name, folder) = (&done.file.name, done.folder.display());
    writeln!(io.err, "{name}: {}", speed(&done.records, done.took_s))?;
    writeln!(io.err, "{name}: see {folder}")?;
    if done.results_bytes > RESULTS_BYTES_MAX {
        let bytes = done.results_bytes;
        writeln!(io.err, "warning: {folder}: {bytes} bytes, too many to keep in a repository")?;
    }
    Ok(())
}

/// How fast the simulation was. Variants run side by side, so that their times do not add up.
fn speed(records: &[Record], took_s: f64) -> String {
    let durations = || records.iter().map(|record| record.duration);
    let all_alike = durations().min() == durations().max();
    let shortest = durations().min().unwrap_or_default().as_secs_f64();
    let longest = durations().max().unwrap_or_default().as_secs_f64();
    let factor = longest / took_s.max(1e-9);
    let end = format!("simulated in {took_s:.1} s");
    match records.len() {
        1 => format!("{longest:.1} s {end}, {factor:.0} x real time"),
        count if all_alike => {
            format!("{count} variants of {longest:.1} s {end}, each {factor:.0} x real time")
        }
        count => format!(
            "{count} variants of {shortest:.1} s to {longest:.1} s {end}, \
             the longest {factor:.0} x real time"
        ),
    }
}

/// The command that runs this file again as it was run now.
fn replay(file: &ScenarioFile, options: &Simulate) -> String {
    let mut command = format!("cargo xtask simulate {}", file.path.display());
    let seeds = || file.variants.iter().map(|scenario| scenario.seed);
    let first = seeds().next().unwrap_or_default();
    // Variants with seeds of their own keep them unless one was given for all.
    if options.seed.is_some() || seeds().all(|seed| seed == first) {
        command += &format!(" --seed {first}");
    }
    let describe = ["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"];
    let commit = Process::new("git").args(describe).output().ok();
    let commit = commit.filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    command + &commit.map_or_else(String::new, |commit| format!("  # at {commit}"))
}

/// Simulate uTP over networks that a text file describes.
#[derive(Debug, Parser)]
#[command(name = "utp-sim", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the reference of scenario files: every key, metric and controller
    Keys,
    Simulate(Simulate),
}

/// Run scenario files, check what they expect, write tables and plots
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
struct Simulate {
    /// Scenario files; scenarios/README.md explains the keys
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Seed of every random draw, instead of the one in the file
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where the results go, a folder for each scenario
    #[arg(long, value_name = "DIR", default_value = "results/scenarios")]
    out: PathBuf,

    /// Print summary.json instead of the table; one document for each FILE
    #[arg(long)]
    json: bool,
}

impl Simulate {
    fn given(&self) -> Given {
        Given { seed: self.seed, engine: None }
    }
}

const AFTER_HELP: &str = "\
Every FILE gives DIR/NAME/report.html, summary.json, timeseries.csv, delay.svg, throughput.svg and,
for flows with a congestion window, window.svg. The same file and seed give the same bytes, on every
machine.

Examples:
  utp-sim simulate scenarios/bufferbloat.toml
  utp-sim simulate scenarios/*.toml
  utp-sim simulate scenarios/loss.toml --seed 7 --out /tmp/seven
  utp-sim simulate scenarios/loss.toml --json | jq .variants.default.flows.upload.goodput_mbps

Exit status:
  0  everything that the files expect holds
  1  an expectation was missed
  2  wrong usage, or a file that cannot be run: nothing was run or written
  3  the simulation failed, or the results cannot be written, which is checked first";

const GOOD: u8 = 0;
const MISSED: u8 = 1;
const WRONG_INPUT: u8 = 2;
const INTERNAL: u8 = 3;

#[cfg(test)]
mod tests;
