//! The command `conformance`: its options, and what it does with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use clap::Args;

use super::case::Case;
use super::known::Known;
use super::outcome::{Outcome, is_fair};
use super::peer::Target;
use super::report::{Column, Report};
use super::run::Run;
use super::schedule::{Jobs, Plan, run_all};
use super::suite::{self, Filter};
use crate::harness::{Family, Progress, Provenance, STACKS, Shims, Stack, write_files};

/// Options of the conformance suite.
#[derive(Debug, Args)]
pub struct Conformance {
    /// The implementation: utp-tokio (or ours), libutp, another of the table, or all; may be
    /// repeated [default: ours].
    #[arg(long = "impl", value_name = "NAME")]
    stacks: Vec<String>,
    /// Run against this program, which speaks the shim protocol, and not against one of the table.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "stacks")]
    shim: Option<PathBuf>,
    /// Only this case; may be repeated.
    #[arg(long = "case", value_name = "ID")]
    cases: Vec<String>,
    /// Only this group, such as SK; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Only this version of IP; may be repeated.
    #[arg(long = "family", value_enum)]
    families: Vec<Family>,
    /// Also the cases that take minutes.
    #[arg(long)]
    slow: bool,
    /// How often each case runs. Repetitions that disagree are a failure.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// How many cases run side by side; those that judge milliseconds are fewer.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: u16,
    /// Show the packets and events of each run, also of those that pass.
    #[arg(long)]
    trace: bool,
    /// List the cases and run none.
    #[arg(long)]
    list: bool,
    /// Print the summary as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the results here. A full run goes to its place under results/ by itself.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the scripts are.
    #[arg(long = "scripts", value_name = "DIR", default_value = "interop/cases")]
    scripts: PathBuf,
    /// Where the lists of expected failures are.
    #[arg(long = "known", value_name = "DIR", default_value = "interop/known")]
    known: PathBuf,
    /// Where the shims are; beside this program when left out.
    #[arg(long, value_name = "DIR")]
    shims: Option<PathBuf>,
}

/// How a run of the suite ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Nothing failed that was not expected to.
    AsExpected,
    /// A case failed.
    Failed,
    /// The runner failed at a case.
    Internal,
    /// Ctrl-C; what was finished is reported.
    Interrupted,
}

/// An implementation with what is known of it.
struct Subject {
    target: Target,
    version: String,
    known: Known,
}

impl Conformance {
    /// Runs what was asked for, and returns what goes to standard output.
    ///
    /// # Errors
    ///
    /// With what was found and what is allowed, when a name, a script or a file is wrong, or when
    /// results cannot be written.
    pub fn run(&self) -> Result<(Ended, String), String> {
        let filter =
            Filter { cases: self.cases.clone(), groups: self.groups.clone(), slow: self.slow };
        let all = suite::load(&self.scripts)?;
        let subjects = self.subjects(&all)?;
        let cases = suite::select(all, &filter)?;
        if self.list {
            return Ok((Ended::AsExpected, list(&cases)));
        }
        let provenance = Provenance::now();
        let families = self.families()?;
        let stopped = watch_for_ctrl_c();
        let jobs = usize::from(self.jobs);
        let jobs = Jobs { ordinary: jobs, timing: jobs.div_ceil(8) };
        let mut report = Report::new(provenance, cases);
        for subject in &subjects {
            let column = self.column_of(subject, report.cases(), &families, jobs, &stopped);
            report.add(column);
            // What is finished is kept, whatever becomes of the rest: all of it takes hours.
            self.publish(&report, stopped.load(Ordering::SeqCst))?;
        }
        let interrupted = stopped.load(Ordering::SeqCst);
        let ended = match () {
            () if interrupted => Ended::Interrupted,
            () if report.is_internal() => Ended::Internal,
            () if report.pass() => Ended::AsExpected,
            () => Ended::Failed,
        };
        let text = if self.json { json(&report)? } else { report.text() };
        Ok((ended, text))
    }

    /// Runs the cases against one implementation.
    fn column_of(
        &self,
        subject: &Subject,
        cases: &[Case],
        families: &[Family],
        jobs: Jobs,
        stopped: &AtomicBool,
    ) -> Column {
        let fair = |case: &&Case| is_fair(case, subject.target.is_ours, &subject.known);
        let fair: Vec<Case> = cases.iter().filter(fair).cloned().collect();
        let progress = Progress::new(fair.len() * families.len() * self.repeat as usize);
        let plan = Plan {
            target: subject.target.clone(),
            families: families.to_vec(),
            repeat: self.repeat,
            jobs,
            whole_traces: self.trace,
            known: subject.known.ids().map(str::to_owned).collect(),
        };
        let started = Instant::now();
        let runs = run_all(&fair, &plan, stopped, &progress);
        if self.trace {
            show_traces(&runs, &progress);
        }
        column(subject, cases, &runs, started.elapsed().as_secs())
    }

    /// What to run against.
    fn subjects(&self, cases: &[Case]) -> Result<Vec<Subject>, String> {
        if let Some(program) = &self.shim {
            let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let target =
                Target { name, program: program.clone(), lacks: Vec::new(), is_ours: true };
            is_there(&target.program, STACKS[0].build_command())?;
            return Ok(vec![Subject { target, version: String::new(), known: Known::default() }]);
        }
        let shims = match &self.shims {
            Some(folder) => Shims::in_folder(folder.clone()),
            None => Shims::beside_this_program().map_err(|error| error.to_string())?,
        };
        let stacks = match self.stacks.is_empty() {
            true => vec![STACKS[0]],
            false => Stack::named(&self.stacks)?,
        };
        let subject = |stack: &Stack| {
            let program = shims.path(stack);
            is_there(&program, stack.build_command())?;
            let is_ours = stack.is_ours();
            let name = if *stack == STACKS[0] { "ours" } else { stack.name };
            let known = Known::load(&self.known, name)?;
            let is_case = |id: &str| cases.iter().any(|case| case.id == id);
            if let Some(id) = known.ids().find(|id| !is_case(id)) {
                let folder = self.known.display();
                return Err(format!("{folder}/{name}.toml: there is no case `{id}`"));
            }
            let target = Target {
                name: stack.name.to_owned(),
                program,
                lacks: stack.lacks.to_vec(),
                is_ours,
            };
            Ok(Subject { target, version: stack.version.to_owned(), known })
        };
        stacks.iter().map(subject).collect()
    }

    fn families(&self) -> Result<Vec<Family>, String> {
        let asked = match self.families.as_slice() {
            [] => &[Family::V4, Family::V6][..],
            families => families,
        };
        let (there, missing): (Vec<Family>, Vec<Family>) =
            asked.iter().partition(|family| family.is_available());
        for family in missing {
            eprintln!("utp-interop: IP{family} is left out: this machine lacks it");
        }
        match there.is_empty() {
            true => Err("this machine has none of the address families".into()),
            false => Ok(there),
        }
    }

    /// Whether the results are those that are kept.
    fn is_full(&self) -> bool {
        let all = self.shim.is_none() && self.stacks == ["all"];
        let narrowed = !self.cases.is_empty() || !self.groups.is_empty();
        all && !narrowed && self.families.is_empty() && self.slow && self.repeat >= 3
    }

    fn publish(&self, report: &Report, interrupted: bool) -> Result<(), String> {
        let folder = match &self.out {
            Some(folder) => folder,
            None if self.is_full() && !interrupted => Path::new("results/conformance"),
            None => return Ok(()),
        };
        let files = [
            ("summary.json", json(report)?),
            ("matrix.md", report.markdown()),
            ("matrix.html", report.html()),
        ];
        write_files(folder, &files).map_err(|error| format!("{}: {error}", folder.display()))
    }
}

fn is_there(program: &Path, command: &str) -> Result<(), String> {
    match program.is_file() {
        true => Ok(()),
        false => Err(format!("{} is missing; build it with `{command}`", program.display())),
    }
}

/// Sets a flag at Ctrl-C.
fn watch_for_ctrl_c() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
            flag.store(true, Ordering::SeqCst);
        }
    });
    stopped
}

fn column(subject: &Subject, cases: &[Case], runs: &[Run], seconds: u64) -> Column {
    let mut outcomes = BTreeMap::new();
    for case in cases {
        let of_case: Vec<&Run> = runs.iter().filter(|run| run.id == case.id).collect();
        if !is_fair(case, subject.target.is_ours, &subject.known) {
            outcomes.insert(case.id.clone(), Outcome::withheld(case));
        } else if !of_case.is_empty() {
            outcomes.insert(case.id.clone(), Outcome::of(case, &of_case, &subject.known));
        }
    }
    let Target { name, is_ours, .. } = subject.target.clone();
    Column { name, version: subject.version.clone(), is_ours, seconds, outcomes }
}

fn list(cases: &[Case]) -> String {
    let lines = cases.iter().map(|case| {
        let words = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(",");
        let needs = words(&mut case.needs.iter().map(ToString::to_string));
        let flags = words(&mut case.flags.iter().map(ToString::to_string));
        let marks = [needs, flags].into_iter().filter(|words| !words.is_empty());
        let marks = marks.collect::<Vec<_>>().join("; ");
        let (id, grade, title, reference) = (&case.id, case.grade, &case.title, &case.reference);
        format!("{id} {grade:<6} {title} [{reference}] ({marks})\n")
    });
    lines.collect()
}

fn show_traces(runs: &[Run], progress: &Progress) {
    for run in runs.iter().filter(|run| !run.verdict.is_bad()) {
        progress.say(format_args!("{run}\n{}", run.trace.trim_end()));
    }
}

fn json(report: &Report) -> Result<String, String> {
    report.json().map_err(|error| error.to_string())
}
