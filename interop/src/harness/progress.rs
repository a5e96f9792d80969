//! What a person sees while transfers run, on standard error.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, a line for each transfer or exchange elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress towards `steps` transfers and exchanges.
    pub fn new(steps: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
                .expect("the template is well formed");
            let bar = ProgressBar::new(steps as u64).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar }
    }

    /// One starts.
    pub fn start(&self, what: impl fmt::Display) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_string());
        }
    }

    /// One is done. If it failed that is reported at once.
    pub fn finish(&self, what: impl fmt::Display, failed: bool) {
        if self.bar.is_none() || failed {
            self.say(what);
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// One is not run.
    pub fn skip(&self) {
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
