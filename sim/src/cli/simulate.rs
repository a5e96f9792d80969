//! `utp-sim simulate`: runs files and writes what people read of them.

use super::files::{check_writable, is_swept, jobs, load_all};
use super::options::Simulate;
use super::{Engine, GOOD, INTERNAL, MISSED, Streams, WRONG_INPUT, capture::Capture, speed};
use crate::metrics::View;
use crate::pool::{self, Work};
use crate::record::Record;
use crate::report::{
    Given, Measured, Paint, RESULTS_BYTES_MAX, Report, Sweep, summary, table, write_all,
};
use crate::run::Run;
use crate::scenario::{Scenario, ScenarioFile};
use crate::taps::Taps;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(super) fn simulate(options: &Simulate, engine: &impl Engine, io: &mut Streams<'_>) -> u8 {
    let Ok(Some(files)) = load_all(&options.files, &options.runs, io) else { return WRONG_INPUT };
    let captures = options.pcap || options.trace;
    if let Some(file) = files.iter().find(|file| captures && is_swept(file)) {
        let path = file.path.display();
        drop(writeln!(io.err, "error: {path}: has a [sweep], --pcap and --trace need one without"));
        return WRONG_INPUT;
    }
    // Nobody should wait for a simulation whose results have no place to go.
    for file in &files {
        if let Err(error) = check_writable(&options.out.join(&file.name)) {
            drop(writeln!(io.err, "error: {error:#}"));
            return INTERNAL;
        }
    }
    let mut status = GOOD;
    for file in &files {
        let printed = match one(file, options, pool::cores(), engine, io.paint) {
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

/// A file that was run and whose results are written.
pub(super) struct Done<'a> {
    file: &'a ScenarioFile,
    /// The table or the summary.
    pub(super) text: String,
    pub(super) command: String,
    pub(super) pass: bool,
    folder: PathBuf,
    results_bytes: usize,
    pub(super) speed: String,
}

impl Done<'_> {
    /// Says on stderr when the results are too large.
    pub(super) fn warn(&self, io: &mut Streams<'_>) -> io::Result<()> {
        let (folder, bytes) = (self.folder.display(), self.results_bytes);
        if bytes > RESULTS_BYTES_MAX {
            writeln!(io.err, "warning: {folder}: {bytes} bytes, too many to keep in a repository")?;
        }
        Ok(())
    }
}

/// Runs a file, `at_once` of its runs side by side, and writes its results.
pub(super) fn one<'a>(
    file: &'a ScenarioFile,
    options: &Simulate,
    at_once: usize,
    engine: &impl Engine,
    paint: Paint,
) -> anyhow::Result<Done<'a>> {
    let began = Instant::now();
    let scenarios = jobs(file, &options.runs);
    let folder = options.out.join(&file.name);
    let keeper = Keeper { file, scenarios: &scenarios, options, captures: Mutex::default() };
    let kept = pool::run_all(&file.name, at_once, &scenarios, engine, &keeper)?;
    let took_s = began.elapsed().as_secs_f64();
    let lengths: Vec<_> = kept.iter().map(|kept| kept.duration).collect();
    let speed = speed(&lengths, kept.iter().map(|kept| kept.events).sum(), took_s);
    let records: Vec<Record> = kept.iter().filter_map(|kept| kept.record.clone()).collect();
    let runs: Vec<Measured> = kept.into_iter().map(|kept| kept.measured).collect();
    let given = Given { seeds: options.runs.seeds(), engine: options.runs.engine.map(Into::into) };
    let several = given.seeds.is_some_and(|(first, last)| first < last);
    let report = Report { file, records: &records, given, seeds: several.then_some(&*runs) };
    let command = report.command();
    let (pass, files, text) = if is_swept(file) {
        let sweep = Sweep {
            name: &file.name,
            summary: &file.summary,
            digest: &file.digest,
            text: &file.text,
            engine: file.engine().name(),
            command: &command,
            runs: &runs,
        };
        let text = if options.json { sweep.json()? } else { sweep.table(paint) };
        (sweep.pass(), sweep.files()?, text)
    } else {
        let text = if options.json { summary(report)? } else { table(report, paint) };
        (report.pass(), report.files()?, text)
    };
    write_all(&folder, &files)?;
    let results_bytes = files.iter().map(|(_, text)| text.len()).sum();
    Ok(Done { file, text, command, pass, folder, results_bytes, speed })
}

/// What is kept of a run: the record of the first seed for the plots, the numbers of all.
struct Kept {
    measured: Measured,
    record: Option<Record>,
    duration: crate::time::Ns,
    events: u64,
}

struct Keeper<'a> {
    file: &'a ScenarioFile,
    scenarios: &'a [Scenario],
    options: &'a Simulate,
    captures: Mutex<BTreeMap<usize, Capture>>,
}

impl Keeper<'_> {
    /// Whether the run is one that plots and captures are made of.
    fn is_shown(&self, index: usize) -> bool {
        let seeds = self.scenarios.len() / self.file.variants.len().max(1);
        index.is_multiple_of(seeds.max(1)) && !is_swept(self.file)
    }
}

impl Work for Keeper<'_> {
    type Kept = Kept;

    fn taps(&self, index: usize) -> anyhow::Result<Taps> {
        let Simulate { pcap, trace, out, .. } = self.options;
        if !self.is_shown(index) || !(*pcap || *trace) {
            return Ok(Taps::default());
        }
        let scenario = &self.scenarios[index];
        let capture = Capture::create(&out.join(&self.file.name), scenario, *pcap, *trace)?;
        let taps = capture.taps();
        self.captures.lock().unwrap_or_else(PoisonError::into_inner).insert(index, capture);
        Ok(taps)
    }

    fn keep(&self, index: usize, run: Run) -> anyhow::Result<Kept> {
        let capture = self.captures.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
        if let Some(capture) = capture {
            capture.finish()?;
        }
        let view = View { scenario: &self.scenarios[index], record: &run.record };
        let measured = Measured::new(view);
        let (duration, events) = (run.record.duration, run.events);
        let record = self.is_shown(index).then_some(run.record);
        Ok(Kept { measured, record, duration, events })
    }
}

fn print(done: &Done<'_>, options: &Simulate, io: &mut Streams<'_>) -> io::Result<()> {
    io.out.write_all(done.text.as_bytes())?;
    if !done.pass {
        let stream = if options.json { &mut *io.err } else { &mut *io.out };
        let replay = format!("replay: {}{}\n", done.command, at_commit());
        stream.write_all(replay.as_bytes())?;
    }
    if !options.json {
        io.out.write_all(b"\n")?;
    }
    io.out.flush()?;
    let (name, folder) = (&done.file.name, done.folder.display());
    writeln!(io.err, "{name}: {}", done.speed)?;
    writeln!(io.err, "{name}: see {folder}")?;
    done.warn(io)
}

/// The commit that the program is run in, as a comment behind a command.
fn at_commit() -> String {
    let describe = ["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"];
    let commit = Process::new("git").args(describe).output().ok();
    let commit = commit.filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    commit.map_or_else(String::new, |commit| format!("  # at {commit}"))
}
