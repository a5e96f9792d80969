//! How well the machine keeps time: a thread that only wakes, and takes down how late it was.
//!
//! A machine that stands still, or has too much else to do, holds up the runner and the
//! implementation alike. A failure of such a time says nothing about the implementation.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Pulse {
    beats: Arc<Beats>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread has taken down.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    /// When it woke late, and by how much; the oldest forgotten.
    late: Mutex<VecDeque<(Instant, Duration)>>,
    stopped: AtomicBool,
}

impl Pulse {
    pub(crate) fn start() -> Self {
        let beats = Arc::<Beats>::default();
        let of_thread = Arc::clone(&beats);
        let thread = Some(thread::spawn(move || beat(&of_thread)));
        Self { beats, thread }
    }

    pub(crate) fn beats(&self) -> Arc<Beats> {
        Arc::clone(&self.beats)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beats.stopped.store(true, Ordering::SeqCst);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Beats {
    /// The most that the thread was late by since a moment.
    pub(crate) fn late_since(&self, since: Instant) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.iter().filter(|(at, _)| *at >= since).map(|(_, by)| *by).max().unwrap_or_default()
    }

    fn note(&self, at: Instant, by: Duration) {
        if by < NOTED_MIN {
            return;
        }
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if late.len() == NOTED_MAX {
            late.pop_front();
        }
        late.push_back((at, by));
    }
}

fn beat(beats: &Beats) {
    let mut due = Instant::now();
    while !beats.stopped.load(Ordering::SeqCst) {
        due += STEP;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        beats.note(now, now.saturating_duration_since(due));
        // What was missed is not made up for.
        due = due.max(now);
    }
}

const STEP: Duration = Duration::from_millis(5);

/// Less is usual, and no case hangs on it.
const NOTED_MIN: Duration = Duration::from_millis(20);

/// Twenty minutes of a machine that is always late.
const NOTED_MAX: usize = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_counts_from_a_moment_on() {
        let beats = Beats::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, by_ms) in [(10, 300), (20, 5), (30, 50), (40, 45)] {
            beats.note(at(ms), Duration::from_millis(by_ms));
        }
        let late_ms = |ms| beats.late_since(at(ms)).as_millis();
        assert_eq!([late_ms(0), late_ms(10), late_ms(11), late_ms(31)], [300, 300, 50, 45]);
        assert_eq!(late_ms(41), 0);
    }
}
