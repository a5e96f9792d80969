//! What people and programs read of a run: a table, a summary, a time series and plots.
//!
//! All of it is a pure function of the scenario file and the records: no clock, no machine and no
//! floating-point operation whose result differs between platforms, so that files are equal byte
//! for byte wherever they are made.

mod files;
mod html;
mod measured;
pub mod plot;
mod series;
mod summary;
mod sweep;
mod table;
mod timeseries;

pub use files::write_all;
pub use html::html;
pub use measured::{Alike, Checked, Measured, Spread};
pub use summary::summary;
pub use sweep::Sweep;
pub use table::{Paint, table};
pub use timeseries::timeseries;

use crate::expect;
use crate::metrics::{View, Window, round};
use crate::record::Record;
use crate::scenario::{Engine, FlowKind, QuicController, ScenarioFile, Stack};
use crate::time::Ns;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A scenario file and what came of its variants, the entry point of every output.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was run.
    pub file: &'a ScenarioFile,
    /// One per variant, in the order of `file.variants`.
    pub records: &'a [Record],
    /// What was run instead of what the file says.
    pub given: Given,
    /// Every run with every seed when there are several; the records are those of the first.
    pub seeds: Option<&'a [Measured]>,
}

/// What the results of one scenario may have when they are committed.
pub const RESULTS_BYTES_MAX: usize = 400_000;

/// More would be too much to read.
const TIMESERIES_BYTES_MAX: usize = 190_000;

/// What the command line said instead of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// First and last seed of every variant, the same when there is one.
    pub seeds: Option<(u64, u64)>,
    /// What ran them.
    pub engine: Option<Engine>,
}

impl<'a> Report<'a> {
    /// The report of a file that was run as it is.
    pub fn new(file: &'a ScenarioFile, records: &'a [Record]) -> Self {
        Self { file, records, given: Given::default(), seeds: None }
    }

    /// The variants with their records.
    pub fn views(self) -> impl Iterator<Item = View<'a>> + Clone {
        let pairs = self.file.variants.iter().zip(self.records);
        pairs.map(|(scenario, record)| View { scenario, record })
    }

    /// Whether every expectation of every variant holds, with every seed.
    pub fn pass(self) -> bool {
        if let Some(runs) = self.seeds {
            return runs.iter().all(Measured::pass);
        }
        self.views().all(|view| expect::check(view).iter().all(|verdict| verdict.pass))
    }

    /// The command that gives the same results, or a comment that there is none.
    pub fn command(self) -> String {
        if self.file.is_changed {
            return "# its variants were made by a program".to_owned();
        }
        let path = self.file.path.to_string_lossy().replace('\\', "/");
        let mut command = format!("cargo xtask simulate {path}");
        match self.given.seeds {
            None => {}
            Some((first, last)) if first == last => command += &format!(" --seed {first}"),
            Some((first, last)) => command += &format!(" --seeds {first}..{last}"),
        }
        if let Some(engine) = self.given.engine {
            command += &format!(" --engine {}", engine.name());
        }
        let flows = self.file.variants.iter().flat_map(|scenario| &scenario.flows);
        let features: BTreeSet<&str> = flows.filter_map(|flow| flow.kind.feature()).collect();
        if !features.is_empty() {
            let features: Vec<&str> = features.into_iter().collect();
            command += &format!(" --features {}", features.join(","));
        }
        command
    }

    /// The files of the scenario's results folder, by name.
    ///
    /// # Errors
    ///
    /// A plot that cannot be drawn.
    pub fn files(self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut plots =
            vec![("delay.svg", plot::delay(self)?), ("throughput.svg", plot::throughput(self)?)];
        plots.extend(plot::window(self)?.map(|svg| ("window.svg", svg)));
        let mut files = vec![("summary.json", summary(self)?), ("report.html", html(self, &plots))];
        files.append(&mut plots);
        let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
        let left = RESULTS_BYTES_MAX.saturating_sub(bytes).min(TIMESERIES_BYTES_MAX);
        files.push(("timeseries.csv", timeseries(self, left)));
        Ok(files)
    }

    /// Writes those files into `folder`, which is made if need be, and says where the page with all
    /// of them is.
    ///
    /// # Errors
    ///
    /// A plot that cannot be drawn, or as for [`write_all`].
    pub fn write(self, folder: impl AsRef<Path>) -> anyhow::Result<PathBuf> {
        let folder = folder.as_ref();
        write_all(folder, &self.files()?)?;
        Ok(folder.join("report.html"))
    }

    /// Every window that an expectation or a phase of the file names, in order of time.
    fn windows(self) -> BTreeSet<Window> {
        let variants = self.file.variants.iter();
        let expected = variants.flat_map(|scenario| &scenario.expectations);
        let phases = self.file.variants.iter().flat_map(|scenario| &scenario.phases);
        let windows = expected.filter_map(|expectation| expectation.window);
        windows.chain(phases.map(|phase| (phase.from, phase.to))).collect()
    }
}

/// How many expectations hold, in words.
fn verdict_words(report: Report<'_>) -> String {
    let (failed, all) = match report.seeds {
        Some(runs) => {
            let checked = || runs.iter().flat_map(|run| &run.expectations);
            (checked().filter(|checked| !checked.pass).count(), checked().count())
        }
        None => {
            let verdicts: Vec<_> = report.views().flat_map(expect::check).collect();
            (verdicts.iter().filter(|verdict| !verdict.pass).count(), verdicts.len())
        }
    };
    let count = match (failed, all) {
        (_, 0) => "it expects nothing".to_owned(),
        (0, 1) => "its expectation holds".to_owned(),
        (0, all) => format!("all {all} expectations hold"),
        (failed, all) => format!("{failed} of {all} expectations missed"),
    };
    match report.given.seeds.filter(|(first, last)| first != last) {
        Some((first, last)) => format!("{count}, seeds {first} to {last}"),
        None => {
            let seed = report.file.variants.first().map_or(0, |scenario| scenario.seed);
            format!("{count}, seed {seed}")
        }
    }
}

/// For people and files, to the millisecond.
fn seconds(time: Ns) -> f64 {
    round(time.as_secs_f64(), 3)
}

/// As text, since JSON numbers are exact to 53 bits only.
fn hexadecimal(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The names of a flow's kind and controller in scenario files; where libutp sends, its name and
/// none, since it has its own.
fn kind_names(kind: &FlowKind) -> (&'static str, Option<&str>) {
    match kind {
        FlowKind::Cbr { .. } => ("cbr", None),
        FlowKind::Cubic { .. } => ("cubic", None),
        FlowKind::OnOff { .. } => ("on-off", None),
        FlowKind::Quic { controller: QuicController::Bbr, .. } => ("quic", Some("bbr")),
        FlowKind::Quic { controller: QuicController::Cubic, .. } => ("quic", Some("cubic")),
        FlowKind::Reno { .. } => ("reno", None),
        FlowKind::RequestResponse { .. } => ("request-response", None),
        FlowKind::Utp(utp) if utp.sender == Stack::Libutp => ("libutp", None),
        FlowKind::Utp(utp) => ("utp", Some(utp.controller.name())),
    }
}

#[cfg(test)]
pub(crate) mod tests;
