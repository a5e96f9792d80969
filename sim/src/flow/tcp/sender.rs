//! The sending half: slow start, congestion avoidance by a law, selective recovery, time-out.

use super::rtt::Rtt;
use super::scoreboard::Scoreboard;
use super::{Ack, Block, Law, MSS, Progress, Segment, Supply};
use crate::time::Ns;

/// A TCP sender.
///
/// Window arithmetic is in whole segments (RFC 5681), recovery counts the pipe (RFC 6675), the
/// timer is that of RFC 6298. The connection is taken as established: there is no handshake.
///
/// ```
/// use utp_sim::flow::tcp::{Ack, Block, Law, Sender, Supply};
/// use utp_sim::time::Ns;
///
/// let mut sender = Sender::new(Law::reno(), Supply::transfer(Some(3 * 1448 + 1)));
/// let sizes: Vec<u32> = std::iter::from_fn(|| sender.poll_transmit(Ns::ZERO))
///     .map(|segment| segment.bytes)
///     .collect();
/// assert_eq!(sizes, [1448, 1448, 1448, 1]);
/// sender.handle_ack(Ns::from_millis(50), &Ack { cumulative: 4, blocks: [Block::default(); 3] });
/// assert!(sender.is_done());
/// ```
#[derive(Debug)]
pub struct Sender {
    board: Scoreboard,
    supply: Supply,
    stopped: bool,
    law: Law,
    window: u32,
    threshold: u32,
    phase: Phase,
    /// Transmissions when the window was last reduced: what was sent before tells nothing new.
    reduced_at: u64,
    /// A lost segment goes out on entering recovery whatever the pipe holds (RFC 6675 rule 4.3).
    repeat_at_once: bool,
    rtt: Rtt,
    deadline: Option<Ns>,
    last_sent: Option<Ns>,
    /// Most segments outstanding since the last message came.
    flight_max: u32,
    retransmissions: u64,
    timeouts: u64,
}

/// Whether losses are being repaired, and up to which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// After three duplicates: the window stands still.
    Recovery(u32),
    /// After a time-out: the window grows from one segment.
    Timeout(u32),
}

impl Sender {
    /// A sender of what there is in `supply`, whose window follows `law`.
    pub fn new(law: Law, supply: Supply) -> Self {
        Self {
            board: Scoreboard::default(),
            supply,
            stopped: false,
            law,
            window: INITIAL_WINDOW,
            threshold: u32::MAX,
            phase: Phase::Open,
            reduced_at: 0,
            repeat_at_once: false,
            rtt: Rtt::default(),
            deadline: None,
            last_sent: None,
            flight_max: 0,
            retransmissions: 0,
            timeouts: 0,
        }
    }

    /// The next segment to send now, if the window lets one go.
    pub fn poll_transmit(&mut self, now: Ns) -> Option<Segment> {
        let forced = std::mem::take(&mut self.repeat_at_once);
        if !forced && self.board.pipe() >= self.window {
            return None;
        }
        let seq = if let Some(seq) = self.board.repeat_lost(now) {
            self.retransmissions += 1;
            seq
        } else {
            let seq = self.board.end();
            if self.stopped || self.supply.bytes_of(seq) == 0 {
                return None;
            }
            self.board.send_new(now);
            seq
        };
        if self.deadline.is_none() {
            self.deadline = Some(now + self.rtt.timeout());
        }
        self.last_sent = Some(now);
        self.flight_max = self.flight_max.max(self.board.outstanding());
        Some(Segment { seq, bytes: self.supply.bytes_of(seq) })
    }

    /// An acknowledgment arrives.
    pub fn handle_ack(&mut self, now: Ns, ack: &Ack) {
        let acked = self.board.handle_ack(ack);
        if let Some(sent) = acked.sent {
            self.rtt.update(now - sent);
        }
        if acked.cumulative > 0 {
            self.rtt.end_back_off();
            let outstanding = self.board.outstanding() > 0;
            self.deadline = outstanding.then(|| now + self.rtt.timeout());
        }
        match self.phase {
            Phase::Recovery(end) if self.board.first() >= end => self.phase = Phase::Open,
            Phase::Recovery(_) => {}
            Phase::Timeout(end) if self.board.first() >= end => self.phase = Phase::Open,
            Phase::Open | Phase::Timeout(_) => self.grow(now, acked.cumulative),
        }
        if self.phase == Phase::Open && self.board.has_lost() {
            self.reduce(self.board.outstanding());
        } else if acked.lost_repeat > self.reduced_at {
            // The loss of a repeat is a second sign of congestion (RFC 5681 section 4.3).
            self.reduce(self.window);
        }
    }

    /// Data of the other direction arrives that was sent after everything here had been received.
    pub(in crate::flow) fn acknowledge_all(&mut self, now: Ns) {
        if self.board.outstanding() > 0 {
            let ack = Ack { cumulative: self.board.end(), blocks: [Block::default(); 3] };
            self.handle_ack(now, &ack);
        }
    }

    /// One more message is there to be sent.
    ///
    /// After an idle time the window starts again (RFC 5681 section 4.1), and it never holds more
    /// than twice what was in flight since the last message: it says nothing of the path.
    pub(in crate::flow) fn add_message(&mut self, now: Ns) {
        self.supply.add_message();
        if self.last_sent.is_some_and(|sent| now - sent > self.rtt.timeout()) {
            self.window = self.window.min(INITIAL_WINDOW);
        }
        self.window = self.window.min((2 * self.flight_max).max(INITIAL_WINDOW));
        self.flight_max = 0;
    }

    /// When [`Sender::handle_timeout`] wants to be called.
    pub const fn poll_timeout(&self) -> Option<Ns> {
        self.deadline
    }

    /// The retransmission timer expired; a call before the deadline does nothing.
    pub fn handle_timeout(&mut self, now: Ns) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.timeouts += 1;
        self.rtt.back_off();
        // A second expiry for the same data says nothing new of the capacity (RFC 5681 section
        // 3.1).
        if !matches!(self.phase, Phase::Timeout(_)) {
            self.threshold = self.law.on_loss(self.window, self.board.outstanding());
        }
        self.board.lose_all();
        self.phase = Phase::Timeout(self.board.end());
        self.window = 1;
        self.law.restart();
        self.reduced_at = self.board.transmissions();
        self.deadline = Some(now + self.rtt.timeout());
    }

    /// The application has no more to send; what was sent is still repaired.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether everything there was to send was acknowledged.
    pub fn is_done(&self) -> bool {
        self.board.outstanding() == 0
            && (self.stopped || self.supply.bytes_of(self.board.end()) == 0)
    }

    /// Congestion window in bytes.
    pub fn window_bytes(&self) -> u64 {
        u64::from(self.window) * u64::from(MSS)
    }

    /// Smoothed round-trip time, once one was measured.
    pub const fn smoothed_rtt(&self) -> Option<Ns> {
        self.rtt.smoothed()
    }

    /// Segments sent again.
    pub const fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// Expiries of the retransmission timer.
    pub const fn timeouts(&self) -> u64 {
        self.timeouts
    }

    fn grow(&mut self, now: Ns, segments: u32) {
        let grown = if self.window < self.threshold {
            // A delayed ack covers two segments and counts for both (RFC 3465 with L = 2).
            self.window + segments.min(2)
        } else {
            let rtt = self.rtt.smoothed().unwrap_or(Ns::ZERO);
            self.law.window_after(&Progress { now, segments, window: self.window, rtt })
        };
        self.window = grown.min(WINDOW_MAX);
    }

    /// Begins to repair everything sent so far, with a smaller window.
    fn reduce(&mut self, basis: u32) {
        self.window = self.law.on_loss(self.window, basis);
        self.threshold = self.window;
        self.phase = Phase::Recovery(self.board.end());
        self.reduced_at = self.board.transmissions();
        self.repeat_at_once = true;
    }
}

/// Initial window in segments (RFC 6928).
const INITIAL_WINDOW: u32 = 10;

/// A bound far above any path worth simulating: 1.5 GB.
const WINDOW_MAX: u32 = 1 << 20;

#[cfg(test)]
mod tests;
