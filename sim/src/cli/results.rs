//! `utp-sim results`: makes everything that is the same on every machine, or compares it with what
//! is there.

use super::files::{check_writable, load_all};
use super::options::{Results, Runs, Simulate};
use super::{Engine, GOOD, INTERNAL, MISSED, Streams, WRONG_INPUT, simulate};
use crate::pool;
use crate::report::write_all;
use crate::results::{README, SCENARIOS, differences, readme, scenario_files};
use crate::scenario::ScenarioFile;
use anyhow::Context;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

/// The folders that nobody chooses.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// Where the scenario files are.
    pub(super) scenarios: &'a Path,
    /// Where results go that are only compared.
    pub(super) check: &'a Path,
}

pub(super) fn results(
    options: &Results,
    places: Places<'_>,
    engine: &impl Engine,
    io: &mut Streams<'_>,
) -> u8 {
    let runs = Runs { seed: None, seeds: None, engine: None };
    let paths = scenario_files(places.scenarios);
    let files = match paths.map(|paths| load_all(&paths, &runs, io)) {
        Ok(Ok(Some(files))) => files,
        Ok(_) => return WRONG_INPUT,
        Err(error) => {
            drop(writeln!(io.err, "error: {error:#}"));
            return WRONG_INPUT;
        }
    };
    let out = if options.check { places.check } else { &options.out };
    let made = make(&files, out, runs, options, engine, io).and_then(|status| {
        let at_once = at_once(options);
        let page = readme(places.scenarios, out, at_once, engine)?;
        write_all(out, &[(README, page)])?;
        Ok(status)
    });
    let judged = made.and_then(|status| match options.check {
        true => Ok(status.max(compare(&options.out, out, io)?)),
        false => Ok(status),
    });
    judged.unwrap_or_else(|error| {
        drop(writeln!(io.err, "error: {error:#}"));
        INTERNAL
    })
}

/// Runs every file, writes its results below `out`, and prints whether it holds.
fn make(
    files: &[ScenarioFile],
    out: &Path,
    runs: Runs,
    options: &Results,
    engine: &impl Engine,
    io: &mut Streams<'_>,
) -> anyhow::Result<u8> {
    if options.check {
        empty(out)?;
    }
    check_writable(out)?;
    let out = out.join(SCENARIOS);
    let like = Simulate { files: Vec::new(), runs, out, pcap: false, trace: false, json: false };
    let mut status = GOOD;
    for (index, file) in files.iter().enumerate() {
        let done = simulate::one(file, &like, at_once(options), engine, io.paint);
        let done = done.with_context(|| file.path.display().to_string())?;
        if done.pass {
            writeln!(io.out, "PASS {}", file.name)?;
        } else {
            status = MISSED;
            writeln!(io.out, "{}replay: {}\n", done.text, done.command)?;
        }
        let (of, speed) = (files.len(), &done.speed);
        writeln!(io.err, "{}: {} of {of}, {speed}", file.name, index + 1)?;
        done.warn(io)?;
    }
    Ok(status)
}

/// Prints what differs between what is there and what was made now, which goes if nothing does.
fn compare(there: &Path, made: &Path, io: &mut Streams<'_>) -> anyhow::Result<u8> {
    let found = differences(there, made)?;
    for difference in &found {
        writeln!(io.out, "{difference}")?;
    }
    let there = there.display();
    if found.is_empty() {
        empty(made)?;
        writeln!(io.out, "PASS {there}: every file is what the scenarios give")?;
        return Ok(GOOD);
    }
    let (count, made) = (found.len(), made.display());
    writeln!(io.out, "FAIL {there}: {count} files are not what the scenarios give, see {made}")?;
    Ok(MISSED)
}

fn at_once(options: &Results) -> usize {
    options.jobs.map_or_else(pool::cores, NonZeroUsize::get)
}

/// Removes the folder with all that is in it.
fn empty(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
    .with_context(|| format!("cannot remove {}", folder.display()))
}

#[cfg(test)]
mod tests;
