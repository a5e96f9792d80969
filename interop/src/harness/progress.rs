//! What a person sees while transfers run, on standard error.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Run, Transfer};

/// A bar on a terminal, a line for each transfer elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress towards `transfers` transfers.
    pub fn new(transfers: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
                .expect("the template is well formed");
            let bar = ProgressBar::new(transfers as u64).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar }
    }

    /// A transfer starts.
    pub fn start(&self, transfer: &Transfer) {
        if let Some(bar) = &self.bar {
            let Transfer { pair, family, direction, .. } = transfer;
            bar.set_message(format!("{pair} {family} {direction}"));
        }
    }

    /// A transfer is done. One that failed is reported at once.
    pub fn finish(&self, run: &Run) {
        if self.bar.is_none() || run.error.is_some() {
            self.say(run);
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Writes a line above the bar.
    pub fn say(&self, line: impl fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
