//! A timer of an application.

use super::tasks::TaskId;
use super::timers::{TimerId, Timers};
use crate::time::Ns;

/// Wakes the application at a moment, and knows which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    timer: TimerId,
    at: Option<Ns>,
}

impl Alarm {
    /// An alarm that is not set.
    pub(super) fn new(app: TaskId, timers: &mut Timers<TaskId>) -> Self {
        Self { timer: timers.add(app), at: None }
    }

    /// Sets it to `at`, which may be now.
    pub(super) fn set(&mut self, now: Ns, timers: &mut Timers<TaskId>, at: Ns) {
        self.at = Some(at);
        timers.set(now, self.timer, at);
    }

    /// Sets it to `at`, or not at all, unless it is already.
    pub(super) fn follow(&mut self, now: Ns, timers: &mut Timers<TaskId>, at: Option<Ns>) {
        if at == self.at {
            return;
        }
        match at {
            Some(at) => self.set(now, timers, at),
            None => self.clear(timers),
        }
    }

    /// Forgets what it was set to.
    pub(super) fn clear(&mut self, timers: &mut Timers<TaskId>) {
        self.at = None;
        timers.clear(self.timer);
    }

    /// Whether its moment has come since it was set.
    pub(super) fn is_due(&self, timers: &Timers<TaskId>) -> bool {
        timers.has_fired(self.timer)
    }
}
