//! `utp-sim sweep`: every run of a swept file, resumable and in shares, and joining the shares.

use super::files::{check_writable, jobs, load_all};
use super::options::Sweep as Options;
use super::store::{self, Manifest};
use super::{Engine, GOOD, INTERNAL, MISSED, Streams, WRONG_INPUT, speed};
use crate::metrics::View;
use crate::pool::{self, Work};
use crate::report::{Given, Measured, Report, Sweep, write_all};
use crate::run::Run;
use crate::scenario::{Scenario, ScenarioFile};
use crate::taps::Taps;
use crate::time::Ns;
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) fn sweep(options: &Options, engine: &impl Engine, io: &mut Streams<'_>) -> u8 {
    if !options.merge.is_empty() {
        return merge(options, io);
    }
    let Ok(Some(files)) = load_all(&options.files, &options.runs, io) else { return WRONG_INPUT };
    for file in &files {
        if let Err(error) = check_writable(&options.out.join(&file.name)) {
            drop(writeln!(io.err, "error: {error:#}"));
            return INTERNAL;
        }
    }
    let mut status = GOOD;
    for file in &files {
        let own = one(file, options, engine, io).unwrap_or_else(|error| {
            drop(writeln!(io.err, "error: {}: {error:#}", file.path.display()));
            INTERNAL
        });
        status = status.max(own);
    }
    status
}

fn one(
    file: &ScenarioFile,
    options: &Options,
    engine: &impl Engine,
    io: &mut Streams<'_>,
) -> anyhow::Result<u8> {
    let began = Instant::now();
    let folder = options.out.join(&file.name);
    let program = store::program()?;
    let all = jobs(file, &options.runs);
    let manifest = Manifest::new(file, &all, command(file, options));
    manifest.write(&folder)?;
    let share = |index: &usize| options.partition.is_none_or(|share| share.holds(*index));
    let keys: Vec<&String> =
        (0..all.len()).filter(share).map(|index| &manifest.runs[index]).collect();
    let missing = (0..all.len())
        .filter(share)
        .filter(|&index| store::find(&folder, &manifest.runs[index], Some(&program)).is_none());
    let missing: Vec<usize> = missing.collect();
    let scenarios: Vec<Scenario> = missing.iter().map(|&index| all[index].clone()).collect();
    let name = &file.name;
    let (own, there) = (keys.len(), keys.len() - missing.len());
    writeln!(io.err, "{name}: {own} runs, {there} of them finished before; Ctrl-C keeps what is")?;
    let keeper = Keeper {
        folder: &folder,
        program: &program,
        keys: missing.iter().map(|&index| &*manifest.runs[index]).collect(),
        scenarios: &scenarios,
    };
    let kept = pool::run_all(name, pool::cores(), &scenarios, engine, &keeper)?;
    let lengths: Vec<Ns> = kept.iter().map(|(length, _)| *length).collect();
    if !lengths.is_empty() {
        let events = kept.iter().map(|(_, events)| events).sum();
        let speed = speed(&lengths, events, began.elapsed().as_secs_f64());
        writeln!(io.err, "{name}: {speed}")?;
    }
    let found = manifest.runs.iter().map(|key| store::find(&folder, key, Some(&program)));
    match found.collect::<Option<Vec<Measured>>>() {
        Some(runs) => report(&manifest, &runs, &folder, options.json, io),
        None => {
            writeln!(io.err, "{name}: this share is complete, sweep --merge joins them")?;
            Ok(GOOD)
        }
    }
}

/// The command that gives all of the sweep, in shares or not.
fn command(file: &ScenarioFile, options: &Options) -> String {
    let given = Given { seeds: options.runs.seeds(), engine: options.runs.engine.map(Into::into) };
    let report = Report { file, records: &[], given, seeds: None };
    report.command().replacen("xtask simulate", "xtask sweep", 1)
}

struct Keeper<'a> {
    folder: &'a Path,
    program: &'a str,
    keys: Vec<&'a str>,
    scenarios: &'a [Scenario],
}

impl Work for Keeper<'_> {
    type Kept = (Ns, u64);

    fn taps(&self, _index: usize) -> anyhow::Result<Taps> {
        Ok(Taps::default())
    }

    fn keep(&self, index: usize, run: Run) -> anyhow::Result<(Ns, u64)> {
        let view = View { scenario: &self.scenarios[index], record: &run.record };
        store::keep(self.folder, self.keys[index], self.program, &Measured::new(view))?;
        Ok((run.record.duration, run.events))
    }
}

/// Writes and prints what a complete sweep came to.
fn report(
    manifest: &Manifest,
    runs: &[Measured],
    folder: &Path,
    json: bool,
    io: &mut Streams<'_>,
) -> anyhow::Result<u8> {
    let sweep = Sweep {
        name: &manifest.scenario,
        summary: &manifest.summary,
        digest: &manifest.digest,
        text: &manifest.text,
        engine: &manifest.engine,
        command: &manifest.command,
        runs,
    };
    write_all(folder, &sweep.files()?)?;
    let text = if json { sweep.json()? } else { sweep.table(io.paint) + "\n" };
    match io.out.write_all(text.as_bytes()).and_then(|()| io.out.flush()) {
        // The reader of our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    writeln!(io.err, "{}: see {}", manifest.scenario, folder.display())?;
    Ok(if sweep.pass() { GOOD } else { MISSED })
}

fn merge(options: &Options, io: &mut Streams<'_>) -> u8 {
    let shares = match shares(&options.merge) {
        Ok(shares) => shares,
        Err(error) => {
            drop(writeln!(io.err, "error: {error:#}"));
            return WRONG_INPUT;
        }
    };
    let mut status = GOOD;
    for (name, (manifest, folders)) in &shares {
        let own = joined(manifest, folders, options, io).unwrap_or_else(|error| {
            drop(writeln!(io.err, "error: {name}: {error:#}"));
            INTERNAL
        });
        status = status.max(own);
    }
    status
}

type Shares = BTreeMap<String, (Manifest, Vec<PathBuf>)>;

/// The sweeps in the folders, each with the folders of its shares.
fn shares(folders: &[PathBuf]) -> anyhow::Result<Shares> {
    let mut shares = Shares::new();
    for path in folders {
        for folder in store::sweeps_in(path)? {
            let manifest = Manifest::read(&folder)?;
            let name = manifest.scenario.clone();
            let (first, folders) =
                shares.entry(name).or_insert_with(|| (manifest.clone(), Vec::new()));
            ensure!(
                *first == manifest,
                "{}: a share of another sweep than in {}: file, seeds, engine and version must be \
                 the same",
                folder.display(),
                folders.first().map_or_else(String::new, |first| first.display().to_string()),
            );
            folders.push(folder);
        }
    }
    Ok(shares)
}

fn joined(
    manifest: &Manifest,
    folders: &[PathBuf],
    options: &Options,
    io: &mut Streams<'_>,
) -> anyhow::Result<u8> {
    let out = options.out.join(&manifest.scenario);
    let mut runs = Vec::new();
    let mut missing = 0;
    for key in &manifest.runs {
        let found = folders.iter().find_map(|from| Some((from, store::find(from, key, None)?)));
        match found {
            Some((from, measured)) => {
                store::copy(from, &out, key).context("cannot keep a finished run")?;
                runs.push(measured);
            }
            None => missing += 1,
        }
    }
    manifest.write(&out)?;
    if missing > 0 {
        let all = manifest.runs.len();
        writeln!(io.err, "error: {}: {missing} of {all} runs are missing", manifest.scenario)?;
        return Ok(MISSED);
    }
    report(manifest, &runs, &out, options.json, io)
}
