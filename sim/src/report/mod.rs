//! What people and programs read of a run: a table, a summary, a time series and plots.
//!
//! All of it is a pure function of the scenario file and the records: no clock, no machine and no
//! floating-point operation whose result differs between platforms, so that files are equal byte
//! for byte wherever they are made.

mod files;
pub mod plot;
mod series;
mod summary;
mod table;
mod timeseries;

pub use files::write_all;
pub use summary::summary;
pub use table::{Paint, table};
pub use timeseries::timeseries;

use crate::expect;
use crate::metrics::{View, Window};
use crate::record::Record;
use crate::scenario::{FlowKind, QuicController, ScenarioFile};
use std::collections::BTreeSet;

/// A scenario file and what came of its variants, the entry point of every output.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was run.
    pub file: &'a ScenarioFile,
    /// One per variant, in the order of `file.variants`.
    pub records: &'a [Record],
}

impl<'a> Report<'a> {
    /// The variants with their records.
    pub fn views(self) -> impl Iterator<Item = View<'a>> + Clone {
        let pairs = self.file.variants.iter().zip(self.records);
        pairs.map(|(scenario, record)| View { scenario, record })
    }

    /// Whether every expectation of every variant holds.
    pub fn pass(self) -> bool {
        self.views().all(|view| expect::check(view).iter().all(|verdict| verdict.pass))
    }

    /// The files of the scenario's results folder, by name.
    ///
    /// # Errors
    ///
    /// A plot that cannot be drawn.
    pub fn files(self) -> anyhow::Result<[(&'static str, String); 4]> {
        Ok([
            ("summary.json", summary(self)?),
            ("timeseries.csv", timeseries(self)),
            ("delay.svg", plot::delay(self)?),
            ("throughput.svg", plot::throughput(self)?),
        ])
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

/// The names of a flow's kind and controller in scenario files.
fn kind_names(kind: &FlowKind) -> (&'static str, Option<&str>) {
    match kind {
        FlowKind::Cbr { .. } => ("cbr", None),
        FlowKind::Cubic { .. } => ("cubic", None),
        FlowKind::OnOff { .. } => ("on-off", None),
        FlowKind::Quic { controller: QuicController::Bbr, .. } => ("quic", Some("bbr")),
        FlowKind::Quic { controller: QuicController::Cubic, .. } => ("quic", Some("cubic")),
        FlowKind::Reno { .. } => ("reno", None),
        FlowKind::RequestResponse { .. } => ("request-response", None),
        FlowKind::Utp(utp) => ("utp", Some(utp.controller.name())),
    }
}

#[cfg(test)]
pub(crate) mod tests;
