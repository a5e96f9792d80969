//! The command `bench`: what to measure of whom, and where the results go.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::task::JoinSet;

use super::plan::{BENCHES, Bench, IMPLEMENTATIONS, Implementation};
use super::report::{Report, Row, Section};
use super::sample::{Shortfall, Values, sample};
use crate::harness::{Progress, Provenance};

/// The options of `bench`.
#[derive(Debug, Args)]
pub struct Command {
    /// Only this bench; may be repeated.
    #[arg(long = "bench", value_name = "NAME", value_parser = names(BENCHES.iter().map(|of| of.name)))]
    benches: Vec<String>,
    /// Only this implementation; may be repeated. Those of this workspace with --quick.
    #[arg(long = "impl", value_name = "NAME", value_parser = implementation_names())]
    implementations: Vec<String>,
    /// How often each bench runs [default: 5, quick 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Show in seconds that everything runs. The figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Print the summary as JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Write the results here, after every bench. Benches that this run leaves out keep the figures
    /// that the folder has of them. A full run goes to results/bench by itself.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where the programs are; beside this one when left out.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

fn names(names: impl Iterator<Item = &'static str>) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(names)
}

fn implementation_names() -> clap::builder::PossibleValuesParser {
    names(["all", "ours"].into_iter().chain(IMPLEMENTATIONS.iter().map(|of| of.name)))
}

impl Command {
    /// Measures. False when something went wrong with ours.
    ///
    /// # Errors
    ///
    /// When results cannot be written.
    pub async fn run(self) -> anyhow::Result<bool> {
        if cfg!(debug_assertions) {
            eprintln!("utp-interop: a debug build: speeds mean nothing, use --release");
        }
        let provenance = Provenance::now();
        let programs = match &self.programs {
            Some(folder) => folder.clone(),
            None => {
                let program = std::env::current_exe().context("where this program is")?;
                program.parent().ok_or_else(|| anyhow!("this program is nowhere"))?.to_owned()
            }
        };
        let runs = self.runs.unwrap_or(if self.quick { 1 } else { 5 });
        let folder = self.folder();
        let mut report = Report { quick: self.quick, sections: Vec::new() };
        let rows: usize = self.sections(&provenance).iter().map(|of| of.rows.len()).sum();
        let progress = Progress::new(rows * runs as usize);
        for mut section in self.sections(&provenance) {
            for round in 0..runs {
                // Each round begins with another, so that a slow moment meets all alike.
                let len = section.rows.len().max(1);
                section.rows.rotate_left(1 % len);
                self.round(&mut section, &programs, u64::from(round), &progress).await;
            }
            let place =
                |row: &Row| section.bench.of.iter().position(|of| *of == row.implementation.name);
            section.rows.sort_by_key(place);
            report.sections.push(section);
            // What is measured is kept, whatever becomes of the rest.
            if let Some(folder) = &folder {
                report.write(folder)?;
            }
        }
        drop(progress);
        let text = if self.json { report.json()? } else { report.text() };
        match io::stdout().write_all(text.as_bytes()) {
            // A reader that has seen enough is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            result => result.context("writing to standard output")?,
        }
        Ok(report.pass())
    }

    /// Whatever was chosen, with nothing measured yet.
    fn sections(&self, provenance: &Provenance) -> Vec<Section> {
        let is_chosen = |bench: &&Bench| {
            self.benches.is_empty() || self.benches.iter().any(|of| of == bench.name)
        };
        let row = |bench: &'static Bench, name: &str| {
            let named = IMPLEMENTATIONS.iter().find(|of| of.name == name);
            let implementation = named.expect("a test holds the names to this");
            let (samples, shortfalls) = (Vec::new(), Vec::new());
            self.takes(implementation).then_some(Row { bench, implementation, samples, shortfalls })
        };
        let section = |bench: &'static Bench| Section {
            provenance: provenance.clone(),
            bench,
            rows: bench.of.iter().filter_map(|name| row(bench, name)).collect(),
        };
        let sections = BENCHES.iter().filter(is_chosen).map(section);
        sections.filter(|section| !section.rows.is_empty()).collect()
    }

    fn takes(&self, implementation: &Implementation) -> bool {
        let named = |name: &String| match name.as_str() {
            "all" => true,
            "ours" => implementation.name == "utp-tokio",
            name => implementation.name == name,
        };
        match self.implementations.is_empty() {
            true => !self.quick || implementation.is_near(),
            false => self.implementations.iter().any(named),
        }
    }

    /// Runs a bench once with each implementation: one after the other, or several at a time where
    /// a slow link is what limits them.
    async fn round(&self, section: &mut Section, programs: &Path, round: u64, progress: &Progress) {
        let bench = section.bench;
        let at_once = if bench.relay_loss_ppm.is_some() { RELAYS_MAX } else { 1 };
        for rows in section.rows.chunks_mut(at_once) {
            let mut samples = JoinSet::new();
            for (index, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_hopeless()) {
                let (implementation, programs) = (row.implementation, programs.to_owned());
                let bench = if self.quick { bench.quick() } else { bench.clone() };
                progress.start(format!("{}: {}", bench.name, implementation.name));
                samples.spawn(async move {
                    (index, sample(&bench, implementation, &programs, round + 1).await)
                });
            }
            while let Some(done) = samples.join_next().await {
                let (index, result) = done.expect("a sample does not panic");
                let row = &mut rows[index];
                let what = format!("{}: {}", bench.name, row.implementation.name);
                progress.finish(what, false);
                row.take(result);
            }
        }
    }

    /// Where the results go, if anywhere.
    fn folder(&self) -> Option<PathBuf> {
        let all = self.benches.is_empty() && self.implementations.is_empty();
        let full = all && !self.quick && self.runs.is_none() && !cfg!(debug_assertions);
        let folder = self.out.clone().or_else(|| full.then(|| PathBuf::from("results/bench")));
        if folder.is_none() {
            eprintln!("utp-interop: not a full run: results are not written; see --out");
        }
        folder
    }
}

impl Row {
    /// Whether it is not worth to try again: it cannot, or has failed more than once and never
    /// worked.
    fn is_hopeless(&self) -> bool {
        let unable = self.shortfalls.iter().any(|why| matches!(why, Shortfall::Unable(_)));
        unable || (self.samples.is_empty() && self.shortfalls.len() > 1)
    }

    fn take(&mut self, result: Result<Values, Shortfall>) {
        match result {
            Ok(values) => self.samples.push(values),
            Err(shortfall) => {
                let (bench, name) = (self.bench.name, self.implementation.name);
                eprintln!("utp-interop: {bench}: {name}: {shortfall:?}");
                self.shortfalls.push(shortfall);
            }
        }
    }
}

/// Transfers through relays that run side by side.
const RELAYS_MAX: usize = 4;
