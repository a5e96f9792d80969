//! CUBIC (RFC 9438), what most TCP senders run: to compare with. It does not yield to anyone.

use alloc::boxed::Box;

use utp_wire::Instant;

use crate::controller::{Ack, Controller, ControllerFactory, Loss, Metrics};
use crate::loss_window::{INITIAL_PACKETS, LossWindow};
use crate::moment::NEVER;
use crate::subbytes::{share_of, subbytes};

/// A CUBIC controller, with fast convergence and the Reno-friendly region.
///
/// After a loss the window is 0.7 of what was in flight. From there it follows a cubic curve in
/// time: steep at first, flat near the window of the last loss, steep again beyond. Where Reno
/// would be ahead of the curve, the window is that of Reno. Slow start doubles until the first
/// loss, without an early exit (HyStart++). Ten packets at the start (RFC 6928), and again after an
/// idle spell.
#[derive(Clone, Debug)]
pub struct Cubic {
    window: LossWindow<Epoch>,
    epoch: Epoch,
    rtt_us: u32,
}

/// One stage of congestion avoidance. Windows are in subbytes.
#[derive(Clone, Debug)]
struct Epoch {
    /// When the stage began; [`NEVER`] if it will with the next acknowledgement.
    since: Instant,
    /// When the window last grew, or the stage began.
    grown_at: Instant,
    /// Where the curve is flat.
    window_flat: u64,
    /// How long after `since` that is: K of the RFC.
    flat_after_ms: u32,
    /// What Reno would have: `W_est` of the RFC.
    window_reno: u64,
    /// The window before the last reduction.
    window_prior: u64,
}

impl Epoch {
    const NONE: Self = Self {
        since: NEVER,
        grown_at: NEVER,
        window_flat: 0,
        flat_after_ms: 0,
        window_reno: 0,
        window_prior: 0,
    };

    fn begin(&mut self, now: Instant, window: u64) {
        self.since = now;
        self.grown_at = now;
        self.window_reno = window;
    }

    /// Leaves out the time in which the sender had too little to send (RFC 9438 section 5.8).
    fn skip_pause(&mut self, now: Instant, rtt_us: u32) {
        let gap_us = now.saturating_since(self.grown_at);
        if gap_us > PAUSE_US_MIN.max(2 * u64::from(rtt_us)) {
            self.since = self.since.saturating_add(gap_us);
        }
        self.grown_at = now;
    }

    /// The curve at a time: `W_cubic` of the RFC.
    fn curve(&self, at: Instant, packet: u64) -> u64 {
        let since_ms = i128::from(at.saturating_since(self.since) / 1_000);
        let from_flat_ms = (since_ms - i128::from(self.flat_after_ms)).min(CURVE_MS_MAX);
        // C is 0.4 packets per cubic second.
        let above = from_flat_ms.pow(3) * i128::from(packet) * 2 / 5 / 1_000_000_000;
        u64::try_from(i128::from(self.window_flat) + above).unwrap_or(0)
    }
}

impl Cubic {
    /// A controller of a connection whose packets carry at most `payload_bytes_max` bytes of
    /// payload; zero counts as one.
    #[must_use]
    pub fn new(payload_bytes_max: u16) -> Self {
        let window = LossWindow::new(INITIAL_PACKETS, payload_bytes_max);
        Self { window, epoch: Epoch::NONE, rtt_us: 0 }
    }

    /// Ends the stage; the next one begins at the flat of its curve (RFC 9438 sections 4.8, 4.10).
    fn end_epoch(&mut self) {
        self.epoch = Epoch::NONE;
    }

    fn avoid_congestion(&mut self, ack: &Ack) {
        let size = self.window.size();
        let packet = self.window.packets(1);
        let epoch = &mut self.epoch;
        if epoch.since == NEVER {
            epoch.begin(ack.now, size);
            epoch.window_flat = size;
        }
        epoch.skip_pause(ack.now, self.rtt_us);
        let share = share_of(self.window.payload_bytes(), ack.bytes_acked, size);
        // As fast as Reno on average, for a cut by 0.3: 3 * 0.3 / 1.7.
        let behind = epoch.window_reno < epoch.window_prior;
        epoch.window_reno += if behind { share * 9 / 17 } else { share };

        if epoch.curve(ack.now, packet) < epoch.window_reno {
            self.window.set_size(size.max(epoch.window_reno));
            return;
        }
        let ahead = ack.now.saturating_add(self.rtt_us.into());
        let target = epoch.curve(ahead, packet).clamp(size, size + size / 2);
        let acked = u128::from(subbytes(ack.bytes_acked).min(size));
        let growth = u128::from(target - size) * acked / u128::from(size.max(1));
        self.window.set_size(size + u64::try_from(growth).unwrap_or(0));
    }
}

impl Controller for Cubic {
    fn on_window_limited(&mut self, now: Instant) {
        self.window.on_limited(now);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.window.on_ack();
        self.rtt_us = ack.rtt_us.unwrap_or(self.rtt_us);
        if ack.bytes_acked == 0 || !self.window.may_grow(ack.now) || self.window.slow_start(ack) {
            return;
        }
        self.avoid_congestion(ack);
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.window.before_cut(&self.epoch);
        let prior = self.window.size();
        self.window.cut_to(kept(subbytes(loss.in_flight_bytes)));
        let size = self.window.size();
        // Fast convergence: a flow that is losing ground makes room for those that came.
        let has_lost_ground = prior < self.epoch.window_flat;
        self.epoch.window_flat = if has_lost_ground { prior / 20 * 17 } else { prior };
        self.epoch.window_prior = prior;
        let to_flat = self.epoch.window_flat.saturating_sub(size);
        self.epoch.flat_after_ms = cube_root_ms(to_flat, self.window.packets(1));
        self.epoch.begin(loss.now, size);
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(epoch) = self.window.undo() {
            self.epoch = epoch;
        }
    }

    fn on_timeout(&mut self, _now: Instant, in_flight_bytes: u64) {
        if in_flight_bytes == 0 {
            if self.window.restart(INITIAL_PACKETS) {
                self.end_epoch();
            }
            return;
        }
        self.window.before_cut(&self.epoch);
        self.window.on_timeout(kept(subbytes(in_flight_bytes)).min(self.window.size()));
        self.end_epoch();
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

/// Builds [`Cubic`] controllers.
///
/// ```
/// use utp_ledbat::{ControllerFactory, CubicFactory};
/// use utp_wire::Instant;
///
/// let controller = CubicFactory.build(Instant::from_micros(0), 1382);
/// assert_eq!(controller.window_bytes(), 10 * 1382);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CubicFactory;

impl ControllerFactory for CubicFactory {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn build(&self, _now: Instant, payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(Cubic::new(payload_bytes_max))
    }
}

/// What a loss leaves of a window: 0.7.
const fn kept(window: u64) -> u64 {
    window / 10 * 7
}

/// How many milliseconds the curve takes to climb by `by` subbytes to its flat: the cube root of
/// the packets over C = 0.4 per cubic second.
fn cube_root_ms(by: u64, packet: u64) -> u32 {
    let cube = u128::from(by) * 2_500_000_000 / u128::from(packet.max(1));
    // 2^30 packets take 1.4 million milliseconds, which is below 2^21.
    let mut root = 0_u32;
    for bit in (0..21).rev() {
        let higher = root | 1 << bit;
        if u128::from(higher).pow(3) <= cube {
            root = higher;
        }
    }
    root
}

/// Beyond this the curve is past every window.
const CURVE_MS_MAX: i128 = 10_000_000;

/// A stage rests when the window has not grown for so long, or for two round trips.
const PAUSE_US_MIN: u64 = 1_000_000;

#[cfg(test)]
mod tests;
