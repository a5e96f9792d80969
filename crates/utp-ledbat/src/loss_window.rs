//! What every window has that slow start opens and losses cut (RFC 5681): its size, its threshold,
//! and what a needless cut is undone with. The growth in between belongs to the laws.

use alloc::boxed::Box;

use utp_wire::Instant;

use crate::controller::Ack;
use crate::moment::{NEVER, is_limited};
use crate::subbytes::{subbytes, whole_bytes};

/// A window with a slow-start threshold. `L` is the state that a law keeps beside it.
#[derive(Clone, Debug)]
pub(crate) struct LossWindow<L> {
    payload_bytes_max: u16,
    /// The last thing that happened was a time-out.
    timed_out: bool,
    /// In subbytes, as are all sizes here.
    size: u64,
    threshold: u64,
    /// When the window last held data back, [`NEVER`] if it has not.
    limited_at: Instant,
    /// Size, threshold and law before the last cut or time-out.
    before: Option<Box<(u64, u64, L)>>,
}

impl<L: Clone> LossWindow<L> {
    /// A window of so many packets, without a threshold; a payload of zero counts as one.
    pub(crate) fn new(packets: u64, payload_bytes_max: u16) -> Self {
        let payload_bytes_max = payload_bytes_max.max(1);
        Self {
            payload_bytes_max,
            timed_out: false,
            size: subbytes(packets * u64::from(payload_bytes_max)),
            threshold: SIZE_MAX,
            limited_at: NEVER,
            before: None,
        }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) const fn bytes(&self) -> u64 {
        whole_bytes(self.size)
    }

    pub(crate) const fn threshold(&self) -> u64 {
        self.threshold
    }

    /// The threshold, once there is one.
    pub(crate) fn threshold_bytes(&self) -> Option<u64> {
        (self.threshold < SIZE_MAX).then(|| whole_bytes(self.threshold))
    }

    /// The payload bytes of a full packet.
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.payload_bytes_max.into()
    }

    pub(crate) fn packets(&self, count: u64) -> u64 {
        subbytes(count * self.payload_bytes())
    }

    /// Takes a new size of a packet. The window keeps its bytes, or has room for a packet.
    pub(crate) fn set_payload(&mut self, payload_bytes_max: u16) {
        self.payload_bytes_max = payload_bytes_max.max(1);
        self.set_size(self.size);
    }

    pub(crate) const fn on_limited(&mut self, now: Instant) {
        self.limited_at = now;
    }

    /// Notes that the path lives.
    pub(crate) const fn on_ack(&mut self) {
        self.timed_out = false;
    }

    /// Whether the window, not the application, limits the sender.
    pub(crate) fn may_grow(&self, now: Instant) -> bool {
        is_limited(now, self.limited_at)
    }

    /// Sets the size, within one packet and the cap.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = size.clamp(self.packets(1), SIZE_MAX);
    }

    /// Sets the threshold, to two packets at least (RFC 5681 section 3.1).
    pub(crate) fn set_threshold(&mut self, threshold: u64) {
        self.threshold = threshold.max(self.packets(2)).min(SIZE_MAX);
    }

    pub(crate) const fn is_slow_start(&self) -> bool {
        self.size < self.threshold
    }

    /// Doubles the window each round trip up to the threshold; an acknowledgement counts for two
    /// packets at most, as a receiver may acknowledge every other one (RFC 3465 section 2.3).
    /// Returns whether there was anything left of slow start.
    pub(crate) fn slow_start(&mut self, ack: &Ack) -> bool {
        let is_active = self.is_slow_start();
        if is_active {
            let grown = self.size + subbytes(ack.bytes_acked).min(self.packets(2));
            self.set_size(grown.min(self.threshold));
        }
        is_active
    }

    /// Sets the threshold after a loss, and the window to it; never raises the window.
    pub(crate) fn cut_to(&mut self, threshold: u64) {
        self.set_threshold(threshold.min(self.size));
        self.size = self.size.min(self.threshold);
    }

    /// Goes back to so many packets after an idle spell: what the window was says little about the
    /// path as it is now, but slow start may come back to it (RFC 5681 section 4.1). Returns
    /// whether the window was larger.
    pub(crate) fn restart(&mut self, packets: u64) -> bool {
        let is_larger = self.size > self.packets(packets);
        if is_larger {
            self.set_threshold(self.threshold.min(SIZE_MAX - 1).max(self.size));
            self.set_size(self.packets(packets));
        }
        is_larger
    }

    /// Keeps what there is to go back to. Of time-outs in a row the first counts: the others find
    /// what it has left.
    pub(crate) fn before_cut(&mut self, law: &L) {
        if !self.timed_out {
            self.before = Some(Box::new((self.size, self.threshold, law.clone())));
        }
    }

    /// Notes a time-out: one packet is left. The threshold becomes `threshold`, unless this is one
    /// of several time-outs in a row (RFC 5681 section 3.1). Returns whether it did.
    pub(crate) fn on_timeout(&mut self, threshold: u64) -> bool {
        let is_first = !self.timed_out;
        if is_first {
            self.set_threshold(threshold);
        }
        self.timed_out = true;
        self.set_size(0);
        is_first
    }

    /// Undoes the last cut or time-out; returns what the law was before it.
    pub(crate) fn undo(&mut self) -> Option<L> {
        let (size, threshold, law) = *self.before.take()?;
        self.size = self.size.max(size);
        self.threshold = threshold;
        Some(law)
    }

    /// Forgets what is only of use while data flows.
    pub(crate) fn forget(&mut self) {
        self.before = None;
    }
}

/// The window of a new connection without delay-based control (RFC 6928).
pub(crate) const INITIAL_PACKETS: u64 = 10;

/// No window is larger: 2^30 bytes. The connection has bounds of its own.
const SIZE_MAX: u64 = subbytes(1 << 30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_between_a_packet_and_the_cap() {
        let mut window = LossWindow::<()>::new(2, 1_000);
        assert_eq!(window.bytes(), 2_000);
        window.set_size(0);
        assert_eq!(window.bytes(), 1_000);
        window.set_size(u64::MAX);
        assert_eq!(window.bytes(), 1 << 30);
        assert_eq!(window.threshold_bytes(), None);
        window.set_threshold(0);
        assert_eq!(window.threshold_bytes(), Some(2_000));
    }

    #[test]
    fn of_time_outs_in_a_row_the_first_sets_the_threshold_and_is_what_is_undone() {
        let mut window = LossWindow::new(50, 1_000);
        for law in 0..3 {
            window.before_cut(&law);
            window.on_timeout(subbytes(25_000 >> law));
            assert_eq!(window.bytes(), 1_000);
            assert_eq!(window.threshold_bytes(), Some(25_000));
        }
        assert_eq!(window.undo(), Some(0));
        assert_eq!(window.bytes(), 50_000);
        assert_eq!(window.threshold_bytes(), None);
        assert_eq!(window.undo(), None);
    }

    #[test]
    fn what_was_forgotten_is_not_undone() {
        let mut window = LossWindow::new(50, 1_000);
        window.before_cut(&());
        window.on_timeout(0);
        window.forget();
        assert_eq!(window.undo(), None);
        assert_eq!(window.bytes(), 1_000);
    }
}
