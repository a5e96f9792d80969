//! Reno (RFC 5681): a window that fills the buffer until something is lost. It does not yield to
//! anyone; it is here to compare with, and for paths on which delays say nothing.

use alloc::boxed::Box;

use utp_wire::Instant;

use crate::controller::{Ack, Controller, ControllerFactory, Loss, Metrics};
use crate::loss_window::{INITIAL_PACKETS, LossWindow};
use crate::subbytes::{share_of, subbytes};

/// A controller that looks at losses only, as TCP Reno does.
///
/// Slow start doubles the window each round trip up to the threshold, then it grows by a packet per
/// round trip. A loss leaves half of what was in flight, a time-out one packet. Ten packets at the
/// start (RFC 6928), and again after an idle spell.
#[derive(Clone, Debug)]
pub struct LossOnly {
    window: LossWindow<()>,
}

impl LossOnly {
    /// A controller of a connection whose packets carry at most `payload_bytes_max` bytes of
    /// payload; zero counts as one.
    #[must_use]
    pub fn new(payload_bytes_max: u16) -> Self {
        Self { window: LossWindow::new(INITIAL_PACKETS, payload_bytes_max) }
    }
}

impl Controller for LossOnly {
    fn on_window_limited(&mut self, now: Instant) {
        self.window.on_limited(now);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.window.on_ack();
        if ack.bytes_acked == 0 || !self.window.may_grow(ack.now) || self.window.slow_start(ack) {
            return;
        }
        let size = self.window.size();
        self.window.set_size(size + share_of(self.window.payload_bytes(), ack.bytes_acked, size));
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.window.before_cut(&());
        self.window.cut_to(subbytes(loss.in_flight_bytes) / 2);
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        self.window.undo();
    }

    fn on_timeout(&mut self, _now: Instant, in_flight_bytes: u64) {
        if in_flight_bytes == 0 {
            self.window.restart(INITIAL_PACKETS);
            return;
        }
        self.window.before_cut(&());
        self.window.on_timeout(subbytes(in_flight_bytes).min(self.window.size()) / 2);
    }

    fn on_idle(&mut self) {
        self.window.forget();
    }

    fn on_mtu_update(&mut self, payload_bytes_max: u16) {
        self.window.set_payload(payload_bytes_max);
    }

    fn window_bytes(&self) -> u64 {
        self.window.bytes()
    }

    fn metrics(&self) -> Metrics {
        Metrics {
            window_bytes: self.window.bytes(),
            ssthresh_bytes: self.window.threshold_bytes(),
            slow_start: self.window.is_slow_start(),
            ..Metrics::default()
        }
    }
}

/// Builds [`LossOnly`] controllers.
///
/// ```
/// use utp_ledbat::{ControllerFactory, LossOnlyFactory};
/// use utp_wire::Instant;
///
/// let controller = LossOnlyFactory.build(Instant::from_micros(0), 1382);
/// assert_eq!(controller.window_bytes(), 10 * 1382);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossOnlyFactory;

impl ControllerFactory for LossOnlyFactory {
    fn name(&self) -> &'static str {
        "loss-only"
    }

    fn build(&self, _now: Instant, payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(LossOnly::new(payload_bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: u64 = 1_000;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    fn ack(law: &mut LossOnly, bytes_acked: u64) {
        let now = at_ms(0);
        law.on_window_limited(now);
        let in_flight_bytes = law.window_bytes();
        let (rtt_us, delay_sampled) = (None, false);
        law.on_ack(&Ack { now, bytes_acked, in_flight_bytes, rtt_us, delay_sampled });
    }

    fn lose(law: &mut LossOnly, in_flight_bytes: u64) {
        let (now, bytes_lost) = (at_ms(0), PAYLOAD);
        law.on_loss(&Loss { now, bytes_lost, in_flight_bytes, srtt_us: None });
    }

    /// Past slow start, with so many packets.
    fn settled(packets: u64) -> LossOnly {
        let mut law = LossOnly::new(1_000);
        while law.window_bytes() < 2 * packets * PAYLOAD {
            ack(&mut law, PAYLOAD);
        }
        lose(&mut law, 2 * packets * PAYLOAD);
        assert_eq!(law.window_bytes(), packets * PAYLOAD);
        law
    }

    #[test]
    fn slow_start_doubles_and_no_acknowledgement_counts_for_more_than_two_packets() {
        let mut law = LossOnly::new(1_000);
        for _ in 0..5 {
            ack(&mut law, 2 * PAYLOAD);
        }
        assert_eq!(law.window_bytes(), 20 * PAYLOAD);
        ack(&mut law, 20 * PAYLOAD);
        assert_eq!(law.window_bytes(), 22 * PAYLOAD);
        assert!(law.metrics().slow_start);
    }

    #[test]
    fn past_the_threshold_a_window_earns_a_packet() {
        let mut law = settled(20);
        ack(&mut law, 20 * PAYLOAD);
        assert_eq!(law.window_bytes(), 21 * PAYLOAD);
        for _ in 0..210 {
            ack(&mut law, 100);
        }
        assert!((21_950..=22_000).contains(&law.window_bytes()), "{}", law.window_bytes());
    }

    #[test]
    fn a_loss_leaves_half_of_what_was_in_flight_and_two_packets_at_least() {
        let mut law = settled(20);
        lose(&mut law, 16_000);
        assert_eq!(law.window_bytes(), 8_000);
        lose(&mut law, u64::MAX);
        assert_eq!(law.window_bytes(), 8_000, "a loss never raises the window");
        lose(&mut law, 0);
        assert_eq!(law.window_bytes(), 2_000);
    }

    #[test]
    fn a_time_out_leaves_one_packet_and_slow_start_up_to_half() {
        let mut law = settled(20);
        law.on_timeout(at_ms(0), 20_000);
        law.on_timeout(at_ms(0), 1_000);
        assert_eq!(law.window_bytes(), PAYLOAD);
        for _ in 0..9 {
            ack(&mut law, PAYLOAD);
        }
        assert_eq!(law.window_bytes(), 10_000);
        assert!(!law.metrics().slow_start);
        law.on_spurious_loss(at_ms(0));
        assert_eq!(law.window_bytes(), 20_000);
    }

    #[test]
    fn an_idle_spell_leaves_ten_packets_and_slow_start_up_to_what_there_was() {
        let mut law = settled(30);
        for _ in 0..3 {
            law.on_timeout(at_ms(0), 0);
        }
        let metrics = law.metrics();
        assert_eq!((metrics.window_bytes, metrics.ssthresh_bytes), (10_000, Some(30_000)));
    }

    #[test]
    fn a_sender_that_its_application_limits_does_not_grow() {
        let mut law = LossOnly::new(1_000);
        law.on_window_limited(at_ms(0));
        law.on_ack(&Ack {
            now: at_ms(1_001),
            bytes_acked: PAYLOAD,
            in_flight_bytes: PAYLOAD,
            rtt_us: None,
            delay_sampled: false,
        });
        assert_eq!(law.window_bytes(), 10_000);
    }
}
