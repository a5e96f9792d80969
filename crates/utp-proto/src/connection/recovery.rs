//! One cut of the window per round trip, and cuts that turn out needless (RFC 3522, RFC 5682).
//!
//! `loss.rs` says what is lost; here is what the controller is told of it.

use utp_ledbat::Loss;
use utp_wire::Instant;

use super::Connection;
use crate::trace::{CutCause, TraceEvent};

/// What is known of the last cut of the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovery {
    /// Transmissions below this number were made before the last cut.
    point: u64,
}

/// What one received packet proved lost.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) packets: u32,
    pub(super) bytes: u64,
    /// The newest of their transmissions.
    pub(super) newest_tx_nr: u64,
}

impl Connection {
    /// Tells the controller of losses, once per round trip: what was sent before the last cut has
    /// been answered by it.
    pub(super) fn report_loss(&mut self, now: Instant, lost: &Lost) {
        if lost.newest_tx_nr < self.recovery.point {
            return;
        }
        self.recovery.point = self.next_tx_nr;
        self.reorder.on_recovery();
        let before_bytes = self.controller.window_bytes();
        self.controller.on_loss(&Loss {
            now,
            bytes_lost: lost.bytes,
            in_flight_bytes: self.in_flight_bytes + lost.bytes,
            srtt_us: self.rtt.srtt_us(),
        });
        self.trace_cut(CutCause::Loss, before_bytes);
    }

    /// Tells the controller of a time-out.
    pub(super) fn report_timeout(&mut self, now: Instant, in_flight_bytes: u64) {
        self.recovery.point = self.next_tx_nr;
        let before_bytes = self.controller.window_bytes();
        self.controller.on_timeout(now, in_flight_bytes.max(1));
        self.trace_cut(CutCause::TimeOut, before_bytes);
    }

    pub(super) fn trace_cut(&mut self, cause: CutCause, before_bytes: u64) {
        let window_bytes = self.controller.window_bytes();
        if window_bytes != before_bytes {
            self.trace.record(|| TraceEvent::Cut { cause, before_bytes, window_bytes });
        }
    }
}
