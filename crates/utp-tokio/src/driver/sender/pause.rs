//! Owns the time between two tries to send from a host that is out of buffers.

use std::pin::Pin;
use std::task::{Context, Poll};

use utp_wire::Instant;

use crate::runtime::Timer;

/// Pauses that double while one follows the other.
#[derive(Debug)]
pub(super) struct Pause {
    timer: Pin<Box<dyn Timer>>,
    /// The last one, if nothing was sent since.
    us: u64,
    active: bool,
}

impl Pause {
    pub(super) const fn new(timer: Pin<Box<dyn Timer>>) -> Self {
        Self { timer, us: 0, active: false }
    }

    /// Begins the next one; the task of `cx` is woken at its end.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.us = (2 * self.us).clamp(PAUSE_US_MIN, PAUSE_US_MAX);
        self.timer.as_mut().reset(now.saturating_add(self.us));
        self.active = true;
        if self.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Something was sent: the next pause is a short one.
    pub(super) const fn end(&mut self) {
        self.us = 0;
    }

    /// Ready unless one lasts.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.active && self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.active = false;
        Poll::Ready(())
    }
}

/// The first pause, in microseconds: what timers can do, and what a queue of packets takes to
/// become shorter at any speed.
const PAUSE_US_MIN: u64 = 1_000;

/// The longest one. A host that is out of buffers for longer is asked as often as this.
const PAUSE_US_MAX: u64 = 64_000;
