//! Whether a peer that says nothing is still there: probes, and when to give up.
//!
//! Silence alone is no death: libutp answers no keepalive. What every peer answers is DATA that it
//! has already, since its ack may have been lost.

use utp_wire::Instant;

use super::opener::Opener;
use super::{Burst, Connection, LocalFin, State, Timer};
use crate::config::{IDLE_PROBE_US_MIN, IDLE_PROBES, LIVENESS_PAUSE_US};
use crate::error::ConnectionError;

/// The probing in progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Liveness {
    /// The first pause after a probe; 0 when there is no probing.
    pause_us: u32,
    /// Probes sent since the peer was last heard.
    unanswered: u8,
    pending: bool,
}

impl Liveness {
    /// Whether a probe is to go.
    pub(super) const fn wants_to_send(&self) -> bool {
        self.pending
    }
}

impl Connection {
    /// The peer may be gone (for instance because it opens another connection with the same id):
    /// it is asked now, and given up if three probes draw no answer, `pause_us` after the first,
    /// or a time-out if that is longer, then one and a half times and twice as much. Probing that
    /// is under way goes on as it is.
    pub(crate) fn probe_liveness(&mut self, now: Instant, pause_us: u32) {
        if self.state == State::Connected && self.liveness.pause_us == 0 {
            let rto_us = u32::try_from(self.rtt.rto_base_us()).unwrap_or(u32::MAX);
            self.liveness.pause_us = pause_us.max(rto_us);
            self.probe_again(now);
        }
    }

    /// An acceptable packet has come.
    pub(super) fn on_heard(&mut self, now: Instant) {
        let Liveness { unanswered: probes, .. } = std::mem::take(&mut self.liveness);
        if probes > 0 {
            self.reopen_opener(probes);
        }
        if self.state == State::Connected
            && let Some(after_us) = self.config.idle_probe_us
        {
            self.timers.set(Timer::Idle, now.saturating_add(after_us.max(IDLE_PROBE_US_MIN)));
        }
    }

    /// The peer was silent for long, or a probe was not answered in time.
    pub(super) fn on_silence(&mut self, now: Instant) {
        if self.liveness.pause_us == 0 {
            self.probe_liveness(now, LIVENESS_PAUSE_US);
        } else if self.liveness.unanswered >= IDLE_PROBES {
            self.close(ConnectionError::Idle);
        } else {
            self.probe_again(now);
        }
    }

    fn probe_again(&mut self, now: Instant) {
        let pause_us = u64::from(self.liveness.pause_us);
        let halves = 2 + u64::from(self.liveness.unanswered);
        self.liveness.unanswered += 1;
        self.liveness.pending = true;
        self.timers.set(Timer::Idle, now.saturating_add(pause_us * halves / 2));
    }

    /// Nothing is asked any more.
    pub(super) fn forget_probing(&mut self) {
        self.liveness = Liveness::default();
    }

    /// DATA with a number before the one that the peer said last to have: it says so again. What
    /// the packet bears is not what went with that number, so that it must never be news: if the
    /// ack that freed the number before the oldest outstanding one was none of the peer's, the peer
    /// may miss that one. Nor does it come before the first of the stream, where some know none.
    // req: TM-09
    pub(super) fn transmit_liveness_probe(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        if !self.liveness.pending {
            return None;
        }
        self.liveness.pending = false;
        self.stats.liveness_probes += 1;
        let last = self.sent.first().previous();
        // A DATA packet with the number of our FIN would contradict it.
        let seq_nr = if self.local_fin == LocalFin::Acked { last.previous() } else { last };
        let heard = self.heard_ack_nr;
        let seq_nr = if heard.precedes(seq_nr) { heard } else { seq_nr };
        let begun = self.stats.bytes_acked > 0 || self.opener == Opener::Sent;
        let seq_nr = if begun { seq_nr.previous() } else { seq_nr };
        // The last does not say what it is: nobody shall be given up because he drops what has
        // extensions.
        let says = self.liveness.unanswered < IDLE_PROBES;
        Some(self.emit_repeated(now, seq_nr, says, out))
    }
}
